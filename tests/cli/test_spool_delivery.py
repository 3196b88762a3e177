"""Reports that found no server: kept, and delivered once, in order, to whom they are for."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agent_task_tracker.credentials import ExplicitKey, MissingKey
from agent_task_tracker.errors import ClientError
from agent_task_tracker.finding import Found
from agent_task_tracker.reporter import Reporter
from agent_task_tracker.reports import Reports
from agent_task_tracker.spool import Spool
from agent_task_tracker.spool_files import unseal
from tests.cli.test_client import receive_message
from tests.support.cli import run
from tests.support.reporting import (
    NAMES,
    all_events,
    deliver,
    files,
    found,
    messages,
    reporter,
)
from tests.support.server import KEY, Server, wait_for
from tests.support.trap import Trap, reply

KEY_NAME = f"key {ExplicitKey(KEY).key_id}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def report_all(reports: Reporter, project: str, count: int = 5, task_id: str = "t") -> list[str]:
    """A task with so many statuses; their messages."""
    names = {"project": project, "task_id": task_id, **NAMES}
    said = [f"row {number}" for number in range(count)]
    reports.report("start", names)
    for message in said:
        reports.report("status", {**names, "message": message})
    reports.report("finish", names)
    return said


def keep(url: str, folder: Path, project: str, **more: Any) -> list[str]:
    """Report while nobody answers there."""
    with reports_to(url, folder) as reports:
        return report_all(reports, project, **more)


@contextmanager
def reports_to(url: str, folder: Path, key: str = KEY) -> Iterator[Reporter]:
    reports = reporter(url, folder, key)
    yield reports
    closed = reports.close()
    assert closed.lost == 0, closed


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def answering(status: str, *headers: str, body: object = None) -> Callable[..., bytes]:
    """The answer of a Trap."""
    content = json.dumps(body or {"error": {"code": "X", "message": "no"}}).encode()
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    text = "\r\n".join([*head, f"Content-Length: {len(content)}", "", ""]).encode() + content
    return lambda _connection, _request: text


def test_what_finds_no_server_is_a_file_each(spool: Path) -> None:
    keep(f"http://127.0.0.1:{free_port()}", spool, "p")
    assert [path.suffix for path in files(spool)] == [".start", *[".status"] * 5, ".finish"]
    assert all(KEY.encode() not in path.read_bytes() for path in files(spool))


def test_it_is_delivered_in_order_with_its_time_and_once(
    shared_server: Server, spool: Path, project: str
) -> None:
    said = keep(shared_server.url.replace(str(shared_server.ready["port"]), "9"), spool, project)
    first = json.loads(files(spool)[0].read_bytes())["report"]["occurred_at"]
    for path in files(spool):  # as if it had been kept for this server
        content = path.read_bytes().replace(b':9"', f':{shared_server.ready["port"]}"'.encode())
        path.write_bytes(content)
    # They lie in the folder of the other one: moved by hand, as with the files' content.
    target = Spool(spool)
    for waiting in [*target.folder.iterdir()]:
        if waiting.is_dir() and waiting.name not in ("rejected", "handover"):
            waiting.rename(target.folder / found(shared_server.url).destinations()[0].folder_name)
    delivery = deliver(found(shared_server.url), spool)
    assert (delivery.sent, delivery.rejected, delivery.problem) == (7, 0, None)
    assert files(spool) == []
    assert messages(shared_server, project) == said
    task = shared_server.task(project, "t")
    assert (task["status"], task["attempt"], task["started_at"]) == ("completed", 1, first)


@pytest.mark.parametrize("prefix", ["", "/tracker"])
def test_a_server_takes_what_waits_when_it_starts(
    start_server: Callable[..., Server], spool: Path, prefix: str
) -> None:
    port = free_port()
    said = keep(f"http://localhost:{port}{prefix}", spool, "p")
    flags = ("--port", str(port), *(("--root-path", prefix) if prefix else ()))
    server = start_server(*flags, variables={"TRACKER_SPOOL": str(spool)})
    wait_for(lambda: not files(spool))
    assert messages(server, "p") == said
    assert server.task("p", "t")["status"] == "completed"
    assert "Took 7 reports" in server.log
    assert KEY not in server.log


@pytest.mark.parametrize("flags", [("--ephemeral",), ("--db", ":memory:")])
def test_a_server_that_keeps_nothing_takes_none(tmp_path: Path, spool: Path, flags: Any) -> None:
    port = free_port()
    keep(f"http://127.0.0.1:{port}", spool, "p")
    options: dict[str, Any] = {"db": ":memory:"} if ":memory:" in flags else {}
    server = None
    try:
        if "--ephemeral" in flags:
            done = run(
                *("serve", "--ephemeral", "--port", str(port), "--idle-timeout", "1"),
                home=tmp_path,
                variables={"TRACKER_SPOOL": str(spool), "API_KEY": KEY},
            )
            assert done.returncode == 0, done.stderr
        else:
            variables = {"TRACKER_SPOOL": str(spool)}
            server = Server.start(
                tmp_path / "s", "--port", str(port), variables=variables, **options
            )
            assert server.http.get("/health").status_code == 200
    finally:
        if server is not None:
            server.stop()
    assert len(files(spool)) == 7


def test_a_server_of_another_key_takes_none(
    start_server: Callable[..., Server], spool: Path, tmp_path: Path
) -> None:
    port = free_port()
    keep(f"http://127.0.0.1:{port}", spool, "p")
    variables = {"TRACKER_SPOOL": str(spool)}
    start_server("--port", str(port), key="another key of somebody", variables=variables)
    done = run(
        *("flush", "--url", f"http://127.0.0.1:{port}", "--json"),
        home=tmp_path,
        variables={**variables, "API_KEY": "another key of somebody"},
    )
    assert json.loads(done.stdout)["delivered"] == 0
    assert done.returncode == 0, "nothing is kept for this server and this key"
    assert len(files(spool)) == 7
    done = run(
        *("flush", "--url", f"http://127.0.0.1:{port}", "--any-key", "--json"),
        home=tmp_path,
        variables={**variables, "API_KEY": "another key of somebody"},
    )
    assert (done.returncode, json.loads(done.stdout)["delivered"]) == (0, 7)


def test_what_was_kept_before_there_was_a_key_goes_to_the_server_that_made_it(
    start_server: Callable[..., Server], spool: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    missing = Found(url, MissingKey(ClientError("there is no key")))
    reports = Reporter(lambda: missing, Spool(spool))
    said = report_all(reports, "p")
    assert reports.close().spooled == 7
    server = start_server("--port", str(port), key=None, variables={"TRACKER_SPOOL": str(spool)})
    wait_for(lambda: not files(spool))
    server.http.headers["X-API-Key"] = server.kept_key
    assert messages(server, "p") == said


def test_a_kept_key_and_reports_go_only_to_who_has_proven_to_have_it(
    start_server: Callable[..., Server], spool: Path
) -> None:
    server = start_server(key=None)
    key, port = server.kept_key, server.ready["port"]
    server.stop()
    kept = found(server.url, key, is_kept=True)
    reports = Reporter(lambda: kept, Spool(spool))
    with Trap(port=port) as trap:
        report_all(reports, "p")
        assert reports.close().spooled == 7
        assert deliver(kept, spool).sent == 0
        assert set(trap.targets) == {"GET /proof"}
    assert key.encode() not in trap.received
    assert b"row" not in trap.received
    running = Server.start(server.folder, "--port", str(port), key=None)
    try:
        assert deliver(kept, spool).sent == 7
    finally:
        running.stop()


@pytest.mark.parametrize(
    "answer",
    [
        answering("404 Not Found"),
        answering("401 Unauthorized"),
        answering("403 Forbidden"),
        answering("503 Service Unavailable"),
        answering("500 Internal Server Error"),
        answering("429 Too Many Requests", "Retry-After: 1000"),
        answering("400 Bad Request", body={"error": {"code": "BAD_REQUEST", "message": "Host"}}),
        answering("400 Bad Request", body="The plain HTTP request was sent to HTTPS port"),
        answering("301 Moved Permanently", "Location: http://tracker.example/"),
        answering("200 OK", body={"status": "healthy"}),
        answering("200 OK", body={"results": []}),
        answering("200 OK", body={"results": {"status": 200}}),
        answering("200 OK", body={"results": [{"status": 503}] * 7}),
        answering("200 OK", body={"results": [{"status": "200"}] * 7}),
        lambda _connection, _request: b"HTTP/1.1 200 OK\r\n\r\n<html>sign in</html>",
        lambda _connection, _request: b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
def test_what_may_pass_keeps_everything(spool: Path, answer: Callable[..., bytes]) -> None:
    with Trap(answer=answer) as trap:
        keep(trap.url, spool, "p")
        assert len(files(spool)) == 7
        assert deliver(found(trap.url), spool).sent == 0
    assert len(files(spool)) == 7
    assert not (spool / "rejected").exists()


def test_what_can_never_be_taken_is_put_aside_and_blocks_nothing(
    shared_server: Server, spool: Path, project: str, tmp_path: Path
) -> None:
    port = free_port()
    said = keep(f"http://127.0.0.1:{port}", spool, project)
    whole = files(spool)
    bad = whole[2].read_bytes().replace(b'"message": "row 1"', b'"message": 17')
    whole[2].write_bytes(bad)
    with relayed(shared_server, port):
        done = run(
            *("flush", "--url", f"http://127.0.0.1:{port}"),
            home=tmp_path,
            variables={"TRACKER_SPOOL": str(spool), "API_KEY": KEY},
        )
    assert done.returncode == 0, done.stderr
    assert b"6 reports delivered" in done.stdout
    assert f"rejected: status of {project}/t: 422".encode() in done.stdout
    assert messages(shared_server, project) == [said[0], *said[2:]]
    (aside,) = (spool / "rejected").iterdir()
    assert json.loads(aside.read_bytes())["rejected"]["reason"].startswith("422")
    assert files(spool) == []


def test_what_makes_a_whole_request_fail_is_found_among_the_rest(
    shared_server: Server, spool: Path, project: str
) -> None:
    """A name twice in one report: the batch is no JSON for the server."""
    said = keep(f"http://127.0.0.1:{free_port()}", spool, project, count=20)
    to = found(shared_server.url).destinations()[0]
    target = Spool(spool)
    for number, path in enumerate(files(spool)):
        item, _ = unseal(path.name, path.read_bytes())
        path.unlink()
        content = item.content[:-1] + b',"nested":' + b"[" * 101 + b"]" * 101 + b"}"
        target.put(item._replace(content=content) if number in (3, 9) else item, to)
    delivery = deliver(found(shared_server.url), spool)
    assert (delivery.sent, delivery.rejected) == (20, 2)
    assert messages(shared_server, project) == [
        text for number, text in enumerate(said) if number not in (2, 8)
    ]


def test_a_kept_report_holds_back_its_own_task_only(spool: Path) -> None:
    """503 for one report of a batch: later ones of its task are not sent before it."""
    requests: list[list[str]] = []

    def answer(_connection: object, request: bytes) -> bytes:
        reports = json.loads(request.partition(b"\r\n\r\n")[2])["reports"]
        requests.append([f"{item['task_id']} {item['kind']}" for item in reports])
        refused = len(requests) == 1
        results = [
            {"status": 503 if refused and item["task_id"] == "a" else 200} for item in reports
        ]
        return reply({"results": results})

    with Trap(answer=answer) as trap:
        port = trap.url.rpartition(":")[2]
        reports = reporter(f"http://127.0.0.1:{port}", spool)
        target = Spool(spool)
        to = found(trap.url).destinations()[0]
        made = Reports()
        for kind, task_id in (("start", "a"), ("start", "b"), ("status", "a"), ("finish", "b")):
            fields = {"project": "p", "task_id": task_id, **NAMES}
            target.put(made.make(kind, fields, lambda _text: None), to)
        first = deliver(found(trap.url), spool)
        assert (first.sent, len(files(spool))) == (2, 2)
        assert deliver(found(trap.url), spool).sent == 2
        reports.close()
    assert requests == [["a start", "b start", "a status", "b finish"], ["a start", "a status"]]


def test_a_database_that_is_busy_is_tried_again(spool: Path, tmp_path: Path) -> None:
    """503 for one report of a batch, once: `flush` does not end with it."""
    requests: list[int] = []

    def answer(_connection: object, request: bytes) -> bytes:
        reports = json.loads(request.partition(b"\r\n\r\n")[2])["reports"]
        requests.append(len(reports))
        status = 503 if len(requests) == 1 else 200
        return reply({"results": [{"status": status}] * len(reports)})

    port = free_port()
    keep(f"http://127.0.0.1:{port}", spool, "p")
    with Trap(port=port, answer=answer) as trap:
        done = run(
            *("flush", "--url", trap.url),
            home=tmp_path,
            variables={"TRACKER_SPOOL": str(spool), "API_KEY": KEY},
        )
    assert (done.returncode, done.stderr, requests) == (0, b"", [7, 7])
    assert files(spool) == []


def test_an_answer_that_is_lost_makes_no_second_event(
    shared_server: Server, spool: Path, project: str
) -> None:
    """Taken by the server, the answer lost, spooled, and delivered again."""
    port = free_port()
    with relayed(shared_server, port, lose=1):
        reports = reporter(f"http://127.0.0.1:{port}", spool)
        said = report_all(reports, project)
        assert reports.close().spooled == 7
        assert len(files(spool)) == 7
        assert deliver(found(f"http://127.0.0.1:{port}"), spool).sent == 7
    assert messages(shared_server, project) == said
    assert len(all_events(shared_server, project)) == 7
    assert files(spool) == []


def test_the_limit_of_the_server_is_waited_for(
    start_server: Callable[..., Server], spool: Path, tmp_path: Path
) -> None:
    server = start_server("--rate-limit-webhook", "3", limits=True)
    with reports_to(server.url, spool) as reports:
        for _ in range(4):
            report_all(reports, "p")
            reports.flush(10)
    waiting = len(files(spool))
    assert 0 < waiting <= 21
    done = run(
        *("flush", "--url", server.url, "--timeout", "1"),
        home=tmp_path,
        variables={"TRACKER_SPOOL": str(spool), "API_KEY": KEY},
    )
    assert (done.returncode, done.stdout.splitlines()[1]) == (
        69,
        f"{waiting} kept for {server.url.replace('127.0.0.1', 'localhost')}, {KEY_NAME}".encode(),
    )
    assert b"go on in" in done.stderr


def test_flush_says_what_waits_for_others(tmp_path: Path, spool: Path) -> None:
    here, there = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    keep(here, spool, "p")
    keep(there, spool, "p", count=1)
    variables = {"TRACKER_SPOOL": str(spool), "API_KEY": KEY, "TRACKER_URL": here}
    done = run("flush", home=tmp_path, variables=variables)
    assert done.returncode == 69
    lines = done.stdout.decode().splitlines()
    assert lines[0] == f"0 reports delivered to {here}"
    assert {line.replace("localhost", "127.0.0.1") for line in lines[1:]} == {
        f"7 kept for {here}, {KEY_NAME}",
        f"3 kept for {there}, {KEY_NAME}",
    }
    assert b"Connection refused" in done.stderr
    doctor = json.loads(run("doctor", "--json", home=tmp_path, variables=variables).stdout)
    assert sorted(kept["reports"] for kept in doctor["spool"]["kept"]) == [3, 7]
    shown = run("doctor", home=tmp_path, variables=variables).stdout.decode()
    assert "7 for http://localhost" in shown
    other = {**variables, "TRACKER_URL": "http://127.0.0.1:9"}
    nothing_here = run("flush", home=tmp_path, variables=other)
    assert (nothing_here.returncode, nothing_here.stderr) == (0, b"")


def test_flush_without_a_spool_makes_none(tmp_path: Path, spool: Path) -> None:
    variables = {"TRACKER_SPOOL": str(spool), "API_KEY": KEY}
    done = run("flush", home=tmp_path, variables=variables)
    assert (done.returncode, done.stderr) == (0, b"")
    assert not spool.exists()
    spool.write_text("a file")
    done = run("flush", home=tmp_path, variables=variables)
    assert (done.returncode, done.stderr.count(b"\n")) == (78, 1)


def test_two_that_deliver_at_once_deliver_each_report_once(
    shared_server: Server, spool: Path, project: str
) -> None:
    port = free_port()
    said = keep(f"http://127.0.0.1:{port}", spool, project, count=200)
    with relayed(shared_server, port):
        to = found(f"http://127.0.0.1:{port}")
        done: list[int] = []

        def attempt() -> None:
            with suppress(AssertionError):
                done.append(deliver(to, spool).sent)

        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(done) == 202
    assert messages(shared_server, project) == said


@contextmanager
def relayed(server: Server, port: int, lose: int = 0) -> Iterator[None]:
    """The server at another port. The answers to the first `lose` requests are lost."""
    listener = socket.create_server(("127.0.0.1", port))
    left = [lose]

    def serve(connection: socket.socket) -> None:
        upstream = socket.create_connection((server.ready["host"], server.ready["port"]))
        with connection, upstream, suppress(OSError):
            while True:
                upstream.sendall(receive_message(connection))
                answer = receive_message(upstream)
                if left[0]:
                    left[0] -= 1
                    return
                connection.sendall(answer)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
