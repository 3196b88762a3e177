"""Tokens and cost: of a task, its helpers, sessions, agents and models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard, low_contrast
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


def used(tokens: int, cost: float | None = None, model: str | None = "sonnet") -> dict[str, Any]:
    told = {"input_tokens": tokens, "output_tokens": 20, "cache_read_tokens": 8000, "model": model}
    return {**told, "cost_usd": cost}


def test_it_is_shown_wherever_it_was_told(open_dashboard: Open, server: Server) -> None:
    server.report("start", "web", "a", task="Mend it", session="s", usage=used(12_400, 0.4))
    helper = {"parent_task_id": "a", "session": "s", "agent": "helper"}
    server.report("finish", "web", "b", task="Look", usage=used(1000, 0.0042, "haiku"), **helper)
    server.report(
        "finish", "web", "c", task="Tokens", agent="codex", usage=used(2_000_000, None, "")
    )
    server.report("finish", "bare", "d", task="Nothing told")
    dashboard = open_dashboard("/projects/web", server=server)
    page = dashboard.page
    costs = page.locator("task-row .cell-used")
    expect(costs).to_have_text(["2m tokens", "$0.0042", "$0.40"])
    dashboard.go("/projects/web/tasks/a")
    facts = page.locator(".facts > div")
    expect(facts.filter(has_text="Used with what")).to_contain_text("$0.40 · 13.4k in")
    expect(facts.filter(has_text="Used$0.40")).to_contain_text("12.4k in · 20 out · 8k from cache")
    server.report("status", "web", "a", message="on", usage=used(13_000, 0.5))
    expect(page.locator(".task-message")).to_have_text("on")
    expect(facts.filter(has_text="Used$0.40")).to_be_visible()  # not what the report alone told
    dashboard.go("/")
    expect(page.locator("agent-line")).to_contain_text("$0.50")
    dashboard.go("/stats")
    models = page.get_by_role("table", name="Models").locator("tbody tr")
    expect(models).to_have_count(2)  # what runs has not ended
    expect(models.nth(0)).to_contain_text("haiku")
    expect(models.filter(has_text="Not told")).to_contain_text("2m")
    expect(models.filter(has_text="Not told").get_by_role("link")).to_have_count(0)
    agents = page.get_by_role("table", name="Agents").locator("tbody tr")
    expect(agents.filter(has_text="helper")).to_contain_text("$0.0042")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert low_contrast(page) == []
    dashboard.go("/projects/bare")
    expect(page.locator("task-row .row-link")).to_have_text("Nothing told")
    expect(page.locator(".cell-used").first).to_be_hidden()


def test_a_title_is_never_what_gives_way(open_dashboard: Open, server: Server) -> None:
    long = {"agent": "claude-code/a-very-long-name-of-a-helper", "usage": used(1, 0.5)}
    server.report("start", "p", "a", task="A title of some length, to be read", **long)
    page = open_dashboard("/projects/p", server=server).page
    title = page.locator("task-row .cell-title")
    for width in (320, 700, 780, 900, 1024, 1180, 1440, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        expect(title).to_be_visible()
        box = title.bounding_box()
        assert box is not None
        assert box["width"] >= 150, width
