"""The page of one task."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard
from tests.support.server import Server, wait_for
from tests.support.task_page import TRACE, path_of, tab, tell

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


def test_the_tab_stands_in_the_address(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("start", project, task="Tabs")
    shared_server.report("error", project, "bad", task="Bad")
    dashboard = open_dashboard(path_of(project))
    page = dashboard.page
    expect(page.get_by_role("tab", selected=True)).to_have_text("Log")
    expect(page.get_by_role("tab", name="Error")).to_be_hidden()
    page.get_by_role("tab", name="Log").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Data")).to_be_focused()
    expect(page.get_by_role("tabpanel")).to_have_attribute("aria-labelledby", re.compile("data"))
    dashboard.at(path_of(project, tab="data"))
    page.keyboard.press("Home")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Log")
    page.keyboard.press("End")
    page.get_by_role("link", name="Projects", exact=True).first.click()
    dashboard.heading("Projects")
    page.go_back()
    dashboard.heading("Tabs")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Data")
    dashboard.visit(path_of(project, "bad"))
    expect(page.get_by_role("tab", selected=True)).to_have_text("Error")
    dashboard.visit(path_of(project, "bad", "log"))
    expect(page.get_by_role("tab", selected=True)).to_have_text("Log")
    dashboard.visit(path_of(project, "bad", "none"))
    expect(page.get_by_role("tab", selected=True)).to_have_text("Error")


def test_a_task_that_is_deleted_says_so(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("start", project, task="Short-lived")
    dashboard = open_dashboard()
    page = dashboard.page
    dashboard.go(path_of(project))
    dashboard.heading("Short-lived")
    path = f"/api/projects/{quote(project, safe='')}/tasks/task-1"
    assert shared_server.http.delete(path).status_code == 204
    expect(page.get_by_role("alert")).to_contain_text("was deleted")
    dashboard.heading("Short-lived")
    shared_server.report("start", project, task="Once more")
    dashboard.heading("Once more")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_an_unknown_task_says_so(open_dashboard: Open) -> None:
    page = open_dashboard(path_of("none", "no/such")).page
    expect(page.get_by_role("alert")).to_contain_text("never reported")
    expect(page.get_by_role("heading", level=1)).to_have_text("no/such")
    expect(page.get_by_role("tab")).to_have_count(0)
    page.get_by_role("link", name="none").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("none")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_long_names_are_cut(
    open_dashboard: Open, shared_server: Server, project: str, width: int
) -> None:
    long = "Unbroken" * 31
    url = f"https://{'a' * 60}.example/{'b' * 200}"
    shared_server.report(
        "start",
        f"{project}{long}"[:255],
        long[:255],
        task=long * 4,
        agent=long[:255],
        session=long[:255],
        metadata={"branch": long, "host": long, "pull_request_url": url, "command": long},
    )
    dashboard = open_dashboard(
        path_of(f"{project}{long}"[:255], long[:255]), viewport={"width": width, "height": 800}
    )
    page = dashboard.page
    dashboard.is_settled()
    assert page.evaluate(
        "[...document.querySelectorAll('main, main *')].filter(e => e.checkVisibility() && "
        "e.getBoundingClientRect().right > innerWidth + 1 && "
        "!e.closest('.clamped, .facts, .crumbs, bdi')).length === 0"
    )
    title = page.get_by_role("heading", level=1)
    height = title.evaluate("e => e.offsetHeight")
    page.get_by_role("button", name="Show all").first.click()
    assert title.evaluate("e => e.offsetHeight") > height
    link = page.locator(".fact-pull a")
    assert link.get_attribute("href") == link.get_attribute("title") == url
    assert "noopener" in str(link.get_attribute("rel"))


def test_only_addresses_of_the_web_become_links(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    for number, value in enumerate(
        ("javascript:alert(1)", "file:///etc/passwd", "//x", "https://", "ftp://a.b/c", 418)
    ):
        given = {"pull_request": value, "run_url": value, "branch": value}
        shared_server.report("start", project, str(number), task="Links", metadata=given)
        dashboard = open_dashboard(path_of(project, str(number)))
        expect(dashboard.page.locator(".fact-pull")).to_contain_text(str(value))
        expect(dashboard.page.locator(".facts a")).to_have_count(0)
        dashboard.close()


def test_back_leads_to_where_one_was(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(1900)])
    deep = {"metadata": {str(n): [n] for n in range(60)}}
    shared_server.report("status", project, task="Long", session="s", **deep)
    dashboard = open_dashboard(path_of(project))
    page = dashboard.page
    rows = page.locator(".log-row")
    expect(rows.last).to_contain_text("Update")
    log = page.locator(".rows")
    log.evaluate("e => e.scrollTo(0, 0)")
    expect(page.locator(".log-find")).to_contain_text("1,500")
    log.evaluate("e => e.scrollTo(0, 3000)")
    read = page.get_by_text("report 510", exact=True)
    expect(read).to_be_in_viewport()
    wait_for(lambda: page.evaluate("history.state?.task?.log"), what="the place to be kept")
    page.get_by_role("link", name="Projects", exact=True).first.click()
    dashboard.heading("Projects")
    page.go_back()
    dashboard.heading("Long")
    expect(read).to_be_in_viewport()
    expect(page.locator(".log-end")).to_be_visible()
    tab(page, "Data")
    main = page.locator("main")
    main.evaluate("e => e.scrollTo(0, 900)")
    wait_for(lambda: page.evaluate("history.state?.task?.scroll === 900"), what="it to be kept")
    page.locator(".fact-session a").evaluate("link => link.click()")
    dashboard.heading(project)
    page.go_back()
    dashboard.heading("Long")
    expect(main).to_have_js_property("scrollTop", 900)


def test_a_task_tells_how_others_of_its_title_went(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    def end(number: int, kind: str, title: str = 'Nightly "build" (x)') -> None:
        shared_server.report(kind, project, str(number), task=title)

    end(0, "error")
    dashboard = open_dashboard(path_of(project, "0"))
    page = dashboard.page
    expect(page.locator(".fact-duration")).to_be_visible()
    for number in range(1, 13):
        end(number, "error" if number in (1, 5, 12) else "finish")
    end(13, "finish", 'Nightly "build" (x) of another')
    shared_server.report("start", project, "14", task='Nightly "build" (x)')
    shown = page.locator(".fact-alike")

    def is_told() -> bool:
        dashboard.visit(path_of(project, "12"))
        return shown.is_visible() and "8 of the last 10" in shown.inner_text()

    wait_for(is_told, what="the index to follow")
    dashboard.visit(path_of(project, "14"))
    expect(shown).to_have_count(0)


def test_a_task_can_stand_beside_a_list(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n} " + "long " * 30 for n in range(60)])
    shared_server.report("error", project, task="Beside " * 40, stack_trace=TRACE)
    segment = quote(project, safe="")
    path = f"/projects/{segment}?task={quote(segment, safe='')}%2Ftask-1"
    page = open_dashboard(path, viewport={"width": 1280, "height": 800}).page
    panel = page.locator(".side-panel")
    expect(panel.get_by_role("heading", level=2).first).to_contain_text("Beside")
    expect(panel.locator(".trace-error")).to_be_visible()
    tab(page, "Log")
    expect(panel.locator(".log-row").last).to_be_in_viewport()
    assert page.evaluate("new URLSearchParams(location.search).get('tab')") == "log"
    assert panel.evaluate("e => e.scrollWidth <= e.clientWidth")
    expect(page.get_by_role("heading", level=1)).to_have_text(project)
