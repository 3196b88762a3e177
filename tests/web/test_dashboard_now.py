"""Now: what needs a person and what can be done about it, agents at work, what ended last."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.api.test_hooks import heard, send
from tests.support.clocked import ClockedServer
from tests.support.dashboard import Dashboard, Held, low_contrast, until
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


def needs(page: Page) -> Locator:
    return page.get_by_role("list", name="Needs you").locator("need-line")


def titles(lines: Locator) -> Locator:
    return lines.locator(".line-link")


def test_what_needs_a_person_comes_newest_first(open_dashboard: Open, server: Server) -> None:
    dashboard = open_dashboard("/", server=server)
    page = dashboard.page
    server.report("start", "p", "fine", task="Fine")
    expect(page.get_by_text("Nothing needs you.")).to_be_visible()
    server.report("error", "p", "bad", task="Bad", error_type="Saw", error_message="broke")
    server.report("error", "p", "cut", task="Cut short", error_type="Interrupted")
    server.report("status", "p", "asks", task="Asks", attention="Which <b>branch</b>?")
    server.report("start", "p", "slow", task="Slow", metadata={"estimated_duration": 0.001})
    expect(titles(needs(page))).to_have_text(["Slow", "Asks", "Bad"])
    expect(needs(page).locator(".line-status")).to_have_text(["Overdue", "Needs you", "Failed"])
    expect(needs(page).nth(1)).to_contain_text("Which <b>branch</b>?")
    expect(needs(page).nth(2)).to_contain_text("Saw: broke")
    server.report("finish", "p", "slow", task="Slow")
    server.report("status", "p", "asks", task="Asks", message="goes on")
    server.report("start", "p", "bad", task="Bad")
    expect(needs(page)).to_have_count(0)
    expect(page.get_by_text("Nothing needs you.")).to_be_visible()


def test_what_one_does_shows_in_all_pages(open_dashboard: Open, server: Server) -> None:
    for name in ("one", "two", "three"):
        server.report("error", "p", name, task=name)
    server.report("start", "p", "gone", task="gone", metadata={"estimated_duration": 0.001})
    first, second = (open_dashboard(server=server).page for _ in range(2))
    for page in (first, second):
        expect(needs(page)).to_have_count(4)
        expect(page.locator(".tally-failed strong")).to_have_text("3")
    line = needs(first).filter(has_text="two")
    line.get_by_role("button", name="Acknowledge").click()
    for page in (first, second):
        expect(titles(needs(page))).to_have_text(["gone", "three", "one"])
        expect(page.locator(".tally-failed strong")).to_have_text("2")
    needs(second).last.get_by_role("button", name="Snooze").click()
    second.get_by_role("button", name="15 minutes").click()
    for page in (first, second):
        expect(titles(needs(page))).to_have_text(["gone", "three"])
    until = datetime.fromisoformat(server.task("p", "one")["snoozed_until"])
    assert timedelta(minutes=14) < until - datetime.now(UTC) < timedelta(minutes=15)
    needs(first).filter(has_text="gone").get_by_role("button", name="Mark as failed").click()
    dialog = first.get_by_role("alertdialog", name="Mark as failed")
    dialog.get_by_label("Why").fill("")
    dialog.get_by_role("button", name="Mark as failed").click()
    expect(dialog.get_by_label("Why")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Why").fill("The machine is gone")
    dialog.get_by_role("button", name="Mark as failed").click()
    for page in (first, second):
        expect(titles(needs(page))).to_have_text(["three"])
        ended = page.get_by_role("list", name="Failed lately")
        expect(ended).to_contain_text("FailedByHand: The machine is gone")
    first.reload()
    expect(titles(needs(first))).to_have_text(["three"])
    server.report("start", "p", "two", task="two")
    server.report("error", "p", "two", task="two")  # something new to see to
    for page in (first, second):
        expect(titles(needs(page))).to_have_text(["two", "three"])


def test_a_turn_is_seen_to_by_its_task(open_dashboard: Open, server: Server) -> None:
    def turn(prompt: str) -> None:
        heard(send(server, "UserPromptSubmit", prompt_id=prompt, prompt=f"Do {prompt}"))
        heard(send(server, "Stop", prompt_id=prompt, last_assistant_message=f"Did {prompt}"))

    turn("one")
    for number in range(60):  # so that the turn's task is none of those that ended last
        server.report("finish", "p", str(number))
    first, second = (open_dashboard(server=server).page for _ in range(2))
    for page in (first, second):
        expect(titles(needs(page))).to_have_text(["Do one"])
        expect(needs(page)).to_contain_text("Your turn")
        expect(needs(page)).to_contain_text("Did one")
        expect(needs(page).get_by_role("button", name="Mark as failed")).to_have_count(0)
    needs(first).get_by_role("button", name="Acknowledge").click()
    for page in (first, second):
        expect(needs(page)).to_have_count(0)
    first.reload()
    expect(first.get_by_text("Nothing needs you.")).to_be_visible()
    turn("two")
    for page in (first, second):
        expect(titles(needs(page))).to_have_text(["Do two"])
    needs(second).get_by_role("button", name="Snooze").click()
    second.get_by_role("button", name="15 minutes").click()
    for page in (first, second):
        expect(needs(page)).to_have_count(0)
    server.http.delete("/api/projects/app/tasks/s%2Ftwo/snooze").raise_for_status()
    for page in (first, second):
        expect(titles(needs(page))).to_have_text(["Do two"])


def test_all_of_it_by_the_keyboard(open_dashboard: Open, server: Server) -> None:
    for number in range(3):
        server.report("error", "p", str(number), task=f"Task {number}", error_message="It broke")
    server.report("status", "p", "asks", task="Asks", attention="Go on?")
    page = open_dashboard(server=server, permissions=["clipboard-read", "clipboard-write"]).page
    expect(needs(page)).to_have_count(4)
    page.keyboard.press("j")
    expect(titles(needs(page)).first).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("Tab")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(titles(needs(page)).first).to_have_text("Task 2")
    expect(titles(needs(page)).first).to_be_focused()  # what takes the place of the one that left
    page.keyboard.press("c")
    until(
        page, "async () => (await navigator.clipboard.readText()).includes('The task below failed')"
    )
    page.keyboard.press("z")
    expect(page.get_by_role("button", name="15 minutes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(titles(needs(page))).to_have_text(["Task 1", "Task 0"])
    page.keyboard.press("a")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", level=1)).to_have_text("Insights")


def test_who_may_only_read_is_offered_no_deeds(open_dashboard: Open, server: Server) -> None:
    server.report("error", "p", task="Bad")
    key = server.http.post("/api/keys", json={"name": "eye", "role": "read"}).json()["key"]
    page = open_dashboard(server=server, key=key).page
    expect(needs(page).get_by_role("button")).to_have_count(1)
    expect(needs(page).get_by_role("button")).to_have_accessible_name("Copy as prompt")


def test_what_is_refused_says_so_in_its_row(open_dashboard: Open, server: Server) -> None:
    server.report("error", "p", task="Bad")
    page = open_dashboard(server=server).page
    expect(needs(page)).to_have_count(1)
    page.route("**/acknowledge", lambda route: route.abort())
    needs(page).get_by_role("button", name="Acknowledge").click()
    expect(needs(page).get_by_role("alert")).to_have_text("The server cannot be reached.")


def test_agents_have_below_them_what_they_started(open_dashboard: Open, server: Server) -> None:
    usage = {"model": "m", "input_tokens": 10, "cost_usd": 0.25}
    server.report("start", "p", "lead", task="Lead", session="s 1", usage=usage)
    server.report("start", "p", "other", task="Other")
    server.report("start", "p", "part", task="Part", parent_task_id="lead")
    server.report("start", "p", "piece", task="Piece", parent_task_id="part")
    for a, b in (("x", "y"), ("y", "x")):  # a circle
        server.report("start", "p", a, task=a, parent_task_id=b)
    page = open_dashboard(server=server).page
    agents = page.get_by_role("list", name="Agents").locator("agent-line")
    expect(agents).to_have_count(6)
    shown = [
        (line.locator(".line-link").inner_text(), line.get_attribute("aria-level"))
        for line in agents.all()
    ]
    # What none has started comes first, the newest of it at the top; circles are cut.
    tree = [("Other", "1"), ("Lead", "1"), ("Part", "2"), ("Piece", "3")]
    assert shown == [*tree, ("y", "1"), ("x", "2")]
    lead = agents.filter(has_text="Lead")
    expect(lead).to_contain_text("$0.25")
    expect(lead).to_contain_text(re.compile("Last report"))
    expect(lead.get_by_role("img", name="The last 60 minutes")).to_be_attached()
    server.report("finish", "p", "lead", task="Lead")
    expect(agents.filter(has_text="Part")).to_have_attribute("aria-level", "1")
    expect(page.get_by_role("link", name="Session s 1")).to_have_count(0)


def test_agents_out_of_sight_are_there_and_say_the_newest_when_they_are_seen(
    open_dashboard: Open, server: Server
) -> None:
    for number in range(80):
        server.report("start", "p", f"t{number}", task=f"Task {number}")
    page = open_dashboard(server=server).page
    agents = page.get_by_role("list", name="Agents")
    expect(agents.locator(".line-link")).to_have_count(80)  # for the browser's search
    first, last = agents.locator("agent-line").first, agents.locator("agent-line").last
    height = agents.evaluate("list => list.scrollHeight")
    for number in (0, 79):
        server.report("status", "p", f"t{number}", progress=40, message="On its way")
    expect(first).to_contain_text("On its way")
    last.scroll_into_view_if_needed()
    expect(last).to_contain_text("On its way")
    expect(last.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "40")
    page.evaluate(
        "getSelection().selectAllChildren(document.querySelector('agent-line .line-words'))"
    )
    server.report("status", "p", "t79", progress=41, message="On its way, further")
    expect(first).to_contain_text("further")
    assert page.evaluate(
        "getSelection().containsNode(document.querySelector('agent-line .line-words'), true)"
    )
    assert agents.evaluate("list => list.scrollHeight") == pytest.approx(height, rel=0.01)


def test_successes_are_folded_and_failures_are_not(open_dashboard: Open, server: Server) -> None:
    for number in range(12):
        server.report("finish", "p", f"d{number}", task=f"Done {number}")
    server.report("error", "p", "bad", task="Bad")
    server.report("error", "p", "cut", task="Cut", error_type="Interrupted")
    dashboard = open_dashboard(server=server)
    page = dashboard.page
    expect(titles(page.get_by_role("list", name="Failed lately"))).to_have_text(["Cut", "Bad"])
    expect(page.locator(".fold summary")).to_have_text("12 completed")
    expect(page.get_by_text("Done 11")).to_be_hidden()
    expect(page.locator(".figure-completed dd")).to_have_text("12")
    page.locator(".fold summary").click()
    expect(page.get_by_text("Done 11")).to_be_visible()
    dashboard.go("/")  # it stays open
    expect(page.get_by_text("Done 11")).to_be_visible()
    server.report("finish", "p", "d12", task="Done 12")
    expect(page.locator(".fold summary")).to_have_text("13 completed")


def test_nothing_is_judged_while_nothing_is_heard(open_dashboard: Open) -> None:
    clocked = ClockedServer()
    try:
        clocked.report("start", "p", "slow", task="Slow", metadata={"estimated_duration": 90})
        dashboard = open_dashboard(server=clocked)
        page = dashboard.page
        dashboard.visit("/settings")
        dashboard.visit("/")
        expect(dashboard.lines("Slow")).to_be_visible()
        page.context.set_offline(True)
        expect(page.locator(".state")).to_have_attribute("data-state", "offline")
        page.evaluate("(now => (Date.now = () => now() + 100_000))(Date.now)")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert needs(page).count() == 0
        assert "Overdue" not in dashboard.lines("Slow").inner_text()
        # Nor where it is drawn anew.
        page.evaluate("history.pushState(null, '', '/settings')")
        page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
        dashboard.heading("Settings")
        page.evaluate("history.pushState(null, '', '/')")
        page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
        expect(dashboard.lines("Slow")).to_be_visible()
        assert "Overdue" not in dashboard.lines("Slow").inner_text()
        assert needs(page).count() == 0
        clocked.clock.advance(seconds=91)
        page.context.set_offline(False)
        dashboard.is_live()
        expect(needs(page).locator(".line-status")).to_have_text("Overdue")
    finally:
        clocked.stop()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_in_russian(open_dashboard: Open, server: Server, theme: str) -> None:
    long = "Unbroken" * 60
    server.report("status", "p", "asks", task=long, attention=long, agent="a" * 255)
    server.report("error", "p", "bad", task=long, error_message=long)
    server.report("finish", "p", "done", task=long)
    server.report("start", "p", "part", parent_task_id="asks", session="s" * 255)
    options = {"viewport": {"width": 360, "height": 740}, "locale": "ru-RU", "color_scheme": theme}
    page = open_dashboard(server=server, **options).page
    expect(page.locator("need-line")).to_have_count(2)
    page.locator(".fold summary").click()
    wide = page.evaluate("document.querySelector('main').scrollWidth > innerWidth")
    assert not wide
    assert low_contrast(page) == []
    button = page.get_by_role("button", name="Принять к сведению").first
    button.scroll_into_view_if_needed()
    expect(button).to_be_in_viewport(ratio=1)


def test_the_page_is_there_before_what_is_read(open_dashboard: Open, server: Server) -> None:
    server.report("start", "p", "a", task="Long")
    dashboard = open_dashboard(server=server)
    page = dashboard.page
    held = Held(page, "**/api/now?*")
    page.reload()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    expect(page.locator(".skeleton")).to_be_visible()
    expect(page.locator(".figure-cost dd")).to_have_text("–")
    held.release()
    expect(dashboard.lines("Long")).to_be_visible()
    expect(page.locator(".figure-cost dd")).to_have_text("$0")


def test_who_has_finished_nothing_has_no_rate(open_dashboard: Open, server: Server) -> None:
    server.report("start", "p", agent="idle")
    dashboard = open_dashboard("/projects/p", server=server)
    rate = dashboard.page.locator(".figure-rate dd")
    expect(dashboard.page.locator(".figure-total dd")).to_have_text("1")
    expect(rate).to_have_text("–")
    server.report("error", "p", agent="idle")
    expect(rate).to_have_text("0 %")
