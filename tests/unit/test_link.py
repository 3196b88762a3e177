"""The connection that is kept between reports."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from agent_task_tracker.address import Address
from agent_task_tracker.credentials import ExplicitKey
from agent_task_tracker.link import Link

# `select` takes descriptors below this number.
_MOST_OF_SELECT = 1024


class _Server(ThreadingHTTPServer):
    connections = 0

    def get_request(self) -> tuple[object, object]:  # type: ignore[override]
        self.connections += 1
        return super().get_request()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_job_with_many_open_files_keeps_its_connection() -> None:
    resource = pytest.importorskip("resource")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * _MOST_OF_SELECT:
        pytest.skip("so many files cannot be open here")
    server = _Server(("127.0.0.1", 0), _Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    with ExitStack() as stack:
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        for _ in range(_MOST_OF_SELECT):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        url = f"http://127.0.0.1:{server.server_port}"
        with closing(Link(Address(url), ExplicitKey("key"))) as link:
            for _ in range(3):
                assert link.post("/x", b"{}").status == 200
    assert server.connections == 1
