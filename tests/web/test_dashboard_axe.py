"""What axe-core finds in every view: nothing, in both themes, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.api.test_hooks import heard, send
from tests.support.dashboard import Dashboard
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

ROOT = Path(__file__).parents[2]
AXE = ROOT / "tracker" / "web" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (1280, 360)

PROJECT = "org/shop <b>"
BASE = f"/projects/{quote(PROJECT, safe='')}"
VIEWS = (
    *("/", "/tasks", "/tasks?status=failed", "/tasks?q=nothing", "/projects", "/events", "/stats"),
    "/timeline",
    *(BASE, f"{BASE}/board", f"{BASE}/timeline"),
    *(f"{BASE}/tasks/{name}" for name in ("runs", "waits", "done", "bad")),
    *(f"{BASE}/tasks/bad?tab={tab}" for tab in ("log", "error", "attempts", "graph", "data")),
    "/settings",
)

# For workers, and the time that a test may take.
PARTS = 3

# Only colours change with the theme, so that in the other one they alone are looked at.
_RUN = """
async (rules) => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const runOnly = rules ? { type: "rule", values: rules } : { type: "tag", values: tags };
  const options = { runOnly, resultTypes: ["violations"], preload: false };
  const { violations, passes } = await axe.run(document, options);
  return {
    looked: passes.length + violations.length,
    found: violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`)),
  };
}
"""


def report_all(server: Server) -> None:
    """Something of each kind that there is to show."""
    report = server.report
    for n in range(12):
        report("finish", PROJECT, f"n{n}", task="Nightly import", result="well", progress=100)
    used = {"input_tokens": 1200, "output_tokens": 340, "cost_usd": 0.42}
    report("start", PROJECT, "runs", task="It runs", metadata={"a": {"b": [1, True, None]}})
    report("status", PROJECT, "runs", task="It runs", progress=30, message="on its way", usage=used)
    report("status", PROJECT, "asks", task="It asks", attention="Allow Bash: rm -rf build?")
    needs = {"dependencies": ["runs", "none"]}
    report("status", PROJECT, "waits", task="It waits", status="pending", metadata=needs)
    text = "# Done\n\n- [x] one\n- [ ] two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n`code` <b>x</b>"
    report("finish", PROJECT, "done", task="It is done", result=text, duration_seconds=60)
    trace = 'Traceback (most recent call last):\n  File "/srv/a.py", line 4, in f\nKeyError: 1'
    for n in range(2):
        report("start", PROJECT, "bad", task="It failed", metadata={**needs, "attempt": n})
        report("status", PROJECT, "bad", task="It failed", progress=10 * n, message="**going** on")
        report("error", PROJECT, "bad", task="It failed", error_message="m", stack_trace=trace)
    report("error", "another", "late", task="Late", error_message="x" * 2000)
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="Mend <b>it</b>"))
    heard(send(server, "SubagentStart", agent_id="a1", agent_type="Explore", prompt_id="p"))
    server.http.post("/api/keys", json={"name": "kept", "role": "read", "projects": [PROJECT]})


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all views have something to show of."""
    server = Server.start(tmp_path_factory.mktemp("axe") / "server")
    report_all(server)
    yield server
    server.stop()


def violations(page: Page) -> list[str]:
    """What axe-core finds in what the page shows, at each width and theme."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for theme, rules in (("light", None), ("dark", ["color-contrast"])):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            told: dict[str, Any] = page.evaluate(_RUN, rules)
            assert told["looked"] > 0
            found += [f"{width} {theme} {one}" for one in told["found"]]
    page.set_viewport_size({"width": WIDTHS[0], "height": 800})
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_axe_finds_nothing_in_any_view(open_dashboard: Open, filled: Server, part: int) -> None:
    dashboard = open_dashboard(server=filled, reduced_motion="reduce")
    found: dict[str, list[str]] = {}
    for path in VIEWS[part::PARTS]:
        dashboard.visit(path)
        found[path] = violations(dashboard.page)
    assert {path: told for path, told in found.items() if told} == {}


def test_axe_finds_nothing_in_dialogs(open_dashboard: Open, filled: Server) -> None:
    dashboard = open_dashboard(server=filled, reduced_motion="reduce")
    page = dashboard.page
    dialog = page.locator("dialog")
    found: dict[str, list[str]] = {}

    def look(name: str, shown: Locator) -> None:
        expect(shown).to_be_visible()
        found[name] = violations(page)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)

    line = page.locator("need-line").filter(has_text="It asks")
    expect(line).to_be_visible()
    page.keyboard.press("Control+K")
    page.keyboard.type("it")
    look("search", dialog.get_by_role("option").first)
    page.keyboard.press("?")
    look("help", dialog)
    for name in ("Snooze", "Mark as failed"):
        line.get_by_role("button", name=name).click()
        look(name, dialog)
    dashboard.visit("/settings")
    for name in ("New key", "Rotate the key kept"):
        page.get_by_role("button", name=name).click()
        look(name, dialog)
    assert {name: told for name, told in found.items() if told} == {}


def test_axe_finds_nothing_around_the_views(open_dashboard: Open, filled: Server) -> None:
    """Alerts, a page that is none, the form that signs in, and being offline."""
    dashboard = open_dashboard("/no/such/page", server=filled, reduced_motion="reduce")
    page = dashboard.page
    found = {"404": violations(page)}
    for n in range(5):
        filled.report("error", PROJECT, f"alert{n}", task="It failed too")
    expect(page.locator(".toast-more")).to_be_visible()
    page.locator(".toast a").first.focus()  # they stay
    found["alerts"] = violations(page)
    page.context.set_offline(True)
    expect(page.locator(".trouble")).to_be_visible()
    found["offline"] = violations(page)
    page.context.set_offline(False)
    dashboard.is_live()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_label("API key").fill("not-the-key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    found["sign in"] = violations(page)
    assert {name: told for name, told in found.items() if told} == {}
