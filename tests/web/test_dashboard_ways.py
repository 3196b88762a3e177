"""Finding one's way: back to where one was, by the keyboard of any layout, from wrong addresses."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard, until
from tests.support.server import Server

Open = Callable[..., Dashboard]

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
# The keys of "g" and "p" on a Russian keyboard; on Dvorak "p" is at another place.
PRESS = """([key, code]) => document.body.dispatchEvent(
  new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true }))"""

# Focus a link in the middle of the page, once what was scrolled is drawn.
CHOOSE = """async () => {
  for (let frame = 0; frame < 5; frame++) await new Promise(requestAnimationFrame);
  const link = [...document.querySelectorAll("main a[data-row]")].find((link) =>
    link.checkVisibility() && link.getBoundingClientRect().top > innerHeight / 2);
  link.focus({ preventScroll: true });
  return [link.getAttribute("href"), link.getBoundingClientRect().top];
}"""


@pytest.fixture(scope="module")
def filled(shared_server: Server) -> Server:
    for number in range(150):
        shared_server.report("start", "ways", f"t{number}", task=f"Task {number}")
    return shared_server


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/", "/projects/ways", "/projects/ways/board", "/events"])
def test_back_leads_to_where_one_was(open_dashboard: Open, filled: Server, path: str) -> None:
    dashboard = open_dashboard(path)
    page = dashboard.page
    dashboard.is_settled()
    rows = page.locator("main a[data-row]:visible")
    expect(rows.nth(15)).to_be_attached()
    rows.nth(15).evaluate("row => row.scrollIntoView({block: 'start'})")
    address, top = page.evaluate(CHOOSE)
    page.keyboard.press("Enter")
    dashboard.at(str(address))
    page.go_back()
    expect(page.locator(f"main a[href='{address}']").first).to_be_focused()
    until(
        page,
        "([address, top]) => Math.abs(document.querySelector(`main a[href='${address}']`)"
        ".getBoundingClientRect().top - top) < 3",
        arg=[address, top],
    )


@pytest.mark.browser
def test_a_new_page_begins_at_its_top(open_dashboard: Open, filled: Server) -> None:
    dashboard = open_dashboard("/projects/ways")
    page = dashboard.page
    dashboard.is_settled()
    page.locator("virtual-list").evaluate("list => list.scrollTo(0, 1000)")
    page.get_by_role("link", name="Tasks", exact=True).first.click()
    page.get_by_role("link", name="By project").click()
    dashboard.heading("Projects")
    page.get_by_role("link", name="ways", exact=True).last.click()
    dashboard.heading("ways")
    dashboard.is_settled()
    assert page.locator("virtual-list").evaluate("list => list.scrollTop") == 0


@pytest.mark.browser
def test_keys_work_on_other_layouts(open_dashboard: Open) -> None:
    dashboard = open_dashboard()
    page = dashboard.page

    def press(*keys: tuple[str, str]) -> None:
        for key, code in keys:
            page.evaluate(PRESS, [key, code])

    press(("п", "KeyG"), ("ы", "KeyS"))  # Russian
    dashboard.heading("Insights")
    press((".", "Slash"))
    expect(page.get_by_role("combobox", name="Search")).to_be_focused()
    page.keyboard.press("Escape")
    press(("g", "KeyU"), ("e", "KeyD"))  # Dvorak: where its letters are
    dashboard.heading("Events")
    press(("i", "KeyG"), ("o", "KeyS"))  # Dvorak: "i" and "o", not "g" and "s"
    dashboard.heading("Events")
    press((",", "Slash"))
    expect(page.locator("dialog.help")).to_be_visible()


@pytest.mark.parametrize("path", ["/nowhere", "/projects/p/nothing", "/api/nothing"])
def test_browsers_are_shown_a_page_where_there_is_none(shared_server: Server, path: str) -> None:
    answer = httpx.get(shared_server.url + path, headers=BROWSER)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Content-Security-Policy" in answer.headers
    assert "Accept" in answer.headers["Vary"]
    programs = shared_server.http.get(path)
    assert programs.status_code == 404
    assert programs.json()["error"]["code"] == "NOT_FOUND"
    assert httpx.get(shared_server.url + path).status_code == 401
    assert httpx.post(shared_server.url + path, headers=BROWSER).status_code == 401


@pytest.mark.browser
def test_a_page_where_there_is_none_leads_home(open_dashboard: Open, filled: Server) -> None:
    dashboard = open_dashboard("/nowhere")
    dashboard.heading("Not found")
    dashboard.page.get_by_role("link", name="Go to Now").click()
    dashboard.heading("Now")


@pytest.mark.browser
@pytest.mark.parametrize("tab", ["", "/board", "/timeline"])
def test_an_unknown_project_leads_home(open_dashboard: Open, server: Server, tab: str) -> None:
    dashboard = open_dashboard(f"/projects/not here{tab}", server=server)
    page: Page = dashboard.page
    dashboard.heading("not here")
    expect(page.get_by_text("There is no project of this name")).to_be_visible()
    content = page.get_by_role("group" if tab == "/timeline" else "search")
    expect(content).to_be_hidden()
    server.report("start", "not here", task="Now it is")
    expect(content).to_be_visible()
    expect(page.get_by_text("There is no project of this name")).to_be_hidden()
