"""Insights: what ended in the viewer's days, and the ways to its tasks; failures alike together."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.support.dashboard import Dashboard, low_contrast, until
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

HOSTILE = '<img src=x onerror="alert(1)"> \\ "quoted" status:failed'


@pytest.fixture
def filled(server: Server) -> Server:
    """What ended, and one that runs: with the same agent, project, model and title."""

    def used(model: str, cost: float, tokens: int = 0) -> dict[str, Any]:
        return {"model": model, "cost_usd": cost, "input_tokens": tokens}

    def ended(kind: str, project: str, task: str, title: str, agent: str, **fields: Any) -> None:
        server.report(kind, project, task, task=title, agent=agent, **fields)

    ended("finish", "web", "a", "Build", "ann", usage=used("opus", 2, 1000), duration_seconds=10)
    ended("finish", "web", "b", HOSTILE, "ann", usage=used("opus 2", 1), duration_seconds=30)
    ended("error", "web", "c", "Build", "bob", error_message=f"{HOSTILE} after 3 s")
    ended("finish", "api", "d", "Build", "bob", usage=used("opus", 0.5), duration_seconds=600)
    ended("start", "web", "e", "Build", "ann", usage=used("opus", 8))
    return server


def rows(page: Page, table: str) -> Locator:
    return page.get_by_role("table", name=table, exact=True).locator("tbody tr")


def cells(page: Page, table: str) -> list[list[str]]:
    """The texts of a table's cells."""
    found = rows(page, table)
    expect(found.first).to_be_visible()
    return [
        [
            text.strip()
            for text in row.locator("th a > :first-child, th a:not(:has(*)), td").all_inner_texts()
        ]
        for row in found.all()
    ]


def figure(page: Page, name: str) -> Locator:
    return page.locator(f".figures-large .figure-{name} dd")


def leads_to(dashboard: Dashboard, link: Locator, *tasks: str) -> None:
    """The link shows exactly these tasks, then one is back."""
    link.click()
    dashboard.heading("Tasks")
    until(
        dashboard.page,
        """tasks => [...document.querySelectorAll("task-row:not(.is-loading) .row-link")]
        .map((link) => link.pathname.split("/").at(-1)).sort().join() === tasks.join()""",
        sorted(tasks),
    )
    dashboard.page.go_back()
    dashboard.heading("Insights")


def test_figures_are_of_what_was_reported(open_dashboard: Open, filled: Server) -> None:
    page = open_dashboard("/stats", server=filled).page
    shown = {"completed": "3", "failed": "1", "rate": "75 %", "tokens": "1k", "cost": "$3.50"}
    for name, value in shown.items():
        expect(figure(page, name)).to_have_text(value)
    assert cells(page, "Projects") == [
        ["web", "2", "1", "66.7 %", "10 s", "1k", "$3.00"],
        ["api", "1", "0", "100 %", "10 min 00 s", "–", "$0.50"],
    ]
    assert cells(page, "Agents") == [
        ["ann", "2", "0", "100 %", "20 s", "1k", "$3.00"],
        ["bob", "1", "1", "50 %", "5 min 00 s", "–", "$0.50"],
    ]
    assert [row[0] for row in cells(page, "Models")] == ["opus", "opus 2"]
    titles = cells(page, "By title")
    assert titles[1] == [HOSTILE, "1", "0", "100 %", "30 s", "–", "$1.00"]
    assert [row[1:3] for row in titles] == [["1", "1"], ["1", "0"], ["1", "0"]]
    page.get_by_text("As a table").click()
    today = cells(page, "Ended per day")[0]
    assert today[1:4] == ["3", "1", "75 %"]
    expect(page.locator(".day-legend").nth(0)).to_contain_text("Completed 3Failed 1")
    expect(page.locator(".day-legend").nth(1)).to_contain_text("Reported $3.50")
    expect(page.locator(".day-tick").nth(0)).to_have_text("0")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert low_contrast(page) == []
    filled.report("error", "web", "f", agent="bob")
    expect(figure(page, "failed")).to_have_text("2")
    expect(rows(page, "Agents").filter(has_text="bob")).to_contain_text("33.3 %")


