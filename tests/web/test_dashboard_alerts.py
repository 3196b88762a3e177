"""What a person is told of at once: by toasts, a notification, the tab and a sound."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.api.test_hooks import heard, send
from tests.support.clocked import ClockedServer
from tests.support.dashboard import WATCHED, Dashboard, low_contrast, until
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

ASKED = "Allow Bash: rm -rf build?"
COUNT_SOUNDS = """
  window.sounds = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) { window.sounds++; start.apply(this, when); };
"""


def path_of(project: str, task_id: str = "task-1") -> str:
    return f"/projects/{quote(project, safe='')}/tasks/{quote(task_id, safe='')}"


def toasts(page: Page) -> Locator:
    return page.get_by_role("status", name="Alerts").locator(".toast:not(.toast-more)")


def fail(server: Server, task_id: str, message: str = "<b>broken</b>", **fields: Any) -> None:
    server.report("error", "p", task_id, task=f"Task {task_id}", error_message=message, **fields)


def ask(server: Server, name: str, text: str | None = ASKED, task_id: str = "asks") -> None:
    server.report("status", "p", task_id, task="Asks", attention=text, attention_id=name)


@pytest.fixture
def watched(open_dashboard: Open, server: Server) -> Dashboard:
    """The settings, in a page whose notifications and sight are this test's."""
    dashboard = open_dashboard("/settings", server=server)
    dashboard.page.context.add_init_script(WATCHED + COUNT_SOUNDS)
    dashboard.page.reload()
    dashboard.is_live()
    dashboard.is_settled()
    return dashboard


def go_away(page: Page, *, away: bool = True) -> None:
    page.evaluate("away => { window.away = away; }", away)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def shown(page: Page) -> list[list[str]]:
    return list(page.evaluate("window.shown.map((one) => one.said)"))


def notified(page: Page, *said: str) -> None:
    """Wait until the newest notification says this."""
    until(page, "said => window.shown.at(-1)?.said.join('\\n') === said", "\n".join(said))


def test_whoever_looks_is_told_by_toasts(open_dashboard: Open, server: Server) -> None:
    dashboard = open_dashboard("/stats", server=server)
    page = dashboard.page
    fail(server, "a/b")
    ask(server, "one", "<i>Which?</i>")
    expect(toasts(page)).to_have_count(2)
    failed, asks = toasts(page).all()
    for part in ("Failed: Task a/b", "p · agent-1", "<b>broken</b>"):
        expect(failed).to_contain_text(part)
    expect(asks).to_contain_text("Needs you: Asks")
    expect(asks).to_contain_text("<i>Which?</i>")
    ask(server, "one", "Other words")  # the same request: nothing new
    failed.get_by_role("button", name="Dismiss").click()
    expect(toasts(page)).to_have_text([re.compile("Which")])
    fail(server, "c")
    expect(toasts(page)).to_have_count(2)
    ask(server, "one", None)  # answered: nobody is needed any more
    expect(toasts(page)).to_have_text([re.compile("Task c")])
    toasts(page).get_by_role("link").click()
    dashboard.at(path_of("p", "c"))
    expect(toasts(page)).to_have_count(0)
    expect(page).to_have_title(re.compile(r"^\w"))


def test_what_is_before_his_eyes_has_no_toast(open_dashboard: Open, server: Server) -> None:
    fail(server, "a")
    dashboard = open_dashboard(path_of("p", "asks"), server=server)
    page = dashboard.page
    ask(server, "one")
    ask(server, "two", "Once more")
    # Whoever cannot see it hears of it, and no more once he has signed out.
    said = page.locator("body > p.sr-only[role=status]")
    expect(said).to_have_text("Needs you: Asks. Once more")
    fail(server, "b")
    expect(toasts(page)).to_have_text([re.compile("Task b")])
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_label("API key")).to_be_visible()
    expect(toasts(page)).to_have_count(0)
    assert "Once more" not in page.content()
    assert "Task b" not in page.content()


def test_silence_is_told_until_it_ends(open_dashboard: Open) -> None:
    clocked = ClockedServer(stale_after=5)
    try:
        clocked.report("start", "p", "quiet", task="Quiet one")
        page = open_dashboard("/stats", server=clocked).page
        clocked.clock.advance(seconds=6)
        expect(toasts(page)).to_contain_text("Gone silent: Quiet one")
        clocked.report("status", "p", "quiet", task="Quiet one")
        expect(toasts(page)).to_have_count(0)
    finally:
        clocked.stop()


