"""`/api/events/stream`: the log as server-sent events, by the same cursors as `/ws`."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.clocked import ClockedServer
from tests.support.pruned import prune
from tests.support.server import KEY, Server, wait_for
from tests.support.timeouts import command_with_timeouts
from tracker.timeouts import DEFAULT_TIMEOUTS

TIMEOUT = 20.0


class Received(NamedTuple):
    """One event or comment, as the standard has a browser see it."""

    id: str | None
    event: str | None
    data: Any
    comment: str | None = None


class Stream:
    """An open stream. Iterating gives what comes, comments too."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = _lines(response.iter_bytes())

    def __iter__(self) -> Iterator[Received]:
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(":")
            if line and name:
                fields[name] = value.removeprefix(" ")
            elif line:
                yield Received(None, None, None, comment=value.strip())
            elif fields:
                data = json.loads(fields["data"])
                yield Received(fields.get("id"), fields.get("event"), data)
                fields = {}

    def events(self, count: int) -> list[Received]:
        """The next events, without comments."""
        found: list[Received] = []
        for one in self:
            if one.comment is None:
                found.append(one)
            if len(found) == count:
                break
        return found

    def comment(self) -> str:
        """The next comment."""
        return next(one.comment for one in self if one.comment is not None)


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """At line feeds alone, which is what the server ends lines with; httpx splits at U+2028 too."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode() for line in whole)
    assert rest == b"", "the stream ended in the middle of a line"


@contextmanager
def follow(server: Server, last_event_id: str | None = None, **query: Any) -> Iterator[Stream]:
    """Open a stream and wait until it is connected."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with server.http.stream(
        "GET", "/api/events/stream", params=query, headers=headers, timeout=TIMEOUT
    ) as response:
        assert response.status_code == 200
        stream = Stream(response)
        assert stream.comment() == "connected"
        yield stream


@pytest.fixture(autouse=True)
def _quiet(shared_server: Server) -> Iterator[None]:
    yield
    assert_quiet(shared_server)


def assert_quiet(server: Server) -> None:
    assert "ERROR" not in server.log
    assert "Traceback" not in server.log


def started(server: Server, project: str, count: int) -> list[int]:
    return [
        server.report("start", project, f"task-{number}").json()["event_id"]
        for number in range(count)
    ]


def numbers(events: list[Received]) -> list[int]:
    return [event.data["id"] for event in events]


def test_same_messages_as_the_log(shared_server: Server, project: str) -> None:
    with follow(shared_server, project=project) as stream:
        for kind in ("start", "status", "finish", "error"):
            shared_server.report(kind, project)
        events = stream.events(4)
    answer = shared_server.http.get("/api/events", params={"project": project})
    assert [event.data for event in events] == answer.json()["events"]
    assert [event.event for event in events] == [event.data["type"] for event in events]
    assert [event.id for event in events] == [str(event.data["id"]) for event in events]


def test_without_names_they_reach_onmessage(shared_server: Server, project: str) -> None:
    ids = started(shared_server, project, 3)
    with follow(shared_server, project=project, since=0, named="0") as stream:
        events = stream.events(3)
        ids += [shared_server.report("finish", project).json()["event_id"]]
        events += stream.events(1)
    assert [event.event for event in events] == [None] * 4
    assert [event.id for event in events] == [str(id_) for id_ in ids]
    assert events[3].data["type"] == "task_finished"
    with follow(shared_server, project=project, since=2**50, named="false") as stream:
        (notice,) = stream.events(1)
    assert (notice.event, notice.id, notice.data["type"]) == (None, "0", "resync_required")
    assert shared_server.http.get("/api/events/stream?named=perhaps").status_code == 422


def test_headers(shared_server: Server) -> None:
    with follow(shared_server) as stream:
        headers = stream.response.headers
    assert headers["Content-Type"].partition(";")[0] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache, no-transform"
    assert headers["X-Accel-Buffering"] == "no"  # or nginx holds the events back


def test_key_in_the_query(shared_server: Server, project: str) -> None:
    """Browsers' EventSource sends no headers."""
    url = f"{shared_server.url}/api/events/stream"
    with httpx.stream("GET", url, params={"api_key": KEY}, trust_env=False) as response:
        assert Stream(response).comment() == "connected"
    assert httpx.get(url, trust_env=False).status_code == 401


def test_text_of_any_kind_is_one_event(shared_server: Server, project: str) -> None:
    title = "two\nlines\r\n\u2028 and : more\n\ndata: x"
    with follow(shared_server, project=project) as stream:
        shared_server.report("start", project, task=title)
        (event,) = stream.events(1)
    assert event.data["data"]["title"] == title