def test_every_line_leads_to_its_tasks(open_dashboard: Open, filled: Server) -> None:
    """Those that ended, not the one that still runs; nor those of a name that holds this one."""
    dashboard = open_dashboard("/stats", server=filled)
    page = dashboard.page

    def link(table: str, text: str) -> Locator:
        return rows(page, table).filter(has_text=text).get_by_role("link")

    leads_to(dashboard, link("Projects", "web"), "a", "b", "c")
    leads_to(dashboard, link("Agents", "ann"), "a", "b")
    leads_to(dashboard, link("Models", "opus 2"), "b")
    leads_to(dashboard, link("Models", "opus").first, "a", "d")
    leads_to(dashboard, link("By title", "status:failed"), "b")
    leads_to(dashboard, link("By title", "Build").filter(has_text="web"), "a", "c")
    leads_to(dashboard, page.locator(".day-bar").last, "a", "b", "c", "d")
    page.get_by_text("As a table").click()
    leads_to(dashboard, rows(page, "Ended per day").first.get_by_role("link"), "a", "b", "c", "d")
    expect(rows(page, "Ended per day").nth(1).get_by_role("link")).to_have_count(0)


def test_days_and_project_are_chosen_and_stay(open_dashboard: Open, filled: Server) -> None:
    before = (datetime.now(UTC) - timedelta(days=10)).isoformat()
    filled.report("finish", "web", "old", agent="olga", occurred_at=before)
    dashboard = open_dashboard("/stats", server=filled)
    page = dashboard.page
    expect(figure(page, "completed")).to_have_text("4")
    page.get_by_role("button", name="7 days").click()
    expect(figure(page, "completed")).to_have_text("3")
    dashboard.at("/stats?days=7")
    page.get_by_role("combobox", name="Project").select_option("web")
    expect(figure(page, "completed")).to_have_text("2")
    page.reload()
    expect(figure(page, "completed")).to_have_text("2")
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("combobox", name="Project")).to_have_value("web")
    expect(page.locator(".day-chart").first.locator(".day-bar")).to_have_count(7)
    leads_to(dashboard, rows(page, "Agents").filter(has_text="ann").get_by_role("link"), "a", "b")
    expect(page.get_by_role("combobox", name="Project")).to_have_value("web")
    page.get_by_role("button", name="30 days").click()
    expect(rows(page, "Agents").filter(has_text="olga")).to_be_visible()
    dashboard.at("/stats?project=web")
    dashboard.visit("/stats?days=12345&project=never+seen")
    expect(page.get_by_text("Nothing has ended in this time.")).to_be_visible()
    expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")


def zone_at_night() -> tuple[str, datetime]:
    """A time zone in which it is about three in the morning, or four, and not UTC's day; and when
    its day began."""
    now = datetime.now(UTC)
    ahead = (3 - now.hour + 12) % 24 - 12 or 1
    local = now + timedelta(hours=ahead)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=ahead)
    return f"Etc/GMT{-ahead:+d}", midnight


def test_days_are_the_viewers(open_dashboard: Open, server: Server) -> None:
    zone, midnight = zone_at_night()
    for task, minutes in (("late", -1), ("early", 1)):
        at = (midnight + timedelta(minutes=minutes)).isoformat()
        server.report("finish", "p", task, occurred_at=at)
    dashboard = open_dashboard("/stats", server=server, timezone_id=zone)
    page = dashboard.page
    page.get_by_text("As a table").click()
    assert [row[1] for row in cells(page, "Ended per day")[:3]] == ["1", "1", "0"]
    link = rows(page, "Ended per day").get_by_role("link")
    leads_to(dashboard, link.nth(0), "early")
    page.get_by_text("As a table").click()
    leads_to(dashboard, link.nth(1), "late")
    page.get_by_role("button", name="Today").click()
    expect(figure(page, "completed")).to_have_text("1")
    with page.expect_response("**/api/now?*") as answer:
        dashboard.visit("/")
    assert answer.value.json()["today"] == {"completed": 1, "failed": 0}
    expect(page.get_by_role("definition").first).to_have_text("1")