def test_the_turn_that_comes_is_told(watched: Dashboard) -> None:
    page, server = watched.page, watched.server
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="Mend it"))
    heard(send(server, "Stop", prompt_id="p", last_assistant_message="Mended"))
    expect(toasts(page)).to_contain_text("Your turn: Mend it")
    page.get_by_role("checkbox", name="Desktop notification").check()
    go_away(page)
    heard(send(server, "UserPromptSubmit", prompt_id="q", prompt="Again"))
    heard(send(server, "Stop", prompt_id="q", last_assistant_message="Mended again"))
    until(page, "() => window.shown.length === 1")
    ((title, body),) = shown(page)
    assert title == "Your turn: Again"
    assert body.endswith("Mended again")


def test_at_most_three_are_shown_and_the_rest_counted(watched: Dashboard) -> None:
    page, server = watched.page, watched.server
    for number in range(7):
        fail(server, f"{number}")
    more = page.get_by_role("link", name="and 4 more")
    expect(more).to_be_visible()
    expect(toasts(page)).to_have_text([re.compile(f"Task {number}") for number in (4, 5, 6)])
    more.click()
    watched.at("/")
    expect(toasts(page)).to_have_count(0)
    fail(server, "later")
    expect(toasts(page)).to_have_text([re.compile("Task later")])
    expect(page.locator(".toast-more")).to_have_count(0)


def test_they_leave_by_themselves_but_not_while_one_is_at_them(
    open_dashboard: Open, server: Server
) -> None:
    page = open_dashboard("/stats", server=server).page
    page.clock.install()
    fail(server, "a")
    toasts(page).hover()
    for number in range(4):  # what is under the pointer stays there
        fail(server, f"{number}")
    expect(page.get_by_text("and 2 more")).to_be_visible()
    page.clock.fast_forward(60_000)
    expect(toasts(page)).to_have_text([re.compile(f"Task {name}") for name in ("a", "0", "1")])
    page.mouse.move(5, 5)
    page.clock.fast_forward(60_000)
    expect(toasts(page)).to_have_count(0)


def test_they_can_be_dismissed_by_the_keyboard(open_dashboard: Open, server: Server) -> None:
    dashboard = open_dashboard("/tasks", server=server)
    page = dashboard.page
    fail(server, "a")
    fail(server, "b")
    expect(toasts(page)).to_have_count(2)
    place = page.locator(".nav-link").first
    place.focus()
    toasts(page).first.get_by_role("link").focus()
    page.keyboard.press("Escape")
    expect(toasts(page)).to_have_text([re.compile("Task b")])
    expect(toasts(page).get_by_role("link")).to_be_focused()
    page.keyboard.press("Escape")
    expect(toasts(page)).to_have_count(0)
    expect(place).to_be_focused()
    fail(server, "c")
    fail(server, "d")
    expect(toasts(page)).to_have_count(2)
    page.keyboard.press("Control+K")  # Escape belongs to the dialog first
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(toasts(page)).to_have_count(2)
    page.keyboard.press("Escape")
    expect(toasts(page)).to_have_count(0)


def test_whoever_is_away_is_told_once_of_all(watched: Dashboard) -> None:
    page, server = watched.page, watched.server
    go_away(page)
    fail(server, "unasked")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    go_away(page, away=False)
    expect(page).to_have_title(re.compile(r"^\w"))
    assert shown(page) == []
    page.get_by_role("checkbox", name="Desktop notification").check()
    go_away(page)
    fail(server, "a")
    notified(page, "Failed: Task a", "p · agent-1 · <b>broken</b>")
    ask(server, "one")
    ask(server, "one", "Other words")
    notified(page, "2 alerts", "Needs you: Asks", "Failed: Task a")
    for name in ("b", "c"):
        fail(server, name)
    ask(server, "one", None)  # nobody has to be told of it any more
    notified(page, "3 alerts", "Failed: Task c", "Failed: Task b", "Failed: Task a")
    ask(server, "one", "Once more")
    notified(page, "4 alerts", "Needs you: Asks", "Failed: Task c", "Failed: Task b", "and 1 more")
    expect(page).to_have_title(re.compile(r"^\(5\) "))
    assert set(page.evaluate("window.shown.map((one) => one.tag)")) == {"tracker"}
    expect(toasts(page)).to_have_count(0)
    page.evaluate("window.shown.at(-1).onclose()")  # put away
    fail(server, "d")
    notified(page, "Failed: Task d", "p · agent-1 · <b>broken</b>")
    fail(server, "d", "again")  # a task that fails again and again is one
    notified(page, "Failed: Task d", "p · agent-1 · again")
    go_away(page, away=False)
    assert page.evaluate("window.shown.at(-1).isClosed")
    page.evaluate("window.shown.at(-3).onclick()")
    watched.at("/")
    page.evaluate("window.shown.at(-1).onclick()")
    watched.at("/projects/p/tasks/d")


