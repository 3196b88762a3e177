"""Several tasks at once: selected by mouse and keyboard, copied, saved, failed by hand, deleted."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.support.dashboard import Dashboard
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

HOSTILE = '=HYPERLINK("http://evil.example","\u202e</script><b>x")'


@pytest.fixture
def filled(server: Server) -> Server:
    """Ten that run and, newest of all, one that has failed and one that has ended well."""
    for number in range(10):
        server.report("start", "many", f"t{number}", task=f"Task {number}", agent="codex")
    server.report("error", "many", "bad", task=HOSTILE, error_message="broken; =1+1")
    server.report("finish", "many", "good", task="Good", usage={"cost_usd": 0.5})
    return server


def row(page: Page, title: str) -> Locator:
    return page.locator("task-row").filter(
        has=page.locator(".row-link", has_text=re.compile(f"^{re.escape(title)}$"))
    )


def box(page: Page, title: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Select {title}", exact=True)


def bar(page: Page) -> Locator:
    return page.get_by_role("region", name="Selected tasks")


def selected(page: Page, count: int) -> None:
    expect(bar(page).locator("strong")).to_have_text(f"{count} selected")


def says(page: Page, words: str) -> None:
    expect(bar(page).get_by_role("status")).to_have_text(words)


def exists(server: Server, task_id: str) -> bool:
    return server.http.get(f"/api/projects/many/tasks/{task_id}").status_code == 200


def test_rows_are_selected_one_by_one_and_by_range(filled: Server, open_dashboard: Open) -> None:
    page = open_dashboard("/projects/many", server=filled).page
    expect(bar(page)).to_be_hidden()
    box(page, "Task 8").click()
    selected(page, 1)
    box(page, "Task 5").click(modifiers=["Shift"])
    selected(page, 4)
    expect(box(page, "Task 6")).to_be_checked()
    expect(box(page, "Task 4")).not_to_be_checked()
    box(page, "Task 7").click()
    selected(page, 3)
    everything = page.get_by_role("checkbox", name="Select all that are loaded")
    assert everything.evaluate("box => box.indeterminate")
    everything.click()
    selected(page, 12)
    expect(everything).to_be_checked()
    everything.click()
    expect(bar(page)).to_be_hidden()


def test_keys_select_on_any_layout_and_escape_clears(filled: Server, open_dashboard: Open) -> None:
    page = open_dashboard("/projects/many", server=filled).page
    row(page, "Task 9").locator("a").focus()
    page.keyboard.press("x")
    selected(page, 1)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    selected(page, 3)
    page.evaluate(
        """() => document.activeElement.dispatchEvent(new KeyboardEvent("keydown",
          { key: "ч", code: "KeyX", bubbles: true, cancelable: true }))"""
    )
    selected(page, 2)
    expect(box(page, "Task 7")).not_to_be_checked()
    page.keyboard.press("Space")  # a panel is closed first
    expect(page.get_by_role("complementary", name="Task beside the list")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary", name="Task beside the list")).to_be_hidden()
    selected(page, 2)
    page.keyboard.press("Escape")
    expect(bar(page)).to_be_hidden()


def test_a_selection_lasts_while_rows_come_and_on_the_way_back(
    filled: Server, open_dashboard: Open
) -> None:
    dashboard = open_dashboard("/projects/many", server=filled)
    page = dashboard.page
    box(page, "Task 3").click()
    filled.report("start", "many", "new", task="New")
    expect(row(page, "New")).to_be_visible()
    selected(page, 1)
    expect(box(page, "Task 3")).to_be_checked()
    expect(box(page, "New")).not_to_be_checked()
    row(page, "Task 3").locator("a").press("Enter")
    dashboard.heading("Task 3")
    page.go_back()
    selected(page, 1)
    expect(box(page, "Task 3")).to_be_checked()
    page.reload()
    expect(box(page, "Task 3")).to_be_checked()
    page.get_by_label("Filter: tokens and words").fill('"Task 1"')
    expect(row(page, "Task 3")).to_have_count(0)
    expect(bar(page)).to_be_hidden()  # nothing out of sight is acted on


def test_all_that_match_are_selected(server: Server, open_dashboard: Open) -> None:
    reports = [
        {"kind": "start", "project": "p", "task": f"T {n}", "task_id": f"t{n}", "agent": "a"}
        for n in range(130)
    ]
    server.http.post("/webhook/batch", json={"reports": reports}).raise_for_status()
    page = open_dashboard("/tasks?agent=a", server=server).page
    box(page, "T 129").click()
    bar(page).get_by_role("button", name="Select all 130").click()
    selected(page, 130)
    expect(bar(page).get_by_role("button", name="Select all")).to_be_hidden()


def test_several_are_copied_as_prompts(filled: Server, open_dashboard: Open) -> None:
    page = open_dashboard(
        "/projects/many", server=filled, permissions=["clipboard-read", "clipboard-write"]
    ).page
    box(page, HOSTILE).click()
    box(page, "Task 9").click()
    bar(page).get_by_role("button", name="Copy as prompt").click()
    says(page, "2 tasks copied as prompts.")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied.index("broken; =1+1") < copied.index("# Task 9")
    assert "The task below failed." in copied


def test_tasks_at_work_are_marked_as_failed(filled: Server, open_dashboard: Open) -> None:
    page = open_dashboard("/projects/many", server=filled).page
    fail = bar(page).get_by_role("button", name="Mark as failed")
    box(page, "Good").click()
    selected(page, 1)
    expect(fail).to_be_hidden()
    box(page, "Task 9").click()
    box(page, "Task 8").click()
    fail.click()
    dialog = page.get_by_role("alertdialog", name="Mark 2 tasks as failed?")
    expect(dialog).to_contain_text("1 more has ended already")
    dialog.get_by_label("Why").fill("The machine is gone")
    dialog.get_by_role("button", name="Mark as failed").click()
    says(page, "2 tasks marked as failed.")
    selected(page, 1)
    for name in ("t9", "t8"):
        task = filled.task("many", name)
        assert (task["status"], task["error_message"]) == ("failed", "The machine is gone")
    expect(row(page, "Task 9")).to_contain_text("Failed")


def test_deletion_asks_once_and_tells_what_it_did_not_work_for(
    filled: Server, open_dashboard: Open
) -> None:
    page = open_dashboard("/projects/many", server=filled).page
    pauses = []

    def refuse(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if route.request.method == "DELETE" and name == "t5":
            route.fulfill(status=500, json={"error": {"message": "It broke"}})
        elif route.request.method == "DELETE" and name == "t6" and not pauses:
            pauses.append(name)
            route.fulfill(
                status=429, headers={"Retry-After": "1"}, json={"error": {"message": "Too many"}}
            )
        else:
            route.continue_()

    page.route("**/api/projects/many/tasks/*", refuse)
    box(page, "Task 7").click()
    box(page, "Task 5").click(modifiers=["Shift"])
    delete = bar(page).get_by_role("button", name="Delete")
    delete.click()
    page.get_by_role("button", name="Cancel").click()
    delete.click()
    dialog = page.get_by_role("alertdialog", name="Delete 3 tasks?")
    expect(dialog).to_contain_text("Task 7")
    assert exists(filled, "t7")
    dialog.get_by_role("button", name="Delete").click()
    says(page, "2 tasks deleted. It failed for 1:")
    expect(bar(page).get_by_role("listitem")).to_have_text("Task 5: It broke")
    assert pauses == ["t6"]
    assert [exists(filled, f"t{number}") for number in (5, 6, 7)] == [True, False, False]
    selected(page, 1)
    expect(box(page, "Task 5")).to_be_checked()
    expect(row(page, "Task 6")).to_have_count(0)


def test_what_a_key_may_not_do_is_not_offered(filled: Server, open_dashboard: Open) -> None:
    for role, offered in {"read": [False, False], "answer": [True, False]}.items():
        made = filled.http.post("/api/keys", json={"name": f"a-{role}", "role": role}).json()
        page = open_dashboard("/projects/many", server=filled, key=made["key"]).page
        box(page, "Task 9").click()
        selected(page, 1)
        buttons = [bar(page).get_by_role("button", name=n) for n in ("Mark as failed", "Delete")]
        assert [button.is_visible() for button in buttons] == offered
        expect(bar(page).get_by_role("button", name="Copy as prompt")).to_be_visible()


def test_the_selected_are_saved(filled: Server, open_dashboard: Open, tmp_path: Path) -> None:
    page = open_dashboard("/projects/many", server=filled).page
    box(page, HOSTILE).click()
    box(page, "Good").click()
    selected(page, 2)
    page.reload()  # what was read of them is forgotten, what they are is not

    def saved(form: str) -> Path:
        with page.expect_download() as download:
            bar(page).get_by_role("button", name=f"Save as {form}").click()
        assert download.value.suggested_filename == f"tasks.{form.lower()}"
        download.value.save_as(tmp_path / form)
        return tmp_path / form

    tasks = json.loads(saved("JSON").read_text())
    assert [(task["project"], task["task_id"]) for task in tasks] == [
        ("many", "bad"),
        ("many", "good"),
    ]
    assert tasks[0]["title"] == HOSTILE
    assert tasks[1]["usage"]["cost_usd"] == 0.5
    with saved("CSV").open(encoding="utf-8-sig", newline="") as file:
        bad, good = csv.DictReader(file)
    assert bad["title"] == f"'{HOSTILE}"  # no formula for a spreadsheet
    assert bad["error_message"] == "'broken;' =1+1"
    assert (good["title"], good["cost_usd"], good["status"]) == ("Good", "0.5", "completed")


def test_what_is_deleted_elsewhere_is_selected_no_more(
    filled: Server, open_dashboard: Open
) -> None:
    page = open_dashboard("/projects/many", server=filled).page
    box(page, "Task 9").click()
    box(page, "Task 8").click()
    selected(page, 2)
    filled.http.delete("/api/projects/many/tasks/t9").raise_for_status()
    selected(page, 1)


def test_what_is_kept_of_a_selection_has_no_titles(filled: Server, open_dashboard: Open) -> None:
    page = open_dashboard("/projects/many", server=filled).page
    box(page, "Task 9").click()
    selected(page, 1)
    kept = json.dumps(page.evaluate("() => history.state"))
    assert '"t9"' in kept
    assert "Task 9" not in kept
