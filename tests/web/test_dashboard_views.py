"""Each view of the dashboard shows what was reported, and goes on showing it as it changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard
from tests.support.server import KEY, Server, wait_for

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

TRACE = 'Traceback (most recent call last):\n  File "main.py", line 42\n    go()\nRuntimeError: no'


def figure(page: Page, name: str) -> str:
    return f".figure-{name} dd"


def segment(name: str) -> str:
    return quote(name, safe="")


def clipboard(dashboard: Dashboard) -> str:
    return str(dashboard.page.evaluate("navigator.clipboard.readText()"))


def test_the_first_run_teaches(open_dashboard: Open, server: Server) -> None:
    dashboard = open_dashboard(server=server, permissions=["clipboard-read", "clipboard-write"])
    page = dashboard.page
    expect(page.get_by_role("heading", name="Nothing has been reported yet")).to_be_visible()
    command = page.locator("pre").inner_text()
    assert f"{server.url}/webhook/start" in command
    assert KEY not in command
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = clipboard(dashboard)
    assert f'"X-API-Key: {KEY}"' in copied
    server.report("start", "first", task="My first task")
    expect(dashboard.lines("My first task")).to_be_visible()
    expect(page.locator(".empty")).to_have_count(0)


def test_now_follows_a_task_to_its_end(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    dashboard = open_dashboard()
    shared_server.report("start", project, task="Lay the keel", agent="ann")
    line = dashboard.lines("Lay the keel")
    expect(line).to_contain_text("Running")
    expect(line).to_contain_text("ann")
    shared_server.report("status", project, task="Lay the keel", progress=40, message="sawing")
    expect(line).to_contain_text("sawing")
    expect(line.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "40")
    shared_server.report("error", project, task="Lay the keel", error_type="Saw", error_message="b")
    expect(line).to_contain_text("Failed")
    expect(line).to_contain_text("Saw: b")
    failed = dashboard.page.get_by_role("list", name="Failed lately")
    expect(failed).to_contain_text("Lay the keel")
    shared_server.report("start", project, task="Lay the keel")
    expect(line).to_contain_text("Attempt 2")
    shared_server.report("finish", project, task="Lay the keel", result="laid")
    expect(line).to_contain_text("Completed")
    expect(line).to_have_count(1)


def test_what_went_well_is_green_at_the_moment_of_change_alone(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    shared_server.report("finish", project, "before", task="Sewn", occurred_at=an_hour_ago)
    shared_server.report("start", project, "now", task="Caulked")
    page = open_dashboard(f"/projects/{quote(project, safe='')}").page
    expect(page.locator(".table-row .status-running")).to_be_visible()
    shared_server.report("finish", project, "now", task="Caulked")
    expect(page.locator(".table-row .status-completed")).to_have_count(2)
    rows = {
        title: page.locator(".table-row").filter(has_text=title) for title in ("Caulked", "Sewn")
    }
    motion = "status => getComputedStyle(status).animationName"
    shown = [row.locator(".status-completed").evaluate(motion) for row in rows.values()]
    assert shown == ["went-well", "none"]


def test_time_passes(open_dashboard: Open, shared_server: Server, project: str) -> None:
    shared_server.report("start", project, task="Ticking")
    dashboard = open_dashboard()
    elapsed = dashboard.lines("Ticking").locator("time-shown")
    first = elapsed.inner_text()
    expect(elapsed).not_to_have_text(first)
    expect(elapsed).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d .* UTC$"))


def test_projects_are_cards(open_dashboard: Open, shared_server: Server, project: str) -> None:
    shared_server.report("finish", project, "a")
    shared_server.report("error", project, "b")
    dashboard = open_dashboard("/projects")
    card = dashboard.page.locator("project-card").filter(
        has=dashboard.page.get_by_text(project, exact=True)
    )
    expect(card).to_contain_text("1 completed")
    expect(card).to_contain_text("1 failed")
    expect(card.get_by_role("img")).to_have_attribute("aria-label", re.compile("1 failed"))
    shared_server.report("start", project, "c")
    expect(card).to_contain_text("1 active")
    card.get_by_role("link").click()
    dashboard.heading(project)
    dashboard.page.go_back()
    dashboard.heading("Projects")


def test_a_project_is_filtered_in_the_address(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    for number in range(3):
        shared_server.report("finish", project, f"f{number}", task=f"Fine {number}", agent="ann")
    shared_server.report("error", project, "bad", task="Broken", agent="bob")
    path = f"/projects/{segment(project)}"
    dashboard = open_dashboard(path)
    page = dashboard.page
    rows = page.locator("task-row")
    expect(rows).to_have_count(4)
    expect(page.locator(figure(page, "total"))).to_have_text("4")
    line = page.get_by_label("Filter: tokens and words")
    line.fill("status:failed")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Broken")
    dashboard.at(f"{path}?status=failed")
    page.reload()
    expect(rows).to_have_count(1)
    expect(line).to_have_value("status:failed")
    line.fill("fine")
    expect(rows).to_have_count(3)
    line.fill("agent:bob started:2024-01-15")
    expect(rows).to_have_count(1)
    line.fill("agent:nobody")
    expect(page.get_by_text("No task matches.")).to_be_visible()


def test_a_table_of_many_holds_few_rows(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    for number in range(320):
        shared_server.report("finish", project, f"n{number}", task=f"Number {number}")
    page = open_dashboard(f"/projects/{segment(project)}").page
    expect(page.get_by_text("Number 319", exact=True)).to_be_visible()
    assert page.locator("task-row").count() < 60
    page.locator("virtual-list").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    expect(page.get_by_text("Number 0", exact=True)).to_be_visible()
    assert page.locator("task-row").count() < 60
    shared_server.report("start", project, "new", task="Newest")
    expect(page.get_by_role("button", name="1 new task")).to_be_visible()
    page.get_by_role("button", name="1 new task").click()
    expect(page.get_by_text("Newest", exact=True)).to_be_visible()
    page.get_by_role("button", name="Started").click()
    expect(page.get_by_role("columnheader", name="Started")).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(page.get_by_text("Number 0", exact=True)).to_be_visible()


def test_a_board_moves_its_cards(open_dashboard: Open, shared_server: Server, project: str) -> None:
    shared_server.report("status", project, task="Card", status="pending")
    page = open_dashboard(f"/projects/{segment(project)}/board").page

    def column(name: str) -> object:
        return expect(page.get_by_role("region", name=name, exact=True))

    column("Pending").to_contain_text("Card")
    shared_server.report("start", project, task="Card")
    column("Running").to_contain_text("Card")
    column("Pending").not_to_contain_text("Card")
    shared_server.report("finish", project, task="Card")
    column("Completed").to_contain_text("Card")


def test_a_timeline_has_a_lane_for_each_agent(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("finish", project, "a", task="Long", agent="ann", duration_seconds=3600)
    shared_server.report("error", project, "b", task="Short", agent="bob")
    page = open_dashboard(f"/projects/{segment(project)}/timeline").page
    expect(page.locator(".lane")).to_have_count(2)
    bar = page.get_by_role("link", name=re.compile("^Long · Completed · 1 h"))
    expect(bar).to_be_visible()

    def width() -> float:
        return float(bar.evaluate("bar => bar.offsetWidth"))

    whole = width()
    page.get_by_role("button", name="Zoom out").click()
    assert width() < whole
    page.get_by_role("button", name="Show all").click()
    wait_for(lambda: abs(width() - whole) < whole / 20, what="all to be shown")
    frame = page.get_by_role("group", name=re.compile("^Timeline"))
    frame.focus()
    frame.press("ArrowRight")
    frame.press("ArrowRight")
    frame.press("ArrowRight")
    frame.press("ArrowRight")
    frame.press("ArrowRight")
    expect(page.locator(".lane")).to_have_count(0)
    frame.press("0")
    expect(page.locator(".lane")).to_have_count(2)
    shared_server.report("start", project, "c", task="Third", agent="cy")
    expect(page.locator(".lane")).to_have_count(3)
    bar.click()
    beside = page.get_by_role("complementary", name="Task beside the list")
    expect(beside.get_by_role("heading", name="Long")).to_be_visible()


def test_what_a_task_has_started_lies_below_it(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("start", project, "lead", task="Lead", agent="ann")
    shared_server.report("start", project, "other", task="Other", agent="ann")
    below = {"agent": "helper", "parent_task_id": "lead"}
    shared_server.report("start", project, "part", task="Part", **below)
    page = open_dashboard(f"/projects/{segment(project)}/timeline").page
    expect(page.locator(".lane-name")).to_have_text(["ann"])
    expect(page.locator(".lane-bar.is-below")).to_have_text(["Part"])
    expect(page.get_by_role("link", name=re.compile("^Part · helper · Running"))).to_be_visible()

    def top(title: str) -> float:
        return float(page.locator(".lane-bar", has_text=title).evaluate("bar => bar.offsetTop"))

    assert top("Lead") < top("Part") < top("Other")


def test_where_tasks_are_too_many_a_timeline_counts_them(
    open_dashboard: Open, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    reports = [
        {
            "kind": "finish" if number % 100 else "error",
            **{"project": f"p{number % 2}", "task": "T", "task_id": f"{number}"},
            **{"agent": f"agent-{number % 3}", "error_type": "E", "error_message": "m"},
        }
        for number in range(520)
    ]
    for part in (reports[:500], reports[500:]):
        server.http.post("/webhook/batch", json={"reports": part}).raise_for_status()
    page = open_dashboard("/timeline", server=server).page
    lanes = page.locator(".lane")
    expect(lanes).to_have_count(3)
    expect(page.locator(".lane-bar")).to_have_count(0)
    expect(page.get_by_role("img", name="174 tasks, 2 failed")).to_be_visible()
    expect(page.get_by_text("520 tasks around here")).to_be_visible()
    server.report("start", "p0", "new", agent="a new one")
    expect(lanes).to_have_count(4)
    frame = page.get_by_role("group", name=re.compile("^Timeline"))
    frame.focus()
    for _ in range(40):  # towards where nothing has ended
        frame.press("ArrowRight")
    for _ in range(4):
        frame.press("+")
    expect(page.locator(".lane")).to_have_count(0)


def test_a_task_tells_all(open_dashboard: Open, shared_server: Server, project: str) -> None:
    shared_server.report("start", project, task="Whole story", metadata={"deep": {"er": [1, None]}})
    shared_server.report("status", project, task="Whole story", progress=30, message="first steps")
    path = f"/projects/{segment(project)}/tasks/task-1"
    dashboard = open_dashboard(path, permissions=["clipboard-read", "clipboard-write"])
    page = dashboard.page
    dashboard.heading("Whole story")
    history = page.locator("task-log")
    expect(history).to_contain_text("first steps")
    page.get_by_role("tab", name="Data").click()
    metadata = page.locator(".section").filter(has=page.get_by_role("heading", name="Metadata"))
    expect(metadata.locator(".tree")).to_have_count(2)
    metadata.locator(".tree summary").last.click()
    expect(metadata.locator(".tree")).to_have_count(3)
    page.get_by_role("tab", name="Log").click()
    shared_server.report("status", project, task="Whole story", progress=60, message="half way")
    expect(history).to_contain_text("half way")
    expect(page.locator(".task-percent")).to_have_text("60 %")
    page.get_by_role("tab", name="Data").click()
    expect(page.get_by_role("img", name=re.compile("^Progress over time: 60 %"))).to_be_visible()
    shared_server.report(
        "error", project, task="Whole story", error_message="fell", stack_trace=TRACE
    )
    page.get_by_role("tab", name="Error").click()
    expect(page.locator(".error-words")).to_have_text("E: fell")
    assert page.locator(".trace").inner_text().strip() == TRACE
    expect(page.locator(".trace-origin")).to_have_text(re.compile("main.py"))
    page.locator(".snippet").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(dashboard) == TRACE
    page.get_by_role("button", name="Copy as prompt").click()
    expect(page.get_by_role("button", name="Copied")).to_have_count(2)
    prompt = clipboard(dashboard)
    for part in ("# Whole story", "E: fell", TRACE, "half way", '"deep"', "attempt 1"):
        assert part in prompt
    page.get_by_role("tab", name="Data").click()
    page.get_by_text("Raw JSON").click()
    expect(page.locator(".raw")).to_contain_text('"error_message": "fell"')
    shared_server.report("start", project, task="Whole story")
    page.get_by_role("tab", name="Log").click()
    expect(history).to_contain_text("Attempt 2")
    shared_server.report("finish", project, task="Whole story", result="all is well")
    expect(page.locator(".task-result .markdown")).to_have_text("all is well")
    expect(page.locator(".error-words")).to_have_count(0)


def test_a_task_that_is_not_there(open_dashboard: Open) -> None:
    page = open_dashboard("/projects/none/tasks/none").page
    expect(page.get_by_role("alert")).to_contain_text("There is no")


def test_events_pause_and_filter(open_dashboard: Open, shared_server: Server, project: str) -> None:
    shared_server.report("start", project, task="Before")
    page = open_dashboard(f"/events?q={segment(project)}").page
    rows = page.locator("event-row")
    expect(rows).to_have_count(1)
    shared_server.report("status", project, task="Before", message="under way")
    expect(rows.first).to_contain_text("under way")
    page.get_by_role("button", name="Pause").click()
    shared_server.report("error", project, task="Before")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="1 new").click()
    expect(rows).to_have_count(3)
    page.get_by_role("combobox", name="Kind of event").select_option("task_error")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Failed")


def test_settings_tell_what_is_in_force(open_dashboard: Open, shared_server: Server) -> None:
    dashboard = open_dashboard("/settings", permissions=["clipboard-read", "clipboard-write"])
    page = dashboard.page
    server = page.locator(".section").filter(has=page.get_by_role("heading", name="Server"))
    kept = "Days ended tasks are keptNo limit"
    for shown in (shared_server.url, str(shared_server.database), "1 MB", "10 KB", kept):
        expect(server).to_contain_text(shown)
    for number, language in enumerate(("curl", "Python", "JavaScript")):
        snippet = page.locator(".snippet").nth(number)
        expect(page.get_by_role("heading", name=language, exact=True)).to_be_visible()
        assert KEY not in snippet.inner_text()
        snippet.get_by_role("button", name="Copy").click()
        expect(snippet.get_by_role("button", name="Copied")).to_be_visible()
        assert KEY in clipboard(dashboard)


def test_the_python_of_settings_works(
    open_dashboard: Open, server: Server, tmp_path: object
) -> None:
    import subprocess
    import sys

    dashboard = open_dashboard(
        "/settings", server=server, permissions=["clipboard-read", "clipboard-write"]
    )
    dashboard.page.locator(".snippet").nth(1).get_by_role("button").click()
    expect(dashboard.page.get_by_role("button", name="Copied")).to_be_visible()
    subprocess.run([sys.executable, "-c", clipboard(dashboard)], check=True, timeout=60)
    task = server.task("my-project")
    assert (task["status"], task["result"]) == ("completed", "Done")


def test_an_address_that_is_none(open_dashboard: Open) -> None:
    page = open_dashboard().page
    page.evaluate(
        "history.pushState(null, '', '/nowhere'); dispatchEvent(new PopStateEvent('popstate'))"
    )
    expect(page.get_by_text("There is no page at this address.")).to_be_visible()
