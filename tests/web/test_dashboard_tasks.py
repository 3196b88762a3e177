"""The list of all tasks: its line of tokens, figures, saved filters, and whom the focus follows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

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


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/projects/web", ".row-link"),
        ("/projects/web/board", "task-line .line-link"),
        ("/projects/web/timeline", ".lane-bar"),
        ("/timeline", ".lane-bar"),
    ],
)
def test_the_same_line_wherever_there_are_tasks(
    filled: Server, open_dashboard: Open, path: str, names: str
) -> None:
    dashboard = open_dashboard(path, server=filled)
    page = dashboard.page
    line = page.get_by_label("Filter: tokens and words")
    shown = page.locator(names).filter(visible=True)
    expect(shown).to_have_count(4 if path == "/timeline" else 2)
    for typed in ("status:failed,pending agent:codex", "it", "since:2h it"):
        line.fill(typed)
        expect(shown).to_have_text(["Test it"])
    dashboard.at(f"{path}?since=2h&q=it")
    page.reload()
    expect(shown).to_have_text(["Test it"])
    expect(line).to_have_value("since:2h it")
    line.fill("project:api")
    if path == "/timeline":
        expect(shown).to_have_count(2)
        expect(shown.filter(has_text="Test it")).to_have_count(0)
    else:
        expect(page.locator(".tokens-wrong")).to_contain_text("project:api")
        expect(shown).to_have_count(2)
        assert "project=" not in page.url


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


def test_columns_and_density_are_chosen_and_kept(filled: Server, open_dashboard: Open) -> None:
    page = open_dashboard("/tasks", server=filled, viewport={"width": 1440, "height": 800}).page
    row = page.locator("task-row").first

    def columns() -> list[str]:
        heads = page.get_by_role("columnheader").filter(visible=True)
        return [head.strip() for head in heads.all_inner_texts() if head]

    shows(page, "Build the page", "Test it", "Write docs", "Ask")
    assert columns() == ["Status", "Task", "Agent", "Progress", "Started", "Duration", "Cost"]
    assert row.evaluate("row => row.offsetHeight") == 44
    page.get_by_role("button", name="Columns").click()
    dialog = page.get_by_role("dialog", name="Columns")
    dialog.get_by_label("Agent").uncheck()
    dialog.get_by_label("Cost").uncheck()
    dialog.get_by_label("Attempt").check()
    dialog.get_by_label("Compact").check()
    expected = ["Status", "Task", "Progress", "Started", "Attempt", "Duration"]
    assert columns() == expected
    page.keyboard.press("Escape")
    for _ in range(2):
        shows(page, "Build the page", "Test it", "Write docs", "Ask")
        assert columns() == expected
        expect(row.get_by_text("codex")).to_be_hidden()
        tops = page.locator("task-row").evaluate_all(
            "rows => rows.map((row) => row.getBoundingClientRect().top)"
        )
        assert {round(b - a) for a, b in pairwise(tops)} == {32}
        page.reload()


def test_a_line_is_saved_as_a_view(filled: Server, open_dashboard: Open) -> None:
    dashboard = open_dashboard("/tasks", server=filled)
    page = dashboard.page
    views = page.get_by_role("navigation", name="Saved filters")
    save = views.get_by_role("button", name="Save this view")
    expect(save).to_be_hidden()  # there is nothing to save
    line = page.get_by_label("Filter: tokens and words")
    line.fill("status:failed agent:codex")
    shows(page, "Test it")
    save.click()
    name = '<img src=x onerror="alert(1)">'
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    own = views.get_by_role("button", name=name, exact=True)
    expect(own).to_have_attribute("aria-pressed", "true")
    expect(save).to_be_hidden()
    dashboard.go("/tasks")
    shows(page, "Build the page", "Test it", "Write docs", "Ask")
    own.click()
    shows(page, "Test it")
    expect(line).to_have_value("status:failed agent:codex")
    views.get_by_role("button", name="Delete the view").click()
    expect(own).to_have_count(0)
    page.reload()
    shows(page, "Test it")
    expect(own).to_have_count(0)


def test_what_is_no_saved_view_breaks_nothing(filled: Server, open_dashboard: Open) -> None:
    dashboard = open_dashboard("/tasks", server=filled)
    for kept in ("{", "null", '[null, {"name": 1}]'):
        dashboard.page.evaluate("kept => localStorage.setItem('tracker.views', kept)", kept)
        dashboard.go("/tasks")
        shows(dashboard.page, "Build the page", "Test it", "Write docs", "Ask")