def test_a_server_that_knows_no_time_zones_is_given_minutes(
    open_dashboard: Open, filled: Server
) -> None:
    asked: list[str] = []

    def refuse_names(route: Route) -> None:
        (zone,) = parse_qs(urlsplit(route.request.url).query)["tz"]
        asked.append(zone)
        if "/" not in zone:
            return route.continue_()
        issue = {"field": "tz", "issue": "unknown"}
        error = {"code": "VALIDATION_ERROR", "message": "No", "details": {"errors": [issue]}}
        return route.fulfill(status=422, body=json.dumps({"error": error}))

    dashboard = open_dashboard("/", server=filled, timezone_id="Asia/Dubai")
    page = dashboard.page
    page.route("**/api/stats/insights*", refuse_names)
    dashboard.visit("/stats")
    expect(figure(page, "completed")).to_have_text("3")
    assert asked[:2] == ["Asia/Dubai", "240"]
    leads_to(dashboard, page.locator(".day-bar").last, "a", "b", "c", "d")


def test_failures_alike_are_together(open_dashboard: Open, server: Server) -> None:
    hour_ago = (datetime.now(UTC) - timedelta(hours=1, minutes=1)).isoformat()

    def failed(task: str, agent: str, message: str, **fields: Any) -> None:
        told = {"agent": agent, "error_type": "Timeout", "error_message": message}
        server.report("error", "p", task, **told, **fields)

    failed("a", "ann", "v2beta: <b>no</b> answer after 30 s", occurred_at=hour_ago)
    failed("b", "bob", "v3beta: <b>no</b> answer after 4 s")
    failed("c", "bob", "refused")
    server.report("status", "q", "d", status="failed")
    dashboard = open_dashboard("/stats", server=server)
    page = dashboard.page
    groups = page.locator("failure-group")
    expect(groups).to_have_count(3)
    first = groups.nth(0)
    expect(first).to_contain_text("2 ×")
    expect(first).to_contain_text("Timeout: v<n>beta: <b>no</b> answer after <n> s")
    expect(first).to_contain_text(re.compile(r"Last .*first 1 h ago"))
    expect(page.get_by_text("Without a word")).to_be_visible()
    leads_to(dashboard, first.get_by_role("link", name="ann"), "a")
    first.get_by_text("Tasks", exact=True).click()
    expect(first.locator(".failure-tasks li")).to_have_count(2)
    expect(first).to_contain_text("The last one said: v3beta: <b>no</b> answer after 4 s")
    leads_to(dashboard, first.get_by_role("link", name="Look for those like it"), "a", "b")
    first.get_by_text("Tasks", exact=True).click()
    failed("e", "eve", "v4beta: <b>no</b> answer after 5 s")
    expect(first).to_contain_text("3 ×")
    expect(first.locator(".failure-tasks li")).to_have_count(3)  # it stays open
    first.get_by_role("link", name="a", exact=True).click()
    dashboard.at("/stats?task=p%2Fa")  # beside what it was found in


def test_what_is_left_out_is_told(open_dashboard: Open, server: Server) -> None:
    for number in range(13):
        server.report(
            "error", "p", f"{number}", agent=f"agent {number:02}", error_type=f"E{number}"
        )

    def as_if_more(route: Route) -> None:
        answer = route.fetch()
        found = answer.json() | {"complete": False, "total": 12_000, "kinds": 300}
        if "/insights" in route.request.url:
            found["kinds"] = {"projects": 1, "agents": 250, "models": 0, "titles": 1}
        route.fulfill(response=answer, json=found)

    dashboard = open_dashboard("/", server=server)
    page = dashboard.page
    page.route(re.compile("/api/(stats/insights|failures)"), as_if_more)
    dashboard.visit("/stats")
    expect(page.get_by_text("Counted are the last 13 of 12,000.")).to_be_visible()
    expect(page.get_by_text("Of 12,000 failures only the last ones")).to_be_visible()
    expect(page.get_by_text("These are the 13 with the highest cost, of 250.")).to_be_visible()
    expect(page.get_by_text("These are the 13 most frequent of 300 kinds.")).to_be_visible()
    agents = page.locator(".section").filter(has=page.get_by_role("heading", name="Agents"))
    expect(rows(page, "Agents")).to_have_count(10)
    agents.get_by_role("button", name="Show 3 more").click()
    expect(rows(page, "Agents")).to_have_count(13)
    expect(rows(page, "Agents").nth(10).get_by_role("link")).to_be_focused()
    expect(agents.get_by_role("button")).to_be_hidden()


