"""The webhooks' handler has two mounts; each request gets the same answer by both.

`Server` is spoken to by its own connections, `ClockedServer` runs on plain uvicorn, through ASGI.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.support import raw
from tests.support.clocked import ClockedServer
from tests.support.server import KEY, Server

REPORT: dict[str, Any] = {"project": "p", "task": "T", "task_id": "t", "agent": "a"}
JSON = b"Content-Type: application/json"
KEYED = b"X-API-Key: " + KEY.encode()
ORIGIN = "http://localhost:3000"


class Request(NamedTuple):
    """A webhook by hand."""

    headers: tuple[bytes, ...]
    body: bytes
    target: bytes = b"/webhook/start"
    host: tuple[bytes, ...] = (b"Host: localhost",)
    chunked: bool = False

    def encode(self) -> bytes:
        lines = [b"POST %b HTTP/1.1" % self.target, *self.host, b"Connection: close", *self.headers]
        if self.chunked:
            lines.append(b"Transfer-Encoding: chunked")
            body = (
                b"%x\r\n%b\r\n0\r\n\r\n" % (len(self.body), self.body)
                if self.body
                else b"0\r\n\r\n"
            )
        else:
            lines.append(b"Content-Length: %d" % len(self.body))
            body = self.body
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


def body(**fields: Any) -> bytes:
    return json.dumps({**REPORT, **fields}).encode()


# Who sends it.
WHO = {
    "X-API-Key": (KEYED,),
    "Bearer": (b"Authorization: Bearer " + KEY.encode(),),
    "X-API-Key beside a proxy's Authorization": (KEYED, b"Authorization: Basic eDp5"),
    "nobody": (),
    "a wrong key": (b"X-API-Key: not-the-key-at-all",),
    "an empty key": (b"X-API-Key:",),
    "two keys": (KEYED, KEYED),
    "a key that is not ASCII": (b"X-API-Key: \xff\xfe",),
    "a cookie that is none": (b"Cookie: tracker_session_0=x; other=1",),
}
# What more it says.
HOW = {
    "plainly": (),
    "from an allowed page": (b"Origin: " + ORIGIN.encode(),),
    "from another page": (b"Origin: http://evil.example",),
    "with an idempotency key": (b"Idempotency-Key: key-of-this-request",),
    "with too long a one": (b"Idempotency-Key: " + b"k" * 256,),
    "with an empty one": (b"Idempotency-Key:",),
    "with many headers": tuple(b"X-Header-%d: value" % number for number in range(40)),
}
WHAT = {
    "JSON": (JSON, body()),
    "JSON in UTF-8": (b"Content-Type: application/json; charset=utf-8", body(task="Zadań")),
    "JSON in Latin-1": (b"Content-Type: application/json; charset=latin-1", body()),
    "a form": (b"Content-Type: application/x-www-form-urlencoded", b"project=p"),
    "no JSON": (JSON, b"{"),
    "no object": (JSON, b"[1]"),
    "nothing": (JSON, b""),
    "a field missing": (JSON, b'{"project": "p"}'),
    "a name twice": (JSON, b'{"project": "p", "project": "q"}'),
    "too much": (JSON, b"x" * 1_048_577),
    "as much as may be": (JSON, body(metadata={"x": "y" * 1_000_000})),
}
TARGETS = {
    "finish": b"/webhook/finish",
    "the key in the query": b"/webhook/start?api_key=" + KEY.encode(),
    "another key in the query": b"/webhook/start?api_key=another-key-here",
    "two keys in the query": b"/webhook/start?api_key=one-key-here&api_key=two-keys-here",
    "an empty key in the query": b"/webhook/start?api_key=",
    "more in the query": b"/webhook/start?x=1&y=%20",
    "batch": b"/webhook/batch",
    "no such": b"/webhook/begin",
    "a slash more": b"//webhook/start",
    "a slash behind": b"/webhook/start/",
    "percent-encoded": b"/webhook/st%61rt",
}
HOSTS = {
    "another host": (b"Host: evil.example",),
    "no host": (),
    "two hosts": (b"Host: localhost", b"Host: localhost"),
    "a host with a port": (b"Host: localhost:1234",),
}


def table() -> Iterator[Any]:
    """Each way to say who sends it, with each thing more; each body by both framings; each target
    and host."""
    for who, how in itertools.product(WHO, HOW):
        yield pytest.param(Request((JSON, *WHO[who], *HOW[how]), body()), id=f"{who}, {how}")
    for what, chunked in itertools.product(WHAT, (False, True)):
        kind, content = WHAT[what]
        request = Request((kind, KEYED), content, chunked=chunked)
        yield pytest.param(request, id=f"{what}{', chunked' * chunked}")
    for target, keys in itertools.product(TARGETS, ((KEYED,), ())):
        request = Request((JSON, *keys), body(), target=TARGETS[target])
        yield pytest.param(request, id=f"{target}, {'with' if keys else 'without'} a key")
    for name, host in HOSTS.items():
        yield pytest.param(Request((JSON, KEYED), body(), host=host), id=name)


class Mounts(NamedTuple):
    ours: Server
    asgi: ClockedServer


@pytest.fixture(scope="module", params=["limited", "unlimited"])
def mounts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mounts]:
    limits = 100_000 if request.param == "limited" else 0
    flags = ("--rate-limit-webhook", str(limits))
    ours = Server.start(tmp_path_factory.mktemp("mounts"), *flags)
    asgi = ClockedServer(rate_limit_webhook=limits)
    yield Mounts(ours, asgi)
    assert ours.stop() == 0
    asgi.stop()


# Differ from one server to another: times, numbers, and what the window of a limit has left.
_OWN = re.compile(
    rb'"(timestamp|event_id|duration_seconds)":("[^"]*"|[\d.]+)|;r=\d+;t=\d+|in \d+ s'
)
_OF_THE_CONNECTION = {"date", "server", "connection", "retry-after", "x-request-id"}


def said(answer: raw.Answer) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body without what differs from one server to another."""
    lines = answer.head.decode("latin-1").split("\r\n")[1:]
    headers = dict(line.lower().split(": ", 1) for line in lines)
    kept = {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION}
    length = kept.pop("content-length", None)
    assert length is None or int(length) == len(answer.body)
    shown = {name: _OWN.sub(b"", value.encode()).decode() for name, value in kept.items()}
    return answer.status, shown, _OWN.sub(b"", answer.body)