def test_what_comes_together_is_one_notification(watched: Dashboard) -> None:
    page, server = watched.page, watched.server
    page.get_by_role("checkbox", name="Desktop notification").check()
    go_away(page)
    reports = [
        {"project": "p", "task": f"Task {n}", "task_id": f"{n}", "agent": "a"} for n in range(5)
    ]
    for report in reports:
        server.http.post("/webhook/error", json={**report, "error_type": "E", "error_message": "m"})
    until(page, "() => window.shown.length > 0")
    expect(page).to_have_title(re.compile(r"^\(5\) "))
    assert shown(page)[-1][0] == "5 alerts"
    assert shown(page)[-1][1].endswith("and 2 more")


def test_what_was_only_unheard_is_not_told(watched: Dashboard) -> None:
    page, server = watched.page, watched.server
    page.context.set_offline(True)
    expect(page.locator(".state")).to_contain_text("Offline since")
    fail(server, "meanwhile")
    page.context.set_offline(False)
    watched.is_live()
    expect(page.locator(".tally-failed strong")).to_have_text("1")  # it has arrived
    fail(server, "then")
    expect(toasts(page)).to_have_text([re.compile("Task then")])
    go_away(page)
    page.context.set_offline(True)
    expect(page.locator(".state")).to_contain_text("Offline since")
    fail(server, "meanwhile too")
    page.context.set_offline(False)
    watched.is_live()
    fail(server, "then too")
    expect(page).to_have_title(re.compile(r"^\(1\) "))


def test_what_a_person_has_done_is_not_told_to_people(open_dashboard: Open, server: Server) -> None:
    for name in ("by hand", "seen"):
        server.report("start", "p", name, task=f"Task {name}")
    ask(server, "one", ASKED, "seen")
    server.http.post("/api/projects/p/tasks/seen/acknowledge").raise_for_status()
    dashboard = open_dashboard("/tasks", server=server)
    page = dashboard.page
    fail(server, "interrupted", error_type="Interrupted")
    act = server.http.post("/api/projects/p/tasks/by%20hand/fail", json={"reason": "stuck"})
    act.raise_for_status()
    server.report("status", "p", "seen", task="Task seen", progress=5)
    ask(server, "two", "Then?", "other")
    server.http.post("/api/projects/p/tasks/other/snooze", json={"minutes": 15}).raise_for_status()
    expect(page.get_by_role("row").filter(has_text="Task by hand")).to_contain_text("Failed")
    fail(server, "told")
    expect(toasts(page)).to_have_text([re.compile("Task told")])


def test_the_icon_of_the_tab_counts_what_needs_a_person(watched: Dashboard) -> None:
    page, server = watched.page, watched.server
    link = page.locator("link[rel=icon]")
    expect(link).to_have_attribute("href", re.compile(r"/icon\.svg$"))
    go_away(page)  # out of sight, too
    ask(server, "one")
    fail(server, "a")
    expect(link).to_have_attribute("href", re.compile(r"/icon-of-2\.svg$"))
    icon = server.http.get(str(link.get_attribute("href")))
    assert icon.headers["Content-Type"] == "image/svg+xml"
    assert ">2</text>" in icon.text
    for number in range(8):
        fail(server, f"{number}")
    expect(link).to_have_attribute("href", re.compile(r"/icon-more\.svg$"))
    assert server.http.get(str(link.get_attribute("href"))).status_code == 200
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(link).to_have_attribute("href", re.compile(r"/icon\.svg$"))


def test_a_sound_is_made_for_whoever_wants_it(watched: Dashboard) -> None:
    page, server = watched.page, watched.server
    fail(server, "unasked")
    expect(toasts(page)).to_have_count(1)
    assert page.evaluate("window.sounds") == 0
    page.get_by_role("checkbox", name="sound").check()
    heard_once = page.evaluate("window.sounds")
    assert heard_once > 0
    fail(server, "asked")
    expect(toasts(page)).to_have_count(2)
    assert page.evaluate("window.sounds") == 2 * heard_once
    go_away(page)
    fail(server, "away")
    until(page, "once => window.sounds === 3 * once", heard_once)
    # A browser plays none before he has done anything on a page.
    never = (
        "Object.defineProperty(navigator, 'userActivation', { value: { hasBeenActive: false } })"
    )
    page.context.add_init_script(never)
    page.reload()
    watched.is_live()
    fail(server, "reloaded")
    expect(toasts(page).filter(has_text="Task reloaded")).to_be_visible()
    assert page.evaluate("window.sounds") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_toasts_can_be_read_on_a_phone(open_dashboard: Open, server: Server, theme: str) -> None:
    dashboard = open_dashboard(
        "/stats", server=server, viewport={"width": 360, "height": 740}, color_scheme=theme
    )
    page = dashboard.page
    ask(server, "one", "Unbroken" * 120)
    server.report("error", "p" * 255, "x" * 255, task="Long" * 120, error_message="m" * 3000)
    expect(toasts(page)).to_have_count(2)
    assert low_contrast(page) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    for toast in toasts(page).all():
        box = toast.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["height"] < 200
