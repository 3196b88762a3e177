"""`/docs` and `/redoc` in a browser that has no network, and how their files are served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import launch
from tests.support.server import KEY, Server

# Not a loopback name: there the viewers behave as on anybody's machine.
HOST = "tracker.example"
TIMEOUT = 30_000  # ms, for a busy machine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server.start(tmp_path_factory.mktemp("docs") / "server", "--allowed-host", HOST)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with launch(chromium, f"--host-resolver-rules=MAP {HOST} 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A page that asks nobody but the server for anything, and finds no fault."""
    page = browser.new_page(base_url=server.url.replace("127.0.0.1", HOST))
    page.set_default_timeout(TIMEOUT)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    yield page
    page.close()
    assert asked
    own = server.url.replace("127.0.0.1", HOST) + "/"
    assert [url for url in asked if not url.startswith((own, "data:", "blob:"))] == []
    assert complaints == []


def operations(server: Server) -> list[dict[str, Any]]:
    paths = server.http.get("/openapi.json").json()["paths"].values()
    return [operation for methods in paths for operation in methods.values()]


@pytest.mark.browser
def test_swagger_ui_shows_every_operation_and_tries_one_out(server: Server, page: Page) -> None:
    page.goto("/docs")
    for operation in operations(server):
        summary = page.get_by_text(operation["summary"], exact=True)
        expect(summary).to_be_visible(timeout=TIMEOUT)

    page.get_by_role("button", name="Authorize").click()
    recommended = page.locator(".auth-container", has_text="X-API-Key").first
    recommended.get_by_role("textbox").fill(KEY)
    recommended.get_by_role("button", name="Apply credentials").click()
    page.locator(".close-modal").click()

    start = page.locator("#operations-Webhooks-report_start")
    start.locator(".opblock-summary-control").click()
    start.get_by_role("button", name="Try it out").click()
    with page.expect_response("**/webhook/start") as answered:
        start.get_by_role("button", name="Execute").click()
    assert answered.value.status == 201
    live = start.locator(".live-responses-table")
    expect(live).to_contain_text("201", timeout=TIMEOUT)
    expect(live).to_contain_text("Task started successfully")
    assert server.task("my-project", "task-123")["title"] == "Разработка новой фичи"


@pytest.mark.browser
def test_redoc_shows_every_operation_and_finds_one(server: Server, page: Page) -> None:
    page.goto("/redoc")
    menu = page.get_by_role("list").first
    opened = ""
    for operation in sorted(operations(server), key=lambda operation: operation["tags"]):
        if operation["tags"] != opened:
            opened = operation["tags"]
            menu.get_by_text(*opened, exact=True).click()
        item = menu.get_by_text(operation["summary"], exact=True)
        expect(item).to_be_visible(timeout=TIMEOUT)
    item.click()  # the last of the webhooks
    expect(page.get_by_role("heading", name=item.inner_text())).to_be_visible(timeout=TIMEOUT)
    expect(page.get_by_text("claude-3-5-sonnet").first).to_be_visible(timeout=TIMEOUT)

    page.get_by_text("Search").first.click()
    page.keyboard.type("stack_trace")
    expect(page.get_by_text("/webhook/error").last).to_be_visible(timeout=TIMEOUT)


def assets(server: Server) -> list[str]:
    """The addresses of all that the pages load."""
    found = []
    for path in ("/docs", "/redoc"):
        page = server.http.get(path)
        found += [part.partition('"')[0] for part in page.text.split('="') if "/assets/" in part]
    return [*dict.fromkeys(url for url in found if url.startswith("/"))]


def test_files_are_compressed_where_that_is_taken_and_not_sent_twice(server: Server) -> None:
    urls = assets(server)
    assert len(urls) >= 4
    for url in urls:
        plain = server.http.get(url, headers={"Accept-Encoding": "identity"})
        packed = server.http.get(url, headers={"Accept-Encoding": "br, gzip"})
        assert (plain.status_code, packed.status_code) == (200, 200), url
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert packed.content == plain.content
        refused = server.http.get(url, headers={"Accept-Encoding": "gzip;q=0"})
        assert "Content-Encoding" not in refused.headers
        again = server.http.get(url, headers={"If-None-Match": packed.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        kinds = {"css": "text/css", "js": "text/javascript"}
        assert plain.headers["Content-Type"].startswith(kinds[url.rpartition(".")[2]])
        assert plain.headers["X-Content-Type-Options"] == "nosniff"


def test_a_viewer_is_sent_at_a_third_of_its_size(server: Server) -> None:
    url = "/docs/assets/redoc.js"
    with server.http.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
        sent = sum(map(len, answer.iter_raw()))
    whole = len(server.http.get(url, headers={"Accept-Encoding": "identity"}).content)
    assert sent < whole / 3


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fauth.py", "introduction.md", "scalar.js"])
def test_no_other_file_is_served(server: Server, name: str) -> None:
    answer = server.http.get(f"/docs/assets/{name}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_pages_and_files_need_no_key_and_are_not_limited(
    start_server: Callable[..., Server],
) -> None:
    server = start_server("--rate-limit-api", "1", "--rate-limit-webhook", "1", limits=True)
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        for url in 2 * ["/docs", "/redoc", "/openapi.json", *assets(server)]:
            answer = http.get(url)
            assert answer.status_code == 200, url
            assert "RateLimit" not in answer.headers
        home: Any = http.get("/")
        assert home.is_redirect or home.status_code == 200
