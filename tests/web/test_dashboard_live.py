"""Signing in and out, and a page that stays open: restarts, time, a flood of events."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.support.cli import run
from tests.support.clocked import ClockedServer
from tests.support.dashboard import Dashboard
from tests.support.proxy import Proxy
from tests.support.server import KEY, Server, wait_for

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


def test_the_key_in_the_address_signs_in_and_goes(open_dashboard: Open) -> None:
    dashboard = open_dashboard("/projects")
    dashboard.heading("Projects")
    dashboard.at("/projects")
    stored = dashboard.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert KEY not in stored
    assert dashboard.page.evaluate("document.cookie") == ""
    dashboard.page.reload()
    dashboard.heading("Projects")


def test_the_form_signs_in_and_the_button_out(open_dashboard: Open) -> None:
    dashboard = open_dashboard("/stats", key="")
    page = dashboard.page
    page.get_by_label("API key").fill("not-the-key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the key of this server.")
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    dashboard.heading("Insights")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_focused()
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()
    cookies = page.context.cookies()
    assert cookies == []


def test_signing_out_holds_for_all_tabs(open_dashboard: Open) -> None:
    dashboard = open_dashboard("/events")
    other = dashboard.page.context.new_page()
    other.goto(f"{dashboard.server.url}/stats")
    expect(other.locator(".state")).to_have_attribute("data-state", "live")
    dashboard.page.get_by_role("button", name="Sign out").click()
    for page in (dashboard.page, other):
        expect(page.get_by_label("API key")).to_be_visible()


def test_signing_out_holds_for_other_browsers_of_that_session(open_dashboard: Open) -> None:
    """A copied cookie: from then on it neither shows nor follows anything."""
    dashboard = open_dashboard("/events")
    other = open_dashboard("/stats", key="")
    other.page.context.add_cookies(dashboard.page.context.cookies())
    other.go("/stats")
    dashboard.page.get_by_role("button", name="Sign out").click()
    for page in (dashboard.page, other.page):
        expect(page.get_by_label("API key")).to_be_visible()


def test_signing_out_everywhere(open_dashboard: Open, start_server: Callable[..., Server]) -> None:
    server = start_server()
    dashboard, other = (open_dashboard(path, server=server) for path in ("/settings", "/stats"))
    dashboard.page.get_by_role("button", name="Sign out everywhere").click()
    for page in (dashboard.page, other.page):
        expect(page.get_by_label("API key")).to_be_visible()


def test_what_was_typed_outlives_another_refusal(open_dashboard: Open) -> None:
    """Each request of a page that is signed out is refused, some of them late."""
    page = open_dashboard("/settings", key="").page
    held: list[Route] = []
    page.route("**/api/tasks?*", lambda route: held.append(route))  # noqa: PLW0108
    page.goto(f"{page.url.removesuffix('/settings')}/tasks")
    page.get_by_label("API key").fill("half a k")
    wait_for(lambda: page.wait_for_timeout(10) or held, what="a read")
    with page.expect_response("**/api/tasks?*") as refused:
        held[0].continue_()
    assert refused.value.status == 401
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(page.get_by_label("API key")).to_have_value("half a k")


def test_a_wrong_key_in_the_address_asks_for_the_right_one(open_dashboard: Open) -> None:
    dashboard = open_dashboard(key="wrong-key")
    expect(dashboard.page.get_by_label("API key")).to_be_visible()
    expect(dashboard.page.get_by_role("alert")).to_have_text("This is not the key of this server.")
    dashboard.at("/")


def restarted(server: Server, start_server: Callable[..., Server], **options: object) -> Server:
    """The same server once more, at the same address."""
    port = str(server.ready["port"])
    return start_server("--db", str(server.database), "--port", port, **options)


def test_a_restart_is_lived_through(
    open_dashboard: Open, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    server.report("start", "p", "before", task="Before")
    dashboard = open_dashboard("/events", server=server)
    page = dashboard.page
    page.evaluate("window.sameDocument = true")
    expect(page.locator("event-row")).to_have_count(1)
    server.stop()
    expect(page.locator(".state")).to_contain_text("Offline since")
    again = restarted(server, start_server)
    for number in range(5):
        again.report("start", "p", f"after{number}", task=f"After {number}")
    dashboard.is_live()
    expect(page.locator("event-row")).to_have_count(6)
    titles = page.locator("event-row .event-task").all_inner_texts()
    assert titles == [*(f"After {n}" for n in reversed(range(5))), "Before"]
    again.report("finish", "p", "after4", task="After 4")
    expect(page.locator("event-row")).to_have_count(7)
    assert page.evaluate("window.sameDocument") is True


def test_another_database_is_read_afresh(
    open_dashboard: Open, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    for number in range(3):
        server.report("start", "old", f"{number}", task="Of the old database")
    dashboard = open_dashboard(server=server)
    expect(dashboard.lines("Of the old database")).to_have_count(3)
    server.stop()
    other = start_server("--port", str(server.ready["port"]), variables={"SECRET_KEY": "x" * 20})
    dashboard.page.get_by_label("API key").fill(KEY)  # a session of the other secret is none
    other.report("start", "new", task="Of the new database")
    dashboard.page.get_by_role("button", name="Sign in").click()
    expect(dashboard.lines("Of the new database")).to_have_count(1)
    expect(dashboard.lines("Of the old database")).to_have_count(0)


def test_a_log_that_was_lost_is_read_afresh(
    open_dashboard: Open, start_server: Callable[..., Server]
) -> None:
    secret = {"SECRET_KEY": "secret-of-the-suite"}
    server = start_server(variables=secret)
    for number in range(3):
        server.report("start", "old", f"{number}", task="Of the old database")
    dashboard = open_dashboard(server=server)
    expect(dashboard.lines("Of the old database")).to_have_count(3)
    server.stop()
    other = start_server("--port", str(server.ready["port"]), variables=secret)
    dashboard.is_live()
    other.report("start", "new", task="Of the new database")
    expect(dashboard.lines("Of the new database")).to_have_count(1)
    expect(dashboard.lines("Of the old database")).to_have_count(0)


def test_a_new_key_asks_to_sign_in(
    open_dashboard: Open, start_server: Callable[..., Server]
) -> None:
    secret = {"SECRET_KEY": "secret-of-the-suite"}
    server = start_server(variables=secret)
    dashboard = open_dashboard(server=server)
    server.stop()
    restarted(server, start_server, key="another-key-of-the-suite", variables=secret)
    expect(dashboard.page.get_by_label("API key")).to_be_visible()


def test_a_network_that_goes_and_comes(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    dashboard = open_dashboard()
    dashboard.page.context.set_offline(True)
    expect(dashboard.page.locator(".state")).to_contain_text("Offline since")
    shared_server.report("start", project, task="Meanwhile")
    dashboard.page.context.set_offline(False)
    dashboard.is_live()
    expect(dashboard.lines("Meanwhile")).to_have_count(1)


def test_silence_is_no_failure(open_dashboard: Open) -> None:
    clocked = ClockedServer(stale_after=5)
    try:
        _silence(open_dashboard, clocked)
    finally:
        clocked.stop()


def _silence(open_dashboard: Open, clocked: ClockedServer) -> None:
    clocked.report("start", "p", "quiet", task="Quiet one")
    dashboard = open_dashboard(server=clocked)
    quiet = dashboard.lines("Quiet one")
    expect(quiet.locator(".line-status")).to_have_text("Running")
    clocked.clock.advance(seconds=6)
    clocked.report("start", "p", "busy", task="Busy one")
    expect(quiet.locator(".line-status")).to_have_text("Silent")
    expect(dashboard.lines("Busy one").locator(".line-status")).to_have_text("Running")
    expect(dashboard.page.locator(".tally-silent strong")).to_have_text("1")
    # The server's clock is years behind the browser's: its own time is what counts.
    expect(quiet.locator("time-shown")).to_have_text(re.compile(r"^\d\d? s$"))
    clocked.report("status", "p", "quiet", task="Quiet one", message="still here")
    expect(quiet.locator(".line-status")).to_have_text("Running")


def test_a_flood_ends_up_right(open_dashboard: Open, server: Server) -> None:
    dashboard = open_dashboard(server=server)
    with httpx.Client(base_url=server.url, headers={"X-API-Key": KEY}, trust_env=False) as http:
        for number in range(1500):
            body = {"project": "flood", "task": "Drop", "task_id": str(number % 10), "agent": "a"}
            http.post("/webhook/status", json={**body, "progress": number // 15})
    lines = dashboard.lines("Drop")
    expect(lines).to_have_count(10)
    for index in range(10):
        expect(lines.nth(index).get_by_role("progressbar")).to_have_attribute("aria-valuenow", "99")


def test_a_failure_out_of_sight_is_counted_in_the_title(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    page = open_dashboard().page
    expect(page).to_have_title("Now · Agent Task Tracker")
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
    page.evaluate(hide % "true")
    shared_server.report("error", project, task="Unseen")
    expect(page).to_have_title("(1) Now · Agent Task Tracker")
    page.evaluate(hide % "false" + "; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page).to_have_title("Now · Agent Task Tracker")


def test_a_restore_is_obeyed_by_a_page_that_stays_open(
    open_dashboard: Open, tmp_path: Path
) -> None:
    """What it undid goes; what is older is still there, though its numbers are far away."""
    server = Server.start(tmp_path / "server")
    port = str(server.ready["port"])
    server.report("start", "project", "kept", task="In the backup")
    db = ("--db", str(server.database))
    assert run("backup", "copy.db", *db, home=tmp_path).returncode == 0
    server.report("start", "project", "undone", task="After the backup")
    dashboard = open_dashboard("/events", server=server)
    page = dashboard.page
    expect(page.get_by_text("After the backup")).to_be_visible()
    assert server.stop() == 0
    assert run("restore", "copy.db", *db, home=tmp_path).returncode == 0
    server = Server.start(tmp_path / "server", "--port", port)
    try:
        page.get_by_label("API key").fill(KEY)  # sessions end with a restore
        page.get_by_role("button", name="Sign in").click()
        dashboard.is_live()
        expect(page.get_by_text("In the backup")).to_be_visible()
        expect(page.get_by_text("After the backup")).to_have_count(0)
        server.report("status", "project", "kept", task="In the backup", message="goes on")
        expect(page.get_by_text("goes on")).to_be_visible()
    finally:
        assert server.stop() == 0


def test_a_proxy_that_changes_the_host_is_named(
    browser: Browser, shared_server: Server, project: str
) -> None:
    """The API works behind it, the WebSocket does not: its origin is none of the server's."""
    proxy = Proxy(
        shared_server, lambda head: re.sub(rb"(?im)^host: .*\r\n", b"Host: localhost\r\n", head)
    )
    proxy.start()
    page = browser.new_page()
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    try:
        page.goto(f"{proxy.url}/#key={KEY}")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("changes the header Host")
        expect(alert).to_contain_text(f"--cors-origin {proxy.url}")
        expect(page.locator(".state")).to_have_attribute("data-state", "offline")
        page.wait_for_timeout(1500)
        assert len(opened) == 1  # it does not try again and again
    finally:
        page.close()
        proxy.stop()
