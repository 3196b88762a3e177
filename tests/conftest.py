"""Fixtures: the real server in a process of its own, and clients that connect to it."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import Pair, make
from tests.support.clocked import ClockedServer
from tests.support.ignored_signals import keep_to_ourselves
from tests.support.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.dashboard import Dashboard

ROOT = Path(__file__).parents[1]
REQUIRE_BROWSER = "TRACKER_REQUIRE_BROWSER"


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C ends what tests start, also where it would not end the tests; and the dashboard under
    test is of these sources, with what tests it, whoever started pytest."""
    keep_to_ourselves()
    if not hasattr(config, "workerinput"):
        build = [sys.executable, str(ROOT / "scripts" / "dashboard.py"), "--tools"]
        subprocess.run(build, check=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for scripts/soak.py. Not by an `-m` of pyproject.toml's: one of the user's,
    such as `-m "not browser"`, would take its place."""
    if "soak" not in config.getoption("markexpr"):
        left_out = [item for item in items if item.get_closest_marker("soak")]
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers as a user would; all are stopped at the end. See `Server.start`."""
    servers: list[Server] = []

    def start(*flags: str, **options: object) -> Server:
        folder = tmp_path / f"server{len(servers)}"
        server = Server.start(folder, *flags, **options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    """A server of this test's own, without rate limits."""
    return start_server()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for a whole module whose tests keep to projects of their own."""
    server = Server.start(tmp_path_factory.mktemp("shared") / "server")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """Certificates with their keys: of two kinds, for another name, with a passphrase."""
    folder = tmp_path_factory.mktemp("pairs")
    return {
        "EC": make(folder / "ec"),
        "RSA": make(folder / "rsa", "RSA"),
        "elsewhere": make(folder / "elsewhere", names="DNS:tracker.example"),
        "locked": make(folder / "locked", passphrase="open sesame"),
    }


@pytest.fixture(scope="module")
def https(pairs: dict[str, Pair], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server of HTTPS for a whole module. Whatever was asked of it, its log has no fault."""
    server = Server.start(tmp_path_factory.mktemp("https") / "server", *pairs["EC"].flags)
    yield server
    server.stop()
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


@pytest.fixture
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a Unix socket: its name, a hundred bytes at most, must not grow with the test's."""
    return tmp_path_factory.mktemp("s") / "t.sock"


@pytest.fixture
def clocked() -> Iterator[ClockedServer]:
    """A server of this test's own whose time stands at 2024-01-15T10:00:00Z until it is moved."""
    server = ClockedServer()
    yield server
    server.stop()


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """A project's name that no other test uses."""
    return f"project of {request.node.name}"[:255]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; without one the test is skipped, or fails where CI demands it."""
    found = os.environ.get("TRACKER_CHROMIUM") or shutil.which("chromium")
    if found is None:
        if os.environ.get(REQUIRE_BROWSER):
            pytest.fail("a browser is required here, and there is none")
        pytest.skip("no Chromium; python3 scripts/test.py looks for one")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for a module; each page has a context of its own.

    Not for longer: while Playwright runs, no other event loop can in its thread.
    """
    from tests.support.browser import launch

    with launch(chromium) as started:
        yield started


@pytest.fixture
def open_dashboard(browser: Browser, shared_server: Server) -> Iterator[Callable[..., Dashboard]]:
    """Open pages; see `Dashboard.open`. At the end none of them may have reported problems."""
    from tests.support.dashboard import Dashboard

    opened: list[Dashboard] = []

    def open_(path: str = "/", *, server: Server | None = None, **options: object) -> Dashboard:
        opened.append(Dashboard.open(browser, server or shared_server, path, **options))
        return opened[-1]

    yield open_
    for dashboard in opened:
        dashboard.close()
    assert [problem for dashboard in opened for problem in dashboard.problems] == []


@pytest.fixture
def page_at() -> Iterator[Callable[[str], str]]:
    """Serves a page at an origin of its own, which it returns."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def serve(html: str) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(html.encode())

            def log_message(self, *_: object) -> None:
                """Nothing: pytest's output is for the tests."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