@pytest.mark.parametrize("request_", list(table()))
def test_both_mounts_say_the_same(mounts: Mounts, request_: Request) -> None:
    data = request_.encode()
    by_ours, by_asgi = (raw.exchange(server, data) for server in mounts)
    assert by_ours.status, "an answer"
    assert said(by_ours) == said(by_asgi)


def test_the_limit_is_the_same_whatever_a_request_looks_like() -> None:
    """And it is counted once a request, refused bodies included."""
    for server in (ClockedServer(rate_limit_webhook=5),):
        try:
            seen = []
            for number in range(7):
                content = body() if number % 2 else b"{"
                answer = raw.exchange(server, Request((JSON, KEYED), content).encode())
                seen.append((answer.status, re.search(rb"r=(\d+)", answer.head)[1]))
        finally:
            server.stop()
    assert seen == [
        *[(400, b"4"), (201, b"3"), (400, b"2"), (200, b"1"), (400, b"0")],
        *[(429, b"0"), (429, b"0")],
    ]


@pytest.mark.parametrize("start", [Server.start, None], ids=["ours", "ASGI"])
def test_who_waits_to_be_told_to_go_on(tmp_path: Any, start: Callable[..., Server] | None) -> None:
    """`Expect: 100-continue`: told, if the head is good; else the answer comes at once."""
    server = start(tmp_path) if start else ClockedServer()
    content = body()
    head = b"\r\n".join([
        b"POST /webhook/start HTTP/1.1", b"Host: localhost", JSON, b"Expect: 100-continue",
    ])  # fmt: skip
    try:
        good = b"%b\r\n%b\r\nContent-Length: %d\r\n\r\n" % (head, KEYED, len(content))
        with raw.connect(server) as connection:
            connection.sendall(good)
            assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
            connection.sendall(content)
            assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")
        for extra in (KEYED + b"\r\nContent-Length: 1048577", b"Content-Length: 5"):
            with raw.connect(server) as connection:
                connection.sendall(b"%b\r\n%b\r\n\r\n" % (head, extra))
                status = connection.recv(1000)[9:12]
                assert status == (b"413" if KEYED in extra else b"401")
    finally:
        server.stop()


def test_a_refused_body_is_thrown_away_and_the_connection_goes_on(shared_server: Server) -> None:
    wrong = Request((JSON, b"X-API-Key: wrong-key-of-somebody"), b"y" * 200_000).encode()
    right = Request((JSON, KEYED), body(project="after a refusal")).encode()
    together = wrong.replace(b"Connection: close", b"Connection: keep-alive") + right
    with raw.connect(shared_server) as connection:
        connection.sendall(together)
        received = raw.read_all(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"401", b"201"]


def test_pipelined_webhooks_are_answered_in_order(shared_server: Server) -> None:
    """The first by the connection itself, those that wait by uvicorn: the same handler."""
    requests = [
        Request((JSON, KEYED), body(project="pipelined", task_id=f"t{number}")).encode()
        for number in range(10)
    ]
    for number in range(9):
        requests[number] = requests[number].replace(b"Connection: close", b"X-Not: last")
    with raw.connect(shared_server) as connection:
        connection.sendall(b"".join(requests))
        received = raw.read_all(connection)
    assert re.findall(rb'"task_id":"(t\d)"', received) == [b"t%d" % number for number in range(10)]
