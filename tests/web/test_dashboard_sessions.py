"""Agents that are plugged in: their sessions, and sub-agents as tasks that a task has started."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.api.test_hooks import heard, send
from tests.support.dashboard import Dashboard, low_contrast
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

CHILD = {"agent_id": "a1", "agent_type": "Explore", "prompt_id": "p"}


def test_sessions_are_seen_from_their_start_to_their_end(
    open_dashboard: Open, server: Server
) -> None:
    host = {"context": {"host": "laptop"}}
    heard(send(server, "SessionStart", source="startup", **host))
    dashboard = open_dashboard(server=server)
    page = dashboard.page
    sessions = page.get_by_role("list", name="Needs you").locator("session-line")
    agents = page.get_by_role("list", name="Agents").locator("agent-line")
    expect(sessions).to_have_count(1)
    expect(sessions.locator(".line-status")).to_have_text("Your turn")
    expect(sessions).to_contain_text("Waits for your next prompt")
    expect(sessions).to_contain_text("claude-code · laptop")
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="Mend <b>it</b>", **host))
    expect(sessions).to_have_count(0)
    expect(agents.locator(".line-status")).to_have_text("Running")
    expect(agents.locator(".line-link")).to_have_text("Mend <b>it</b>")
    heard(send(server, "SubagentStart", **CHILD))
    expect(agents.locator(".line-link")).to_have_text(["Mend <b>it</b>", "Explore"])
    expect(agents.nth(1)).to_have_attribute("aria-level", "2")
    tool = {"tool_name": "Bash", "tool_input": {"command": "rm -rf build"}}
    heard(send(server, "PermissionRequest", **CHILD, **tool))
    need = page.locator("need-line")
    expect(need).to_contain_text("rm -rf build")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert low_contrast(page) == []
    agents.first.get_by_role("link", name="Session s").click()
    expect(page.locator("h1")).to_have_text("app")
    expect(page.get_by_label("Filter: tokens and words")).to_have_value("session:s")
    expect(page.locator(".row-link")).to_have_count(2)
    dashboard.go("/")
    heard(send(server, "SessionEnd"))
    expect(agents).to_have_count(0)
    expect(need).to_have_count(0)


def test_a_task_lists_those_that_it_has_started(open_dashboard: Open, server: Server) -> None:
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="Mend it"))
    dashboard = open_dashboard("/projects/app/tasks/s%2Fp", server=server)
    page = dashboard.page
    started = page.get_by_role("list", name="Started by it")
    page.get_by_role("tab", name="Graph").click()
    heard(send(server, "SubagentStart", **CHILD))
    expect(started.locator(".line-link")).to_have_text("Explore")
    heard(send(server, "SubagentStop", **CHILD, last_assistant_message="Three files"))
    expect(started).to_contain_text("Three files")
    started.locator(".line-link").click()
    expect(page.locator("h1")).to_have_text("Explore")
    expect(page.locator(".facts")).to_contain_text("s/p")


def test_they_fit_a_phone(open_dashboard: Open, server: Server) -> None:
    title = "A very long prompt without end " * 8
    for number in range(3):
        context = {"host": "a-host-with-a-long-name.example.org"}
        told = {"session_id": f"s{number}", "prompt": title, "context": context}
        heard(send(server, "UserPromptSubmit", **told))
    dashboard = open_dashboard(server=server)
    page = dashboard.page
    page.set_viewport_size({"width": 360, "height": 800})
    expect(page.locator("agent-line")).to_have_count(3)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
