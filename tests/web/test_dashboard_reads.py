"""How often the page asks the server, and what it shows while that does not answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.support.dashboard import WATCHED, Dashboard
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

VIEWS = ("/", "/projects", "/projects/p", "/projects/p/board", "/projects/p/timeline", "/stats")

# The server's default limit leaves five pages this much, each minute.
MOST_READS = 200
EVENTS_PER_SECOND = 20


class Refusal:
    """A page's reads are refused with this status until `over`. `asked`: which, in order."""

    def __init__(self, page: Page, status: int, pattern: str = "**/api/**", **headers: str) -> None:
        self._status = status
        self._headers = headers
        self.asked: list[str] = []
        self.over = False
        page.route(pattern, self._answer)

    def _answer(self, route: Route) -> None:
        self.asked.append(route.request.url)
        if self.over:
            route.fallback()
        else:
            route.fulfill(
                status=self._status,
                headers=self._headers,
                json={"error": {"code": "X", "message": "Come back later."}},
            )


def reads(page: Page) -> list[str]:
    """The page's reads from now on."""
    found: list[str] = []

    def note(request: Request) -> None:
        if "/api/" in request.url:
            found.append(request.url)

    page.on("request", note)
    return found


@pytest.mark.parametrize(("path", "status"), [*zip(VIEWS, 3 * [429, 503], strict=True)])
def test_a_refused_read_keeps_what_is_shown_and_is_made_up_for(
    open_dashboard: Open, server: Server, path: str, status: int
) -> None:
    server.report("start", "p", "one", task="Kept in sight")
    dashboard = open_dashboard(path, server=server)
    page = dashboard.page
    dashboard.is_settled()
    shown = page.locator("main").get_by_text("Kept in sight").count()
    refusal = Refusal(page, status)
    server.report("start", "p", "two", task="The second")
    problem = page.get_by_role("alert").filter(has_text="Come back later.")
    expect(problem).to_contain_text("What is shown is from before")
    assert page.locator("main").get_by_text("Kept in sight").count() == shown
    expect(page.locator("main .empty-note:visible").filter(has_text="No tasks")).to_have_count(0)
    refusal.over = True
    expect(problem).to_have_count(0)


def test_a_view_that_was_refused_from_the_start_shows_nothing_as_nothing(
    open_dashboard: Open, server: Server
) -> None:
    server.report("start", "p", "one", task="It is there")
    dashboard = open_dashboard("/settings", server=server)
    refusal = Refusal(dashboard.page, 503)
    dashboard.page.get_by_role("link", name="Tasks", exact=True).first.click()
    expect(dashboard.page.get_by_text("Come back later.")).to_be_visible()
    expect(dashboard.page.locator("main .empty-note:visible")).to_have_count(0)
    refusal.over = True
    expect(dashboard.page.locator("task-row").get_by_text("It is there")).to_be_visible()
    expect(dashboard.page.locator(".problem")).to_have_count(0)


def test_a_pause_that_the_server_asks_for_is_kept_by_all_reads(
    open_dashboard: Open, server: Server
) -> None:
    server.report("start", "p", "one", task="It is there")
    dashboard = open_dashboard("/stats", server=server)
    page = dashboard.page
    dashboard.is_settled()
    refusal = Refusal(page, 429, **{"Retry-After": "3600"})
    server.report("finish", "p", "one")
    expect(page.get_by_text("Come back later.")).to_be_visible()
    asked = len(refusal.asked)
    page.get_by_role("link", name="Settings").click()
    dashboard.heading("Settings")
    page.get_by_role("link", name="Tasks", exact=True).first.click()
    dashboard.heading("Tasks")
    assert len(refusal.asked) == asked


def test_a_problem_goes_with_the_restart_that_made_it(
    open_dashboard: Open, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    server.report("start", "p", "one", task="It is there")
    dashboard = open_dashboard("/", server=server)
    page = dashboard.page
    server.stop()
    expect(page.locator(".state")).to_contain_text("Offline since")
    for path in ("/stats", "/projects"):
        page.evaluate("path => history.pushState(null, '', path)", path)
        page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
        expect(page.locator(".problem")).to_be_visible()
    start_server("--db", str(server.database), "--port", str(server.ready["port"]))
    dashboard.is_live()
    expect(page.locator(".problem")).to_have_count(0)
    expect(page.get_by_role("link", name="p", exact=True).first).to_be_visible()


def test_what_has_not_changed_is_not_sent_again(open_dashboard: Open, server: Server) -> None:
    server.report("start", "p", "one", task="It is there")
    page = open_dashboard("/projects", server=server).page
    for _ in range(2):
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("link", name="Tasks", exact=True).first.click()
        page.get_by_role("link", name="By project").click()
        expect(page.locator("project-card")).to_have_count(1)
    sizes = page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter(({name}) => name.includes('activity_days'))"
        ".map(({transferSize, encodedBodySize}) => [transferSize, encodedBodySize])"
    )
    assert len(sizes) == 3
    first, *others = sizes
    assert first[0] > first[1] > 0
    assert all(transferred < first[0] for transferred, _ in others), sizes


def test_a_hidden_page_reads_nothing_until_it_is_looked_at(
    open_dashboard: Open, server: Server
) -> None:
    server.report("start", "p", "one", task="It is there")
    dashboard = open_dashboard("/projects/p/board", server=server)
    page = dashboard.page
    page.context.add_init_script(WATCHED)
    page.reload()
    dashboard.is_live()
    dashboard.is_settled()
    page.evaluate("window.away = true")
    asked = reads(page)
    server.report("error", "p", "other", task="Unseen")
    expect(page).to_have_title(re.compile(r"^\(1\) "))  # it follows the log all the same
    assert asked == []
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("task-line").filter(has_text="Unseen")).to_be_visible()
    assert asked


def test_five_busy_pages_leave_the_limit_to_others(open_dashboard: Open, server: Server) -> None:
    server.report("start", "p", "one", task="It is there")
    dashboards = [open_dashboard("/projects/p/board", server=server) for _ in range(5)]

    def send(seconds: int) -> None:
        begun = time.monotonic()
        for number in range(EVENTS_PER_SECOND * seconds):
            server.report("status", "p", "one", progress=number % 100)
            dashboards[0].page.wait_for_timeout(  # the pace, and the time that Playwright needs
                max(0.0, begun + (number + 1) / EVENTS_PER_SECOND - time.monotonic()) * 1000
            )

    send(8)  # what a page may read at once is used up
    asked = [reads(dashboard.page) for dashboard in dashboards]
    begun = time.monotonic()
    send(20)  # a board is read in one go of several reads, and then waits for as long
    minutes = (time.monotonic() - begun) / 60
    counts = [len(of_page) for of_page in asked]
    assert all(counts)
    assert sum(counts) <= MOST_READS * minutes, counts