def test_the_legend_tells_of_the_day_that_is_pointed_at(
    open_dashboard: Open, filled: Server
) -> None:
    page = open_dashboard("/stats", server=filled).page
    legend = page.locator(".day-legend").first
    expect(legend).to_have_text("30 daysCompleted 3Failed 1")
    page.locator(".day-bar").nth(28).hover()
    expect(legend).to_contain_text("Completed 0Failed 0")
    page.locator(".day-bar").nth(29).hover()
    expect(legend).to_contain_text("Completed 3Failed 1")
    filled.report("finish", "web", "e", agent="ann")
    expect(legend).to_contain_text("Completed 4Failed 1")  # the day goes on to be pointed at
    expect(legend).not_to_contain_text("30 days")
    page.get_by_role("heading", level=1).hover()
    expect(legend).to_contain_text("30 days")


def test_what_was_read_stays_while_a_read_fails(open_dashboard: Open, filled: Server) -> None:
    page = open_dashboard("/stats", server=filled).page
    expect(figure(page, "completed")).to_have_text("3")
    page.route("**/api/failures*", lambda route: route.fulfill(status=503, body="{}"))
    filled.report("finish", "web", "e", agent="ann")
    expect(page.locator("main .problem")).to_be_visible()
    expect(figure(page, "completed")).to_have_text("3")
    page.unroute("**/api/failures*")
    expect(figure(page, "completed")).to_have_text("4")
    expect(page.locator("main .problem")).to_have_count(0)


def test_an_answer_that_comes_late_is_not_of_what_is_chosen(
    open_dashboard: Open, filled: Server
) -> None:
    dashboard = open_dashboard("/stats", server=filled)
    page = dashboard.page
    expect(figure(page, "completed")).to_have_text("3")
    held: list[Route] = []
    page.route("**/api/stats/insights*project=api*", lambda route: held.append(route))  # noqa: PLW0108
    project = page.get_by_role("combobox", name="Project")
    project.select_option("api")
    until(page, "() => document.querySelector('insights-view').ariaBusy === 'true'")
    project.select_option("web")
    expect(figure(page, "completed")).to_have_text("2")
    with page.expect_response("**/api/stats/insights*project=api*"):
        held[0].continue_()
    dashboard.is_settled()
    expect(figure(page, "completed")).to_have_text("2")


def test_nothing_yet(open_dashboard: Open, server: Server) -> None:
    page = open_dashboard("/stats", server=server).page
    expect(page.get_by_text("Nothing has been reported yet")).to_be_visible()
    server.report("start", "p", "a")
    expect(page.get_by_text("Nothing has ended in this time.")).to_be_visible()
    server.report("finish", "p", "a")
    expect(figure(page, "completed")).to_have_text("1")
    expect(page.get_by_text("Nothing has failed.")).to_be_visible()


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_width_scrolls_sideways(open_dashboard: Open, filled: Server, width: int) -> None:
    filled.report(
        "error", "x" * 200, "y" * 200, task="z" * 1000, agent="w" * 200, error_type="v" * 200
    )
    viewport = {"width": width, "height": 800}
    page = open_dashboard("/stats?days=90", server=filled, viewport=viewport).page
    expect(page.locator("failure-group")).to_have_count(2)
    page.locator("summary").first.click()
    page.locator("failure-group summary").first.click()
    for element in ("documentElement", "querySelector('main')"):
        wide = page.evaluate(f"document.{element}.scrollWidth - document.{element}.clientWidth")
        assert wide <= 0, element
