"""A task beside the list that it is in, in a wide window; and from one failure to the next."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.dashboard import Dashboard, until
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

HOSTILE = '"><img src=x onerror=alert(1)> \u202egnp.exe'


@pytest.fixture(scope="module")
def filled(shared_server: Server) -> Server:
    for number in range(60):
        kind = "error" if number % 20 == 5 else "start"
        shared_server.report(kind, "panel", f"t{number}", task=f"Task {number}")
    shared_server.report("start", "org/panel", "a/b?c#d%2f", task=HOSTILE)
    return shared_server


def panel(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Task beside the list")


def row(page: Page, title: str) -> Locator:
    return page.locator("main a[data-row]").filter(has_text=re.compile(f"^{re.escape(title)}$"))


def shows(page: Page, title: str) -> None:
    expect(panel(page).get_by_role("heading", level=2, name=title, exact=True)).to_be_visible()


@pytest.mark.parametrize("path", ["/tasks?project=panel", "/projects/panel"])
def test_a_click_opens_a_task_beside_its_list(
    open_dashboard: Open, filled: Server, path: str
) -> None:
    dashboard = open_dashboard(path)
    page = dashboard.page
    row(page, "Task 59").click()
    shows(page, "Task 59")
    expect(row(page, "Task 59")).to_be_visible()
    expect(row(page, "Task 59")).to_have_attribute("aria-current", "true")
    row(page, "Task 58").click()
    shows(page, "Task 58")
    expect(page.locator("main [aria-current=true]")).to_have_count(1)
    page.reload()
    shows(page, "Task 58")
    expect(row(page, "Task 58")).to_have_attribute("aria-current", "true")
    panel(page).get_by_role("button", name="Close").click()
    expect(panel(page)).to_be_hidden()
    dashboard.at(path)
    expect(row(page, "Task 58")).to_be_focused()


def test_every_list_has_it(open_dashboard: Open, filled: Server) -> None:
    dashboard = open_dashboard("/")
    page = dashboard.page
    for path in ["/", "/events", "/projects/panel/board"]:
        dashboard.go(path)
        row(page, "Task 59").first.click()
        shows(page, "Task 59")


def test_enter_and_clicks_for_another_tab_open_a_page(open_dashboard: Open, filled: Server) -> None:
    dashboard = open_dashboard("/projects/panel")
    page = dashboard.page
    with page.context.expect_page() as opened:
        row(page, "Task 59").click(modifiers=["ControlOrMeta"])
    opened.value.close()
    expect(panel(page)).to_be_hidden()
    row(page, "Task 59").press("Enter")
    dashboard.at("/projects/panel/tasks/t59")
    dashboard.heading("Task 59")


def test_without_room_a_click_opens_a_page(open_dashboard: Open, filled: Server) -> None:
    dashboard = open_dashboard("/projects/panel", viewport={"width": 1199, "height": 800})
    page = dashboard.page
    row(page, "Task 59").click()
    dashboard.at("/projects/panel/tasks/t59")
    page.go_back()
    page.set_viewport_size({"width": 1200, "height": 800})
    row(page, "Task 59").click()
    shows(page, "Task 59")
    page.set_viewport_size({"width": 1199, "height": 800})
    expect(panel(page)).to_be_hidden()
    page.set_viewport_size({"width": 1440, "height": 800})
    shows(page, "Task 59")


def test_space_opens_it_and_escape_leads_back_to_its_row(
    open_dashboard: Open, filled: Server
) -> None:
    dashboard = open_dashboard("/projects/panel")
    page = dashboard.page
    expect(row(page, "Task 59")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(row(page, "Task 58")).to_be_focused()
    page.keyboard.press("Space")
    shows(page, "Task 58")
    expect(panel(page).get_by_role("heading", level=2, name="Task 58")).to_be_focused()
    page.keyboard.press("j")
    expect(row(page, "Task 57")).to_be_focused()
    page.keyboard.press("Space")
    shows(page, "Task 57")
    page.keyboard.press("Escape")
    expect(panel(page)).to_be_hidden()
    expect(row(page, "Task 57")).to_be_focused()
    page.keyboard.press("Space")
    shows(page, "Task 57")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    expect(panel(page)).to_be_hidden()


def test_back_restores_the_panel_and_where_one_was(open_dashboard: Open, filled: Server) -> None:
    dashboard = open_dashboard("/projects/panel")
    page = dashboard.page
    dashboard.is_settled()
    page.locator("virtual-list").evaluate("list => list.scrollTo(0, 900)")
    row(page, "Task 35").click()
    shows(page, "Task 35")
    page.keyboard.press("Space")  # closes
    page.keyboard.press("Space")  # opens, with the focus in it
    panel(page).get_by_role("link", name="Open as a page").click()
    dashboard.at("/projects/panel/tasks/t35")
    page.go_back()
    shows(page, "Task 35")
    expect(row(page, "Task 35")).to_be_focused()
    until(page, "() => document.querySelector('virtual-list').scrollTop === 900")


def test_any_name_can_be_shown(open_dashboard: Open, filled: Server) -> None:
    dashboard = open_dashboard("/tasks?project=org%2Fpanel")
    page = dashboard.page
    page.locator("task-row .row-link").click()
    heading = panel(page).get_by_role("heading", level=2)
    expect(heading.first).to_have_text(HOSTILE)
    page.reload()
    expect(heading.first).to_have_text(HOSTILE)
    dashboard.go("/tasks?task=%25E0%25A4%25A/%00")
    expect(panel(page)).to_contain_text("There is no task")


# "[" and "]" of an English keyboard, and the same keys of a Russian one.
LAYOUTS = {"English": ("[", "]"), "Russian": ("х", "ъ")}
PRESS = """([key, code]) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true }))"""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_brackets_lead_from_failure_to_failure(
    open_dashboard: Open, filled: Server, layout: str
) -> None:
    before, after = LAYOUTS[layout]
    dashboard = open_dashboard("/projects/panel")
    page = dashboard.page
    expect(row(page, "Task 59")).to_be_visible()

    def press(key: str) -> None:
        code = "BracketLeft" if key == before else "BracketRight"
        page.evaluate(PRESS, [key, code])

    press(after)
    expect(row(page, "Task 45")).to_be_focused()
    press(after)
    expect(row(page, "Task 25")).to_be_focused()
    press(after)
    expect(row(page, "Task 5")).to_be_focused()
    press(after)
    expect(page.locator(".notice")).to_contain_text("No further task")
    expect(row(page, "Task 5")).to_be_focused()
    page.keyboard.press("Space")
    shows(page, "Task 5")
    press(before)
    shows(page, "Task 25")
    expect(panel(page).get_by_role("heading", level=2, name="Task 25")).to_be_focused()
    expect(row(page, "Task 25")).to_have_attribute("aria-current", "true")
    row(page, "Task 25").press("Enter")
    dashboard.heading("Task 25")
    press(before)
    dashboard.heading("Task 45")
    press(after)
    dashboard.heading("Task 25")


def test_brackets_keep_to_the_list_that_one_came_from(open_dashboard: Open, filled: Server) -> None:
    dashboard = open_dashboard("/tasks?project=panel&q=%22Task+5%22&sort_by=title&sort_order=asc")
    page = dashboard.page
    row(page, "Task 5").press("Enter")
    dashboard.heading("Task 5")
    page.keyboard.press("]")
    expect(page.locator(".notice")).to_contain_text("No further task")
    dashboard.go("/projects/panel/tasks/t5")  # from nowhere: its project's
    page.keyboard.press("[")
    dashboard.heading("Task 25")


def test_brackets_find_failures_far_away_in_a_long_list(
    server: Server, open_dashboard: Open
) -> None:
    reports = [
        {
            "kind": "error" if number in (3, 222) else "start",
            "project": "long", "task": f"Task {number}", "task_id": f"t{number}", "agent": "codex",
            **({"error_type": "E", "error_message": "broken"} if number in (3, 222) else {}),
        }
        for number in range(450)
    ]  # fmt: skip
    server.http.post("/webhook/batch", json={"reports": reports}).raise_for_status()
    for by in ("started_at", "title"):
        page = open_dashboard(f"/tasks?sort_by={by}&sort_order=asc", server=server).page
        expect(page.locator("task-row .row-link").first).to_be_visible()
        page.keyboard.press("]")
        first, second = ("Task 3", "Task 222") if by == "started_at" else ("Task 222", "Task 3")
        expect(row(page, first)).to_be_focused()
        page.keyboard.press("]")
        expect(row(page, second)).to_be_focused()
        expect(row(page, second)).to_be_in_viewport()


def test_brackets_lead_through_the_lists_of_now(server: Server, open_dashboard: Open) -> None:
    for name in "abc":
        server.report("start" if name == "b" else "error", "now", name, task=name.upper())
    page = open_dashboard("/", server=server).page
    needs = page.get_by_role("list", name="Needs you")
    expect(needs.locator(".line-link")).to_have_text(["C", "A"])
    page.keyboard.press("]")
    expect(needs.locator(".line-link").first).to_be_focused()
    page.keyboard.press("]")
    expect(needs.locator(".line-link").last).to_be_focused()
    page.keyboard.press("[")
    expect(needs.locator(".line-link").first).to_be_focused()
