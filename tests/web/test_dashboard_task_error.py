"""Why a task failed, and what its attempts were."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard
from tests.support.server import Server
from tests.support.task_page import TRACE, path_of, tab

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


def test_an_error_shows_whose_code_it_was(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report(
        "error", project, error_type="ConnectError", error_message="refused", stack_trace=TRACE
    )
    dashboard = open_dashboard(path_of(project), permissions=["clipboard-read", "clipboard-write"])
    page = dashboard.page
    expect(page.locator(".trace-error")).to_have_text("httpx.ConnectError: refused\n")
    expect(page.locator(".trace-origin")).to_contain_text("main.py")
    fold = page.locator(".trace-fold")
    expect(fold.locator("summary")).to_have_text("2 frames in libraries")
    expect(page.get_by_text("self.request")).to_be_hidden()
    page.get_by_role("checkbox", name="Show libraries' code").check()
    expect(page.get_by_text("self.request")).to_be_visible()
    page.locator(".snippet").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == TRACE
    page.get_by_role("button", name="Copy the error").click()
    expect(page.get_by_role("button", name="Copied")).to_have_count(2)
    assert page.evaluate("navigator.clipboard.readText()") == f"ConnectError: refused\n\n{TRACE}"


def test_attempts_are_compared(open_dashboard: Open, shared_server: Server, project: str) -> None:
    def fail(number: int) -> None:
        shared_server.report("start", project, task="Again")
        shared_server.report("status", project, message=f"try {number}")
        shared_server.report(
            "error", project, error_message=f"broke {number}", stack_trace=f"{TRACE} {number}"
        )

    fail(1)
    dashboard = open_dashboard(path_of(project))
    page = dashboard.page
    expect(page.get_by_role("tab", name="Error")).to_be_visible()
    expect(page.get_by_role("tab", name="Attempts")).to_be_hidden()
    fail(2)
    shared_server.report("start", project)
    shared_server.report("status", project, status="failed", message="gave up")
    fail(4)
    tab(page, "Attempts")
    attempts = page.locator(".attempt")
    choice = page.get_by_role("combobox", name="Attempt to compare")
    expect(choice).to_have_value("3")
    expect(attempts.first).to_contain_text("Failed")
    expect(attempts.last).to_contain_text("broke 4")
    expect(attempts.last).to_contain_text("refused 4")
    page.get_by_role("button", name="The attempt before").click()
    expect(attempts.first).to_contain_text("broke 2")
    expect(attempts.first).to_contain_text("refused 2")
    boxes = [attempts.nth(at).bounding_box() for at in (0, 1)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]  # side by side
    choice.select_option("4")
    expect(attempts).to_have_count(1)
    choice.select_option("1")
    shared_server.report("start", project)
    shared_server.report("finish", project, result="all **well**")
    expect(attempts.last).to_contain_text("Attempt 5, the last")
    expect(attempts.last.locator("strong")).to_have_text("well")
    expect(attempts.first).to_contain_text("broke 1")
    dashboard.at(path_of(project, tab="attempts"))
