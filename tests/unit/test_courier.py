"""What a server's answer comes to, whatever it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from agent_task_tracker.address import Address
from agent_task_tracker.courier import Courier
from agent_task_tracker.credentials import ExplicitKey
from agent_task_tracker.destination import Destination
from agent_task_tracker.report import Report
from agent_task_tracker.reports import Reports
from agent_task_tracker.sender import Sender, patient
from agent_task_tracker.spool import Spool
from tests.support.reporting import NAMES, reporter


class _Strange(BaseHTTPRequestHandler):
    """Takes no report now, and names a limit that ended before it began."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"results": [{"status": 503} for _ in given["reports"]]}).encode()
        self.send_response(200)
        self.send_header("RateLimit", '"webhook";r=0;t=-60')
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nowhere."""


@pytest.fixture
def strange() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Strange) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_limit_that_cannot_be_is_waited_for_by_nobody(strange: str, tmp_path: Path) -> None:
    spool, here = Spool(tmp_path), Destination(strange, "")
    fields = {"project": "p", "task_id": "t", **NAMES}
    spool.put(Reports().make("status", fields, lambda _: None), here)
    courier = Courier(Address(strange), ExplicitKey(""))
    delivery = Sender(spool, courier, here).deliver(patient(1))
    courier.close()
    assert delivery is not None
    assert (delivery.sent, delivery.kept) == (0, 1)


def test_what_a_server_did_not_take_is_in_the_spool_before_the_journal_forgets_it(
    strange: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may be killed between the two."""
    settled: list[int] = []
    put = Spool.put

    def seen(spool: Spool, report: Report, destination: Destination) -> bool:
        journals = (tmp_path / "handover").iterdir()
        settled.extend(int(journal.read_bytes().partition(b"\n")[0]) for journal in journals)
        return put(spool, report, destination)

    monkeypatch.setattr(Spool, "put", seen)
    reports = reporter(strange, tmp_path)
    reports.report("status", {"project": "p", "task_id": "t", **NAMES})
    assert not reports.flush(10)
    assert reports.close().spooled == 1
    assert settled == [0]
