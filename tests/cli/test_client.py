"""The Python SDK against the real server, and against what may stand between them."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_task_tracker.client import Client
from agent_task_tracker.errors import ClientError, Refused, Unreachable
from agent_task_tracker.trimming import MAX_STACK_TRACE_BYTES, trim_stack_trace
from tests.support import raw
from tests.support.cli import run_here
from tests.support.foreign import listening as foreign
from tests.support.server import KEY, Server

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def client(shared_server: Server) -> Client:
    return Client(shared_server.url, KEY)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def between(server: Server, *mishaps: str) -> Iterator[str]:
    """A relay before the server. To its first connections it does what each mishap says: "busy"
    answers 503 itself, "lost" hands the request on and the answer not back, "refused" hangs up.
    Later connections are relayed faithfully."""
    listener = listening()
    todo = list(mishaps)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                relay(connection, todo.pop(0) if todo else "")

    def relay(connection: socket.socket, mishap: str) -> None:
        if mishap == "refused":
            return
        request = receive_message(connection)
        if mishap == "busy":
            connection.sendall(BUSY)
            return
        upstream = socket.create_connection((server.ready["host"], server.ready["port"]))
        with upstream:
            upstream.sendall(request)
            answer = receive_message(upstream)
        if mishap != "lost":
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield url_of(listener)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        assert not todo, f"never happened: {todo}"


def receive_message(connection: socket.socket) -> bytes:
    """One HTTP message with a Content-Length. Raises ConnectionError at the end."""
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ]
        if end and len(body) >= sum(lengths):
            return received
        received += raw.receive(connection)


@pytest.mark.parametrize("name", [".", ".."])
def test_a_project_whose_name_a_path_cannot_carry(client: Client, name: str) -> None:
    client.start(name, "Title", "t", "agent")
    assert [(t["project"], t["task_id"]) for t in client.tasks(name)] == [(name, "t")]


def types(client: Client, project: str) -> list[str]:
    return [event["type"] for event in client.events(project=project)]


def test_a_task_is_reported_and_read(client: Client, project: str) -> None:
    names = (project, "Разработка", "org/task 1?", "agent-1")
    assert client.start(*names, metadata={"a": 1})["status"] == "started"
    assert client.status(*names, progress=12.5, message="so far")["status"] == "updated"
    assert client.finish(*names, result="done", duration_seconds=3450)["duration_seconds"] == 3450

    task = client.task(project, "org/task 1?")
    assert (task["title"], task["status"], task["result"]) == ("Разработка", "completed", "done")
    assert task["metadata"] == {"a": 1}
    assert [t["task_id"] for t in client.tasks(project, status="completed")] == ["org/task 1?"]
    assert list(client.tasks(project, status="failed")) == []
    everywhere = [(t["project"], t["task_id"]) for t in client.tasks(status="completed")]
    assert (project, "org/task 1?") in everywhere
    assert client.stats(project)["task_stats"]["completed"] == 1
    assert client.stats()["overview"]["total_tasks"] >= 1
    assert project in [p["name"] for p in client.projects()]
    assert types(client, project) == ["task_started", "task_status_updated", "task_finished"]
    assert client.health()["status"] == "healthy"


def test_an_error_is_reported_with_its_trace(client: Client, project: str) -> None:
    trace = "Traceback\n  File main.py\nRuntimeError: no"
    client.error(
        *(project, "Title", "t", "a"),
        error_type="RuntimeError",
        error_message="no",
        stack_trace=trace,
    )
    task = client.task(project, "t")
    assert (task["status"], task["error_type"], task["stack_trace"]) == (
        "failed",
        "RuntimeError",
        trace,
    )


def test_a_long_trace_is_sent_as_its_head_and_tail(client: Client, project: str) -> None:
    trace = "начало " + "ж" * 50_000 + " конец"
    client.error(
        *(project, "Title", "t", "a"), error_type="E", error_message="m", stack_trace=trace
    )
    kept = client.task(project, "t")["stack_trace"]
    assert kept.startswith("начало ж")
    assert kept.endswith("ж конец")
    first, left_out, last = re.split(r"\n\.\.\. (\d+) bytes left out \.\.\.\n", kept)
    told = len(first.encode()) + int(left_out) + len(last.encode())
    assert len(trace.encode()) - 4 <= told <= len(trace.encode())  # of characters cut in two
    assert MAX_STACK_TRACE_BYTES - 40 <= len(kept.encode()) <= MAX_STACK_TRACE_BYTES


@pytest.mark.parametrize("unit", ["x", "ж", "€", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_trimming_cuts_no_character_in_two(unit: str, shift: int) -> None:
    kept = trim_stack_trace("y" * shift + unit * 11_000)
    assert len(kept.encode()) <= MAX_STACK_TRACE_BYTES
    assert "\N{REPLACEMENT CHARACTER}" not in kept
    just_fits = "y" * (MAX_STACK_TRACE_BYTES - len(unit.encode())) + unit
    assert trim_stack_trace(just_fits) == just_fits


def test_names_of_files_that_are_not_utf8_can_be_reported(client: Client, project: str) -> None:
    client.status(project, "Title", "t", "a", message="caf\udce9.py")
    assert client.task(project, "t")["message"] == "caf?.py"


def test_lists_go_over_all_pages(shared_server: Server, client: Client, project: str) -> None:
    for number in range(501):
        assert shared_server.report("start", project, f"t{number}").status_code == 201
    assert len({task["task_id"] for task in client.tasks(project)}) == 501
    assert len(list(client.events(project=project))) == 501


def test_what_the_server_refuses_is_told_in_its_words(client: Client, project: str) -> None:
    with pytest.raises(Refused) as refused:
        client.status(project, "Title", "t", "a", progress=101)
    assert (refused.value.status, refused.value.code) == (422, "VALIDATION_ERROR")
    assert refused.value.details["field"] == "progress"
    with pytest.raises(Refused, match="404 NOT_FOUND"):
        client.task(project, "none")


def test_a_wrong_key_is_refused(shared_server: Server) -> None:
    for key in ("", "wrong-key"):
        with pytest.raises(Refused, match="401 UNAUTHORIZED"):
            Client(shared_server.url, key).stats()


@pytest.mark.parametrize(
    "mishaps", [["refused"], ["busy", "busy"], ["lost"], ["lost", "refused", "busy"]]
)
def test_a_report_gets_through_and_is_recorded_once(
    shared_server: Server, client: Client, project: str, mishaps: list[str]
) -> None:
    with between(shared_server, *mishaps) as url:
        answer = Client(url, KEY).start(project, "Title", "t", "a")
    assert answer["status"] == "started"
    assert types(client, project) == ["task_started"]


def test_the_same_report_made_twice_is_two(client: Client, project: str) -> None:
    for _ in range(2):
        client.status(project, "Title", "t", "a", progress=5)
    assert len(types(client, project)) == 2


def test_patience_ends(shared_server: Server, project: str) -> None:
    with between(shared_server, "busy") as url, pytest.raises(Refused, match="503"):
        Client(url, KEY, patience=0).start(project, "Title", "t", "a")


def test_no_server(project: str) -> None:
    with listening() as listener:
        url = url_of(listener)
    with pytest.raises(Unreachable, match="start a server with `tracker serve`") as unreachable:
        Client(url, KEY, patience=0).start(project, "Title", "t", "a")
    assert unreachable.value.exit_code == 69


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", ""])
def test_an_address_that_cannot_be_one(url: str) -> None:
    with pytest.raises(ClientError, match="looks like http://localhost:8000"):
        Client(url, KEY)


def test_another_server_at_the_address(shared_server: Server) -> None:
    """A page where JSON is expected."""
    client = Client(shared_server.url + "/docs/assets/swagger.js?", KEY)
    with pytest.raises(ClientError):
        client.health()


def test_following_the_log_over_a_restart(
    start_server: Callable[..., Server], project: str
) -> None:
    server = start_server()
    client = Client(server.url, KEY, patience=0)  # it is the first connection's
    client.start(project, "Title", "t1", "a")
    client.start("another", "Title", "t1", "a")
    stream = client.follow(0, project=project)
    assert next(stream)["data"]["task_id"] == "t1"
    client.start(project, "Title", "t2", "a")
    assert next(stream)["data"]["task_id"] == "t2"

    port = str(server.ready["port"])
    assert server.stop() == 0
    with ThreadPoolExecutor() as waiting:
        third = waiting.submit(next, stream)
        with pytest.raises(Unreachable):
            client.health()
        again = start_server("--port", port, db=str(server.database))
        assert again.report("start", project, "t3").status_code == 201
        assert third.result()["data"]["task_id"] == "t3"
    stream.close()


def test_a_status_for_a_task_that_has_ended_is_said_to_be_late(
    client: Client, shared_server: Server, tmp_path: Path, project: str
) -> None:
    client.finish(project, "Title", "t", "a")
    assert client.status(project, "Title", "t", "a", progress=5)["late"] is True
    done = run_here(
        *("status", "--project", project, "--task", "t", "--progress", "7"),
        home=tmp_path,
        TRACKER_URL=shared_server.url,
        API_KEY=KEY,
    )
    assert done.stdout.startswith("The task has ended and stays as it is; the status joins its ")


def test_what_only_opens_streams_is_asked_ever_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pause)
    opened = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    busy = b"HTTP/1.1 429 No\r\nRetry-After: " + b"9" * 400 + b"\r\nContent-Length: 0\r\n\r\n"
    answers = iter([opened] * 8)
    with foreign(lambda *_: next(answers, busy)) as url, pytest.raises(KeyboardInterrupt):
        next(Client(url, KEY, patience=0).follow(0))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 300.0]


def test_following_from_now_on(client: Client, project: str) -> None:
    client.start(project, "Title", "before", "a")
    assert client.last_event_id() >= 1
    stream = client.follow(client.last_event_id(), project=project)
    client.start(project, "Title", "after", "a")
    assert next(stream)["data"]["task_id"] == "after"
    stream.close()


def test_following_a_log_that_began_anew(server: Server) -> None:
    """The number is from another database: told, then all that there is."""
    client = Client(server.url, KEY)
    client.start("p", "Title", "t", "a")
    stream = client.follow(1000)
    assert next(stream)["type"] == "resync_required"
    assert next(stream)["id"] == 1
    stream.close()
