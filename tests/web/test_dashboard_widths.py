"""What narrow and low screens show: whole words, nothing on something else, lists with a height."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, expect

from tests.support.dashboard import Dashboard, until
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

PROJECT = "narrow and low"
PHONE = {"width": 360, "height": 740}
ON_ITS_SIDE = {"width": 740, "height": 360}


@pytest.fixture(autouse=True)
def tasks(shared_server: Server) -> None:
    report = shared_server.report
    report("start", PROJECT, "runs", task="It runs")
    report("finish", PROJECT, "done", task="It is done", result="well", duration_seconds=60)
    report("error", PROJECT, "bad", task="It failed", stack_trace=f"Top\n  at {'x' * 300}\nEnd")


def box(locator: Locator) -> dict[str, float]:
    found = locator.bounding_box()
    assert found
    return dict(found)


def test_ways_to_see_tasks_stand_in_one_line_on_a_phone(open_dashboard: Open) -> None:
    page = open_dashboard("/tasks", viewport=PHONE, locale="ru-RU").page
    links = page.locator(".place-tabs a")
    expect(links).to_have_count(4)
    assert len({box(link)["y"] for link in links.all()}) == 1
    assert not any(link.evaluate("e => e.scrollWidth > e.clientWidth") for link in links.all())
    assert box(links.last)["x"] + box(links.last)["width"] <= PHONE["width"]


@pytest.mark.parametrize("path", ["/tasks", f"/projects/{quote(PROJECT)}", "/events"])
def test_a_low_screen_leaves_a_list_its_height(open_dashboard: Open, path: str) -> None:
    page = open_dashboard(path, viewport=ON_ITS_SIDE).page
    rows = page.locator("virtual-list")
    expect(rows.locator("[data-row]").first).to_be_attached()
    assert box(rows)["height"] > 150
    rows.scroll_into_view_if_needed()
    expect(rows.locator("[data-row]").first).to_be_in_viewport()


@pytest.mark.parametrize("width", [360, 768])
@pytest.mark.parametrize("path", ["/tasks", f"/projects/{quote(PROJECT)}"])
def test_a_long_title_takes_two_lines(
    open_dashboard: Open, shared_server: Server, width: int, path: str
) -> None:
    title = "Add idempotency keys to the refund endpoint of billing"
    shared_server.report("start", PROJECT, "long", task=title)
    page = open_dashboard(path, viewport={"width": width, "height": 740}).page
    link = page.locator(".table-row .row-link").filter(has_text=title)
    expect(link).to_be_visible()
    assert link.evaluate("""link => {
        const { bottom } = link.closest(".table-row").getBoundingClientRect();
        return link.scrollWidth <= link.clientWidth && link.scrollHeight <= link.clientHeight
            && link.clientHeight <= link.parentElement.clientHeight
            && link.getBoundingClientRect().bottom <= bottom;
    }""")


def test_a_long_title_of_an_event_takes_the_room_of_words(
    open_dashboard: Open, shared_server: Server
) -> None:
    title = "Add idempotency keys to the refund endpoint"
    shared_server.report("start", PROJECT, "long event", task=title, message="word " * 50)
    page = open_dashboard("/events", viewport={"width": 768, "height": 740}).page
    task = page.locator(".event-task").filter(has_text=title).first
    expect(task).to_be_visible()
    assert task.evaluate("task => task.scrollWidth <= task.clientWidth")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_button_stands_on_code(open_dashboard: Open, width: int) -> None:
    path = f"/projects/{quote(PROJECT)}/tasks/bad?tab=error"
    page = open_dashboard(path, viewport={"width": width, "height": 800}).page
    code, button = box(page.locator(".snippet pre")), box(page.locator(".snippet .copy"))
    assert code["x"] + code["width"] <= button["x"]
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator(".snippet .copy")).to_contain_text("Cop")
    assert box(page.locator(".snippet pre")) == code


@pytest.mark.parametrize("width", [360, 768])
def test_tables_of_insights_show_all_their_columns(open_dashboard: Open, width: int) -> None:
    viewport = {"width": width, "height": 800}
    page = open_dashboard("/stats", viewport=viewport, locale="ru-RU").page
    table = page.get_by_role("table", name="Проекты")
    line = table.get_by_role("row").filter(has_text=PROJECT)
    expect(line.get_by_role("cell")).to_have_count(6)
    expect(line.get_by_role("cell").first).to_have_attribute("data-label", "Завершены")
    assert table.evaluate("e => e.parentElement.scrollWidth <= e.parentElement.clientWidth")


@pytest.mark.parametrize("width", [768, 1440])
def test_a_board_has_no_column_under_what_is_long(open_dashboard: Open, width: int) -> None:
    viewport = {"width": width, "height": 800}
    page = open_dashboard(f"/projects/{quote(PROJECT)}/board", viewport=viewport).page
    completed, running = box(page.locator(".board-completed")), box(page.locator(".board-running"))
    pending = box(page.locator(".board-pending"))
    assert completed["y"] == pending["y"]
    below = width < 1000
    assert (running["y"] > pending["y"]) == below
    assert (running["x"] == pending["x"]) == below


def test_a_timeline_begins_where_the_tasks_in_sight_do(
    open_dashboard: Open, server: Server
) -> None:
    def prompt(hours_ago: float, session: str) -> None:
        at = datetime.fromtimestamp(time.time() - hours_ago * 3600, UTC).isoformat()
        for event in ("UserPromptSubmit", "Stop"):
            server.http.post(
                "/hooks/claude-code",
                json={"hook_event_name": event, "session_id": session, "prompt": "Do it"},
                headers={"Tracker-Context": json.dumps({"at": at, "host": "h"})},
            ).raise_for_status()

    prompt(30, "old")
    prompt(1, "new")
    page = open_dashboard("/timeline", server=server).page
    expect(page.locator(".lane-bar")).to_have_count(1)
    until(page, "() => parseFloat(document.querySelector('.lane-bar').style.left) < 20")
