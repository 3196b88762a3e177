"""The page without its server, and as a program of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard, until
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]
READY = """async () => {
    await navigator.serviceWorker.ready;
    for (;;) {
        const cache = await caches.open("tracker-page");
        if ((await cache.keys()).length > 3) return;
        await new Promise((again) => setTimeout(again, 20));
    }
}"""


def test_it_opens_without_its_server_and_says_since_when(
    open_dashboard: Open, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    page = open_dashboard(server=server, service_workers="allow").page
    page.evaluate(READY)
    seen = page.evaluate("Date.now() - 3600_000")
    server.stop()
    page.evaluate("at => localStorage.setItem('tracker.lastLive', at)", seen)
    page.goto(f"{server.url}/events")
    since = page.evaluate(
        "at => new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' }).format(at)",
        seen,
    )
    expect(page.locator("body")).to_contain_text(
        re.compile(rf"Offline since (\d+ \w+ )?{since}")  # after midnight, with its day
    )


def test_another_program_at_its_address_is_let_through(
    open_dashboard: Open, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    page = open_dashboard(server=server, service_workers="allow").page
    page.evaluate(READY)
    page.context.route(
        re.compile(re.escape(server.url) + "/$"),
        lambda route: route.fulfill(body="<h1>Another</h1>", content_type="text/html"),
    )
    page.goto(f"{server.url}/")
    expect(page.get_by_role("heading", name="Another")).to_be_visible()
    until(page, "async () => !(await navigator.serviceWorker.getRegistration())")


@pytest.mark.parametrize("prefix", ["", "/tools/tracker"])
def test_what_browsers_ask_to_install_it(
    start_server: Callable[..., Server], prefix: str, open_dashboard: Any
) -> None:
    server = start_server(*(("--root-path", prefix) if prefix else ()))
    page = server.http.get("/").text
    assert f'<link rel="manifest" href="{prefix}/manifest.json">' in page
    answer = server.http.get("/manifest.json")
    assert answer.headers["Content-Type"] == "application/manifest+json"
    manifest = answer.json()
    assert manifest["start_url"] == manifest["scope"] == f"{prefix}/"
    for icon in manifest["icons"]:
        assert icon["src"].startswith(f"{prefix}/assets/")
        found = server.http.get(icon["src"].removeprefix(prefix))
        assert (found.status_code, found.headers["Content-Type"]) == (200, icon["type"])
    worker = server.http.get("/worker.js")
    assert worker.headers["Cache-Control"] == "no-cache"
    assert "import" not in worker.text
