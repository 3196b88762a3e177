"""Events: all of the log by scrolling, kinds by the server, and a reading position that holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard, until
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

IN_SIGHT = """() => [...document.querySelectorAll('event-row')].filter((row) => {
    const [box, list] = [row, row.closest('virtual-list')].map((e) => e.getBoundingClientRect());
    return box.top >= list.top && box.bottom <= list.bottom;
}).map((row) => row.querySelector('.event-words').textContent)"""


def tell(server: Server, first: int, last: int) -> None:
    reports: list[dict[str, Any]] = [
        {
            **{"kind": "status", "project": "p", "task": "T", "task_id": f"{number % 7}"},
            **{"agent": "a", "message": f"word {number}"},
        }
        for number in range(first, last)
    ]
    for at in range(0, len(reports), 500):
        body = {"reports": reports[at : at + 500]}
        server.http.post("/webhook/batch", json=body).raise_for_status()


def test_all_of_the_log_is_there_and_holds_still(open_dashboard: Open, server: Server) -> None:
    server.report("start", "p", "first", task="The very first")
    tell(server, 0, 1800)
    page = open_dashboard("/events", server=server).page
    expect(page.get_by_text("500 events so far")).to_be_visible()
    end = "() => { const e = document.querySelector('virtual-list'); e.scrollTop = e.scrollHeight; "
    end += "return document.body.textContent.includes('The very first'); }"
    until(page, end)
    expect(page.get_by_text("1,801 events", exact=True)).to_be_visible()
    page.evaluate("document.querySelector('virtual-list').scrollTop = 20000")
    until(page, f"() => ({IN_SIGHT})().length > 5")
    read = page.evaluate(IN_SIGHT)
    tell(server, 1800, 1850)
    expect(page.get_by_text("1,851 events", exact=True)).to_be_visible()
    assert page.evaluate(IN_SIGHT) == read


def test_a_kind_is_chosen_by_the_server_and_words_by_looking_back(
    open_dashboard: Open, server: Server
) -> None:
    server.report("error", "p", "rare", task="Rare", error_type="E", error_message="m")
    tell(server, 0, 700)
    page = open_dashboard("/events", server=server).page
    rows = page.locator("event-row:visible")
    page.get_by_role("combobox", name="Kind of event").select_option("task_error")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Rare")
    page.get_by_role("combobox", name="Kind of event").select_option("")
    expect(rows.first).to_contain_text("word 699")
    page.get_by_role("searchbox").fill("Rare")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Rare")
    expect(page.get_by_role("button", name="Look further back")).to_be_hidden()