def test_since_and_then_live(shared_server: Server, project: str) -> None:
    event_ids = started(shared_server, project, 4)
    with follow(shared_server, project=project, since=event_ids[1]) as stream:
        assert numbers(stream.events(2)) == event_ids[2:]
        event_ids = started(shared_server, project, 2)
        assert numbers(stream.events(2)) == event_ids


def test_last_event_id_goes_before_since(shared_server: Server, project: str) -> None:
    """A browser that reconnects asks for the same address, and says how far it came."""
    event_ids = started(shared_server, project, 4)
    with follow(shared_server, str(event_ids[2]), project=project, since=event_ids[0]) as stream:
        assert numbers(stream.events(1)) == event_ids[3:]
    with follow(shared_server, "", project=project, since=event_ids[2]) as stream:
        assert numbers(stream.events(1)) == event_ids[3:]


def test_without_a_project_all(shared_server: Server, project: str) -> None:
    with follow(shared_server) as stream:
        event_ids = [*started(shared_server, project, 1), *started(shared_server, "another", 1)]
        assert numbers(stream.events(2)) == event_ids


@pytest.mark.parametrize(
    ("query", "header"), [({"since": "x"}, None), ({"since": -1}, None), ({}, "x"), ({}, "-1")]
)
def test_bad_cursor(shared_server: Server, query: dict[str, Any], header: str | None) -> None:
    headers = {} if header is None else {"Last-Event-ID": header}
    answer = shared_server.http.get("/api/events/stream", params=query, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == "since"


def test_cursor_of_another_database(server: Server, project: str) -> None:
    event_ids = started(server, project, 2)
    with follow(server, since=event_ids[-1] + 7) as stream:
        notice, *events = stream.events(3)
    assert notice.event == notice.data["type"] == "resync_required"
    assert notice.data["data"] == {"oldest_id": event_ids[0], "last_id": event_ids[-1]}
    assert notice.id == "0"  # what a browser goes on from if the connection breaks now
    assert numbers(events) == event_ids


def test_cursor_before_what_was_pruned(server: Server, project: str) -> None:
    event_ids = started(server, project, 4)
    server.stop()
    prune(server.database, event_ids[1])
    again = Server.start(server.folder)
    try:
        with follow(again, str(event_ids[0])) as stream:
            notice, *events = stream.events(3)
        assert notice.event == "resync_required"
        assert notice.data["data"]["oldest_id"] == event_ids[2]
        assert numbers(events) == event_ids[2:]
    finally:
        again.stop()
    assert_quiet(again)


def test_silence_is_broken_by_comments(start_server: Callable[..., Server], project: str) -> None:
    server = start_server(command=command_with_timeouts(heartbeat=0.05))
    with follow(server, project=project) as stream:
        assert stream.comment() == stream.comment() == "nothing new"
        event_ids = started(server, project, 1)
        assert numbers(stream.events(1)) == event_ids


def test_stop_ends_the_streams(start_server: Callable[..., Server]) -> None:
    server = start_server()
    with follow(server) as stream:
        stopping = threading.Thread(target=server.process.terminate)
        stopping.start()
        assert list(stream) == []  # it ends, and in order: httpx raises if a chunk is missing
        stopping.join()
        assert server.process.wait(10) == 0
    assert_quiet(server)


def test_stop_waits_for_nobody_who_does_not_read(
    start_server: Callable[..., Server], project: str
) -> None:
    server = start_server()
    with open_unread(server) as client:
        for _ in range(43):
            server.report("finish", project, result="x" * 250_000)
        assert server.stop() == 0
        client.recv(1)
    assert_quiet(server)


@contextmanager
def open_unread(server: Server) -> Iterator[socket.socket]:
    """A stream of which only the first bytes are read."""
    with socket.socket() as client:
        client.settimeout(TIMEOUT)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((server.ready["host"], server.ready["port"]))
        client.sendall(
            f"GET /api/events/stream?api_key={KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        yield client


@pytest.mark.parametrize("silent", [True, False])
def test_who_left_is_noticed(silent: bool, project: str) -> None:
    """Nothing is left of streams whose clients are gone, be there anything to send or not."""
    server = ClockedServer(timeouts=DEFAULT_TIMEOUTS._replace(heartbeat=0.05))
    try:
        before = server.tasks
        for _ in range(10):
            query = {"project": project, "api_key": KEY}
            with httpx.stream(
                "GET", f"{server.url}/api/events/stream", params=query, trust_env=False
            ) as response:
                assert Stream(response).comment() == "connected"
                assert server.tasks > before
            if not silent:
                server.report("start", project)
        wait_for(lambda: server.tasks == before, what="the streams' tasks to end")
    finally:
        server.stop()
