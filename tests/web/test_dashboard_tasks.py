"""The list of all tasks: its line of tokens, figures, saved filters, and whom the focus follows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard, until
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


@pytest.fixture
def filled(server: Server) -> Server:
    server.report("start", "web", "a", task="Build the page", agent="Claude Code")
    server.report("error", "web", "b", task="Test it", agent="codex", error_type="E")
    server.report("finish", "api", "c", task="Write docs", agent="claude", usage={"cost_usd": 2})
    server.report("status", "api", "d", task="Ask", agent="codex", attention="May I?")
    return server


def titles(page: Page) -> set[str]:
    return set(page.locator("task-row .row-link").all_inner_texts())


def shows(page: Page, *expected: str) -> None:
    until(
        page,
        """titles => [...document.querySelectorAll("task-row:not(.is-loading) .row-link")]
        .map((link) => link.textContent).sort().join() === titles.join()""",
        arg=sorted(expected),
    )


def test_one_line_chooses_among_all_tasks(filled: Server, open_dashboard: Open) -> None:
    dashboard = open_dashboard("/tasks", server=filled)
    page = dashboard.page
    shows(page, "Build the page", "Test it", "Write docs", "Ask")
    line = page.get_by_label("Filter: tokens and words")
    for typed, expected in {
        "status:failed": {"Test it"},
        "agent:claude project:web": {"Build the page"},
        'agent:"Claude Code"': {"Build the page"},
        "cost:>1": {"Write docs"},
        "is:waiting": {"Ask"},
        "docs": {"Write docs"},
        "status:running,failed since:2h": {"Build the page", "Test it", "Ask"},
    }.items():
        line.fill(typed)
        shows(page, *expected)
        expect(page.locator(".figure-total dd")).to_have_text(str(len(expected)))
    dashboard.at("/tasks?status=running%2Cfailed&since=2h")
    page.reload()
    expect(line).to_have_value("status:running,failed since:2h")
    shows(page, "Build the page", "Test it", "Ask")


def test_a_token_that_is_none_is_told_and_changes_nothing_else(
    filled: Server, open_dashboard: Open
) -> None:
    page = open_dashboard("/tasks", server=filled).page
    line = page.get_by_label("Filter: tokens and words")
    line.fill("status:broken colour:red agent:codex")
    expect(page.locator(".tokens-wrong")).to_contain_text("status:broken colour:red")
    expect(line).to_have_attribute("aria-invalid", "true")
    shows(page, "Test it", "Ask")
    line.fill("agent:codex")
    expect(page.locator(".tokens-wrong")).to_be_empty()


def test_tokens_are_completed(filled: Server, open_dashboard: Open) -> None:
    page = open_dashboard("/tasks", server=filled).page
    page.get_by_label("Filter: tokens and words").press_sequentially("build agent:")
    expect(page.locator("#tokens option[value='build agent:codex']")).to_be_attached()
    expect(page.locator("#tokens option").nth(0)).to_be_attached()
    values = page.locator("#tokens option").evaluate_all("all => all.map((one) => one.value)")
    assert 'build agent:"Claude Code"' in values


def test_saved_filters(filled: Server, open_dashboard: Open) -> None:
    dashboard = open_dashboard("/tasks", server=filled)
    button = dashboard.page.get_by_role("button", name="Waiting for a person")
    button.click()
    shows(dashboard.page, "Ask")
    expect(button).to_have_attribute("aria-pressed", "true")
    dashboard.at("/tasks?attention=1")


def test_the_focus_follows_the_task(filled: Server, open_dashboard: Open) -> None:
    """Not the place in the list, when others come before it."""
    dashboard = open_dashboard("/tasks", server=filled)
    page = dashboard.page
    shows(page, "Build the page", "Test it", "Write docs", "Ask")
    for _ in range(3):
        page.keyboard.press("j")
    held = page.evaluate("document.activeElement.textContent")
    for number in range(3):
        filled.report("start", "new", f"n{number}", task=f"New {number}")
    expect(page.locator("task-row")).to_have_count(7)
    assert page.evaluate("document.activeElement.textContent") == held
    page.keyboard.press("Enter")
    dashboard.heading(held)


def test_what_is_chosen_stays_while_a_read_fails(filled: Server, open_dashboard: Open) -> None:
    page = open_dashboard("/tasks", server=filled).page
    shows(page, "Build the page", "Test it", "Write docs", "Ask")
    page.route("**/api/tasks?*", lambda route: route.fulfill(status=503, body="{}"))
    filled.report("start", "new", "n", task="New")
    expect(page.locator(".problem")).to_be_visible()
    assert {"Build the page", "Test it"} <= titles(page)
    page.unroute("**/api/tasks?*")
    expect(page.locator(".problem")).to_be_hidden()
    shows(page, "New", "Build the page", "Test it", "Write docs", "Ask")
