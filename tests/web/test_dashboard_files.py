"""What the dashboard is made of, as it is served; and the API that is there for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

import tracker
from tests.support.clocked import ClockedServer
from tests.support.dashboard import Held, until
from tests.support.server import KEY, Server, quote

APP = Path(tracker.__file__).parent / "web" / "app"
BUILT = APP.with_name("built")
# On first load, compressed, with the fonts of two alphabets.
MOST_BYTES = 150_000
MOST_REQUESTS = 12
PAGES = ("/", "/projects", "/projects/org%2Frepo", "/projects/p/board", "/projects/p/timeline")
MORE_PAGES = ("/projects/p/tasks/a%2Fb", "/timeline", "/stats", "/events", "/settings", "/?q=1")


@pytest.mark.parametrize("path", [*PAGES, *MORE_PAGES])
def test_every_address_is_the_page_and_needs_no_key(shared_server: Server, path: str) -> None:
    page = httpx.get(shared_server.url + path, verify=False, trust_env=False)
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.text == httpx.get(shared_server.url, verify=False, trust_env=False).text


def test_nothing_may_run_or_be_reached_but_this_server(shared_server: Server) -> None:
    page = httpx.get(shared_server.url, verify=False, trust_env=False)
    policy = dict(
        directive.strip().partition(" ")[::2]
        for directive in page.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*src=)|\bstyle=|\bon\w+=|https?:", page.text)


def test_what_the_page_names_is_there_for_good(shared_server: Server) -> None:
    page = httpx.get(shared_server.url, verify=False, trust_env=False).text
    links = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
    names = {link.split("/", 3)[3] for link in links}
    parts = {name for name in names if name.startswith("chunk-")}
    (font,) = (name for name in names if name.endswith(".woff2"))
    assert font.startswith("inter-latin-wght-normal-")
    others = {"early.js", "main.js", "main.css", "icon.svg", "icon-180.png"}
    assert names - parts - {font} == others
    for link in links:
        asset = httpx.get(shared_server.url + link, verify=False, trust_env=False)
        assert asset.status_code == 200
        assert asset.content == (BUILT / link.split("/", 3)[3]).read_bytes()
        assert "immutable" in asset.headers["Cache-Control"]
        assert asset.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_itself_is_asked_for_anew(shared_server: Server) -> None:
    page = httpx.get(shared_server.url, verify=False, trust_env=False)
    assert page.headers["Cache-Control"] == "no-cache"
    headers = {"If-None-Match": page.headers["ETag"]}
    assert (
        httpx.get(shared_server.url, headers=headers, verify=False, trust_env=False).status_code
        == 304
    )


@pytest.mark.parametrize(
    "name", ["none.js", "../app.py", "..%2f..%2fapp.py", "index.html", "packages.json", ""]
)
def test_no_other_file_is_served(shared_server: Server, name: str) -> None:
    page = httpx.get(shared_server.url, verify=False, trust_env=False).text
    base = re.findall(r'"(/assets/\w+)/main.js"', page)[0]
    assert shared_server.http.get(f"{base}/{name}").status_code == 404
    assert shared_server.http.get(f"/assets/other/{name}").status_code == 404


@pytest.mark.browser
def test_what_is_read_first_is_asked_for_early_and_once(
    server: Server, open_dashboard: Any
) -> None:
    server.report("start", "p", "a", task="First")
    dashboard = open_dashboard(server=server)
    dashboard.page.reload()  # signed in: nothing has to be waited for
    dashboard.is_live()
    dashboard.page.wait_for_selector("task-line")
    asked = dashboard.page.evaluate(
        "performance.getEntriesByType('resource')"
        ".map(({ name }) => name.replace(location.origin, ''))"
    )
    assert dashboard.page.evaluate("globalThis.early.size") == 0  # all of it was taken
    for path in ("/api/info", "/api/now", "/api/sessions"):
        assert [address.partition("?")[0] for address in asked].count(path) == 1, asked


@pytest.mark.browser
def test_a_key_in_the_address_is_taken_however_late_the_early_reads_are(
    server: Server, browser: Any
) -> None:
    server.report("start", "p", "a", task="First")
    page = browser.new_page(service_workers="block")
    early = Held(page, "**/early.js")
    asks = Held(page, "**/api/session")
    page.goto(f"{server.url}/#key={KEY}", wait_until="commit")
    until(page, "() => !location.hash")  # the key is on its way, and is no session yet
    early.release()
    until(page, "() => document.readyState === 'complete'")  # it has run
    asks.release()
    expect(page.locator("task-line")).to_have_count(1)
    page.close()


@pytest.mark.browser
def test_the_first_rows_need_no_formatter_of_the_browsers(
    server: Server, open_dashboard: Any
) -> None:
    """The first one that a page makes takes as long as all its rows."""
    server.report("start", "p", "a", task="First", agent="codex", usage={"input_tokens": 15_300})
    page = open_dashboard(server=server).page
    page.add_init_script(
        """window.made = [];
        for (const name of ["NumberFormat", "DateTimeFormat", "RelativeTimeFormat", "Collator"]) {
          Intl[name] = new Proxy(Intl[name], {
            construct(...of) { window.made.push(name); return Reflect.construct(...of); },
            apply(...of) { window.made.push(name); return Reflect.apply(...of); },
          });
        }
        new PerformanceObserver(() => (window.madeFirst ??= [...window.made]))
          .observe({ type: "mark" });
        """
    )
    page.reload()
    expect(page.locator(".agent-used")).to_have_text("15.3k tokens")
    until(page, "() => window.madeFirst !== undefined")
    assert page.evaluate("window.madeFirst") == []


@pytest.mark.browser
def test_the_first_load_is_small(server: Server, open_dashboard: Any) -> None:
    server.report("start", "проект", "a", task="Перевести")  # needs both fonts
    page = open_dashboard(server=server).page
    page.wait_for_selector("task-line")
    until(page, "() => document.fonts.status === 'loaded'")
    sizes = page.evaluate(
        """["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type))
        .filter(({ name, startTime }) => name.endsWith(".woff2")
          || startTime < performance.getEntriesByName("shown")[0].startTime)
        .map(({ name, encodedBodySize }) => [name, encodedBodySize])"""
    )
    assert len(sizes) <= MOST_REQUESTS, sizes
    assert 50_000 < sum(size for _, size in sizes) <= MOST_BYTES, sizes


def test_the_types_of_every_module_are_checked() -> None:
    for file in APP.rglob("*.js"):
        assert file.read_text(encoding="utf-8").startswith("// @ts-check\n"), file


def test_no_text_is_ever_taken_for_html() -> None:
    sinks = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|srcdoc")
    for file in APP.rglob("*.js"):
        assert not sinks.search(file.read_text(encoding="utf-8")), file


def test_info(shared_server: Server, start_server: Any) -> None:
    info = shared_server.http.get("/api/info").json()
    assert info["version"] == tracker.__version__
    assert info["database"] == str(shared_server.database)
    assert info["api_key_file"] is None  # the key was given
    assert info["limits"] == {
        "webhooks_per_minute": 0,
        "api_requests_per_minute": 0,
        "agents_payloads_per_minute": 0,
        "websockets_per_project": 10,
        "body_bytes": 1_048_576,
        "stack_trace_bytes": 10_240,
        "retain_days": 0,
        "retain_bytes": 0,
        "retain_audit_days": 365,
        "keep_messages": 14,
    }
    own = start_server("--retain-days", "0.5", "--retain-bytes", "100000000", key=None)
    key_file = own.database.with_name("tracker.db.api-key")
    headers = {"X-API-Key": key_file.read_text(encoding="utf-8").strip()}
    info = own.http.get("/api/info", headers=headers).json()
    assert info["api_key_file"] == str(key_file)
    limits = info["limits"]
    assert (limits["retain_days"], limits["retain_bytes"]) == (0.5, 100_000_000)
    assert headers["X-API-Key"] not in str(info)


def test_info_tells_the_time_and_the_newest_event(clocked: ClockedServer) -> None:
    assert clocked.get("/api/info")["last_id"] == 0
    event = clocked.report("start", "p").json()["event_id"]
    info = clocked.get("/api/info")
    assert (info["last_id"], info["timestamp"]) == (event, "2024-01-15T10:00:00.000Z")


def test_now_is_what_runs_and_what_ended_last(clocked: ClockedServer) -> None:
    clocked.report("finish", "a", "yesterday")
    clocked.clock.advance(days=1)
    for number in range(3):
        clocked.clock.advance(seconds=1)
        clocked.report("start", "a", f"runs{number}")
        clocked.report("finish", "b/c", f"done{number}", result="x" * 2000)
    clocked.report("status", "a", "waits", status="pending", message="soon")
    last = clocked.report("error", "b/c", "bad").json()["event_id"]
    now = clocked.get("/api/now", ended=3)
    assert [task["task_id"] for task in now["active"]] == ["waits", "runs2", "runs1", "runs0"]
    assert [task["task_id"] for task in now["ended"]] == ["bad", "done2", "done1"]
    assert now["today"] == {"completed": 3, "failed": 1}
    assert now["last_id"] == last
    assert now["active"][0]["message"] == "soon"
    ended = now["ended"][1]
    assert (ended["project"], ended["status"], len(ended["result"])) == ("b/c", "completed", 500)
    assert now["ended"][0]["error_type"] == "E"
    assert [task["task_id"] for task in clocked.get("/api/now", active=1)["active"]] == ["waits"]


def test_search_looks_in_all_projects(server: Server) -> None:
    server.report("start", "one", "a", task="Repair the engine")
    server.report("error", "two", "b", task="Other", error_message="engine stalled")
    server.report("start", "two", "c", task="Other")

    def found(text: str) -> list[str]:
        return [
            task["task_id"]
            for task in server.http.get(f"/api/search?q={quote(text)}").json()["tasks"]
        ]

    from tests.support.server import wait_for

    wait_for(lambda: found("engine") == ["b", "a"], what="the index to follow")
    assert found("engi repa") == ["a"]
    assert found('"unbalanced AND (') == []
    assert found("") == []


def test_trends(clocked: ClockedServer) -> None:
    for agent, seconds in [("fast", 1), ("fast", 2), ("fast", 9), ("slow", 3000), ("slow", 20_000)]:
        clocked.report("finish", "p", f"{agent}{seconds}", agent=agent, duration_seconds=seconds)
    clocked.clock.advance(days=2)
    clocked.report("error", "q", agent="slow")
    trends = clocked.get("/api/stats/trends")
    assert trends["timeline"] == [
        {"date": "2024-01-15", "completed": 5, "failed": 0},
        {"date": "2024-01-17", "completed": 0, "failed": 1},
    ]
    assert trends["agents"] == [
        {"name": "fast", "sample": 3, "median_duration": 2},
        {"name": "slow", "sample": 3, "median_duration": 3000},
    ]
    assert trends["durations"]["sample"] == 6
    assert trends["durations"]["median"] == 5.5
    filled = {
        bar["up_to"]: bar["count"] for bar in trends["durations"]["histogram"] if bar["count"]
    }
    assert filled == {1: 2, 5: 1, 15: 1, 3600: 1, None: 1}
    assert clocked.get("/api/stats/trends", days=1)["timeline"][0]["date"] == "2024-01-17"


def test_trends_of_nothing(clocked: ClockedServer) -> None:
    trends = clocked.get("/api/stats/trends")
    assert (trends["timeline"], trends["agents"]) == ([], [])
    assert trends["durations"]["median"] == 0
