"""The log of one task: all of it, however long, and it stands still while one reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard
from tests.support.server import Server, wait_for
from tests.support.task_page import path_of, tab, tell

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


def offset(page: Page) -> float:
    """How far the log is from its end, in pixels."""
    return float(
        page.locator(".rows").evaluate("e => e.scrollHeight - e.clientHeight - e.scrollTop")
    )


def test_a_long_log_is_whole(
    open_dashboard: Open, shared_server: Server, project: str, tmp_path: Path
) -> None:
    tell(shared_server, project, [f"report {n} " + "long " * (n % 60) for n in range(3000)])
    page = open_dashboard(path_of(project)).page
    rows = page.locator(".log-row")
    expect(rows.last).to_contain_text("report 2999")
    assert rows.count() < 100
    expect(page.locator(".log-find")).to_contain_text("The newest 1,000")
    log = page.locator(".rows")
    for known in ("1,500", "2,000", "2,500", "3,000"):
        before = rows.first.inner_text()
        log.evaluate("e => e.scrollTo(0, 0)")
        expect(page.locator(".log-find")).to_contain_text(known)
        assert rows.first.inner_text() != before
        assert log.evaluate("e => e.scrollTop") > 1000  # what was at the top still is
    log.evaluate("e => e.scrollTo(0, 0)")
    expect(page.locator(".log-find")).to_contain_text("3,000 reports")
    log.evaluate("e => e.scrollTo(0, 0)")
    expect(rows.first).to_contain_text("report 0")
    assert rows.count() < 100
    page.get_by_role("button", name="To the end").click()
    expect(rows.last).to_contain_text("report 2999")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSON lines").click()
    assert download.value.suggested_filename == "task-1.jsonl"
    download.value.save_as(tmp_path / "log")
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["data"]["message"].split()[1] for line in lines] == [
        str(n) for n in range(3000)
    ]


def test_what_is_saved_and_copied_is_all_of_it(
    open_dashboard: Open, shared_server: Server, project: str, tmp_path: Path
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(1600)])
    page = open_dashboard(path_of(project), permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy all").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [line.rsplit(" ", 1)[1] for line in copied] == [str(n) for n in range(1600)]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as text").click()
    download.value.save_as(tmp_path / "log")
    assert (tmp_path / "log").read_text(encoding="utf-8").splitlines() == copied


# Which report is there once all is drawn, and where it stands. Its row may be made anew meanwhile.
IN_THE_MIDDLE = """log => new Promise((done) => {
    const look = () => {
        const { left, top, height } = log.getBoundingClientRect();
        const row = document.elementFromPoint(left + 40, top + height / 2).closest(".log-row");
        done([row.textContent.match(/report [0-9]+/)[0], row.getBoundingClientRect().top]);
    };
    requestAnimationFrame(() => requestAnimationFrame(look));
})"""


def test_the_log_follows_its_end_until_one_reads(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(200)])
    page = open_dashboard(path_of(project)).page
    rows = page.locator(".log-row")
    expect(rows.last).to_contain_text("report 199")
    tell(shared_server, project, ["the newest " + "of many words " * 60])
    expect(rows.last).to_contain_text("the newest")
    expect(rows.last).to_be_in_viewport(ratio=0.9)
    log = page.locator(".rows")
    log.evaluate("e => e.scrollBy(0, -2000)")
    end = page.locator(".log-end")
    expect(end).to_have_text("To the end")
    read, top = log.evaluate(IN_THE_MIDDLE)
    tell(shared_server, project, ["unseen", "unseen too"])
    expect(end).to_have_text("2 new")
    assert log.evaluate(IN_THE_MIDDLE) == [read, top]
    end.click()
    expect(rows.last).to_contain_text("unseen too")
    expect(end).to_be_hidden()
    assert offset(page) < 2


def test_what_is_selected_stays_so(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n} of `many`" for n in range(200)])
    page = open_dashboard(path_of(project)).page
    rows = page.locator(".log-row")
    expect(rows.last).to_contain_text("report 199")
    expect(rows.last.locator("code")).to_have_text("many")
    page.evaluate(
        """() => { const [from, to] = [".log-row:nth-last-child(3)", ".log-row:last-child"]
            .map((row) => document.querySelector(`${row} .log-words`));
          getSelection().setBaseAndExtent(from, 0, to, to.childNodes.length); }"""
    )
    selected = page.evaluate("String(getSelection())")
    assert "report 197" in selected
    assert "report 199" in selected
    top = rows.last.evaluate("row => (window.last = row).getBoundingClientRect().top")
    tell(shared_server, project, [f"after {n}" for n in range(40)])
    expect(page.locator(".log-end")).to_have_text("40 new")
    assert page.evaluate("String(getSelection())") == selected
    assert page.evaluate("window.last.getBoundingClientRect().top") == top
    page.locator(".rows").evaluate("e => e.scrollTo(0, 0)")
    expect(rows.first).to_contain_text("report 0")
    assert page.evaluate("String(getSelection())") == selected


def test_the_log_is_searched_through(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    messages = [f"report {n}" for n in range(1800)]
    messages[3] = messages[1700] = "A Needle"
    tell(shared_server, project, messages)
    page = open_dashboard(path_of(project)).page
    field = page.get_by_role("searchbox", name="Find in the log")
    field.fill("needle")
    count = page.locator(".log-find .quiet")
    current = page.locator(".log-row.is-current")
    expect(current).to_be_in_viewport()
    expect(count).to_have_text("2 of 2")
    field.press("Shift+Enter")
    expect(count).to_have_text("1 of 2")
    expect(page.get_by_text("report 2", exact=True)).to_be_in_viewport()
    expect(current).to_be_in_viewport()
    field.press("Enter")
    expect(count).to_have_text("2 of 2")
    expect(page.get_by_text("report 1701", exact=True)).to_be_in_viewport()
    tell(shared_server, project, ["another needle"])
    expect(count).to_have_text("2 of 3")
    field.fill("")
    expect(count).to_have_text("1,801 reports")
    expect(page.locator(".is-found")).to_have_count(0)


def test_a_page_that_could_not_be_read_is_tried_again(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(1200)])
    page = open_dashboard(path_of(project)).page
    expect(page.locator(".log-row").last).to_contain_text("report 1199")
    page.route("**/api/events?*", lambda route: route.abort(), times=1)
    page.locator(".rows").evaluate("e => e.scrollTo(0, 0)")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".log-find")).to_contain_text("1,200")


def test_a_tab_that_was_left_is_as_it_was(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(300)])
    page = open_dashboard(path_of(project)).page
    expect(page.locator(".log-row").last).to_contain_text("report 299")
    tab(page, "Data")
    tab(page, "Log")
    expect(page.locator(".log-row").last).to_be_in_viewport()
    page.locator(".rows").evaluate("e => e.scrollTo(0, 3000)")
    expect(page.locator(".log-end")).to_be_visible()

    def in_the_middle() -> int:
        """Which report stands there; -1: none does yet."""
        words = page.locator(".rows").evaluate(
            """e => { const { x, y, width, height } = e.getBoundingClientRect();
            return document.elementFromPoint(x + width / 2, y + height / 2)
                .closest(".log-row")?.textContent ?? "" }"""
        )
        found = re.search(r"report (\d+)", words)
        return int(found[1]) if found else -1

    read = in_the_middle()
    assert 80 < read < 140
    tab(page, "Data")
    tab(page, "Log")
    # What is above is measured only when it is drawn: a row or two is no matter.
    wait_for(lambda: abs(in_the_middle() - read) <= 3, what="the log to be where it was")
