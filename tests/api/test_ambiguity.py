"""Requests that say two things at once, in detail: by every way in, and beside others on the same
connection; trailers; spellings of an address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mounts import MOUNTS
from tests.support.raw import connect, exchange, open_websocket, parse, read_all
from tests.support.server import KEY, Server
from tracker.api.middleware.credentials import contradiction

HOST = b"Host: localhost"
RIGHT = b"X-API-Key: " + KEY.encode()
BEARER = b"Authorization: Bearer " + KEY.encode()
JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
UPGRADE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.fixture(scope="module", params=MOUNTS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("ambiguity") / "server"
    server = Server.start(folder, command=MOUNTS[request.param])
    yield server
    server.stop()
    assert "Traceback" not in server.log


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("limited") / "server"
    server = Server.start(folder, "--rate-limit-webhook", "1000000")
    yield server
    server.stop()


def head(line: str, *headers: bytes) -> bytes:
    return b"\r\n".join([f"{line} HTTP/1.1".encode(), *headers]) + b"\r\n\r\n"


def report(project: str, *headers: bytes, target: str = "/webhook/start", task: str = "t") -> bytes:
    body = json.dumps({"project": project, "task": "T", "task_id": task, "agent": "a"}).encode()
    length = b"Content-Length: %d" % len(body)
    return head(f"POST {target}", *headers, JSON, length) + body


def chunked(project: str, *trailers: bytes, headers: tuple[bytes, ...] = (HOST, RIGHT)) -> bytes:
    """A report in chunks, with trailers; the connection ends after it."""
    body = report(project).partition(b"\r\n\r\n")[2]
    rest = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    lines = b"".join(trailer + b"\r\n" for trailer in trailers)
    begin = head("POST /webhook/start", *headers, JSON, CHUNKED, b"Connection: close")
    return begin + rest + lines + b"\r\n"


def statuses(server: Server, data: bytes) -> list[int]:
    """Of all the answers to what is sent at once, until the server hangs up."""
    with closing(connect(server)) as connection:
        connection.sendall(data)
        return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+) ", read_all(connection))]


def recorded(server: Server, project: str) -> int:
    return len(server.http.get("/api/events", params={"project": project}).json()["events"])


# Beside others on the same connection.


def test_those_before_and_after_it_are_answered_as_ever(server: Server, project: str) -> None:
    data = (
        report(project, HOST, RIGHT, task="before")
        + report(project, HOST, HOST, RIGHT, task="between")
        + report(project, HOST, RIGHT, b"Connection: close", task="after")
    )
    assert statuses(server, data) == [201, 400, 201]
    assert recorded(server, project) == 2


BROKEN = {
    "two lengths": (b"Content-Length: 2", b"Content-Length: 2"),
    "two other lengths": (b"Content-Length: 2", b"Content-Length: 40"),
    "length and chunks": (b"Content-Length: 2", CHUNKED),
    "chunks and length": (CHUNKED, b"Content-Length: 2"),
    "chunks that are not last": (b"Transfer-Encoding: chunked, gzip",),
    "chunks twice": (CHUNKED, CHUNKED, b"Content-Length: 2"),
    "no number": (b"Content-Length: +2",),
    "a list": (b"Content-Length: 2, 2",),
    "a space before the colon": (b"Content-Length : 2",),
}


@pytest.mark.parametrize("headers", BROKEN.values(), ids=BROKEN)
def test_where_a_body_ends_is_never_in_doubt(
    server: Server, project: str, headers: tuple[bytes, ...]
) -> None:
    """Else what one reader takes for a body is the next request for another."""
    smuggled = report(project, HOST, RIGHT, task="smuggled")
    doubtful = head("POST /webhook/start", HOST, RIGHT, JSON, *headers) + b"{}" + smuggled
    assert statuses(server, doubtful) == [400]
    assert recorded(server, project) == 0


@pytest.mark.parametrize("number", [1, 3])
def test_what_is_no_request_is_answered_in_its_turn(
    server: Server, project: str, number: int
) -> None:
    """Its answer would else be taken for the one to a report before it, which is in the log."""
    before = b"".join(report(project, HOST, RIGHT, task=f"{n}") for n in range(number))
    doubtful = head("POST /webhook/start", HOST, RIGHT, *BROKEN["two lengths"])
    assert statuses(server, before + doubtful + b"{}") == [201] * number + [400]
    assert recorded(server, project) == number


def test_what_breaks_off_in_its_body_is_answered_in_its_turn(server: Server, project: str) -> None:
    before = report(project, HOST, RIGHT)
    broken = head("POST /webhook/start", HOST, RIGHT, JSON, CHUNKED) + b"zz\r\n"
    assert statuses(server, before + broken) == [201, 400]


# Trailers.


@pytest.mark.parametrize(
    "trailer",
    [
        b"X-API-Key: wrong",
        b"Host: evil.example",
        b"Content-Type: text/plain",
        b"Idempotency-Key: ",
        b"Expect: 100-continue",
        b"Origin: http://evil.example",
        b"Connection: keep-alive",
        b"X-" + b"x" * 200 + b": y",
    ],
)
def test_what_a_trailer_says_is_not_heard(server: Server, project: str, trailer: bytes) -> None:
    assert exchange(server, chunked(project, trailer)).status == 201


def test_a_trailer_names_no_request(server: Server, project: str) -> None:
    for number in (1, 2):
        answer = exchange(server, chunked(project, b"Idempotency-Key: once"))
        assert b"replayed" not in answer.head.lower()
        assert recorded(server, project) == number


def test_a_key_in_a_trailer_opens_no_websocket(server: Server) -> None:
    """A handshake has no body, and so no trailers: with one it is none."""
    shake = head("GET /ws", HOST, *UPGRADE, CHUNKED) + b"0\r\n" + RIGHT + b"\r\n\r\n"
    with closing(connect(server)) as connection:
        connection.sendall(shake)
        assert b" 101 " not in read_all(connection)


@pytest.mark.parametrize(
    "trailers",
    [(b"X: " + b"x" * 80_000,), tuple(b"X-%d: y" % n for n in range(10_000))],
    ids=["long", "many"],
)
def test_trailers_are_limited_as_headers_are(
    server: Server, project: str, trailers: tuple[bytes, ...]
) -> None:
    assert exchange(server, chunked(project, *trailers)).status == 431
    assert recorded(server, project) == 0


def test_a_trailer_without_an_end_is_cut_short(server: Server, project: str) -> None:
    endless = chunked(project, b"X: " + b"x" * 80_000)[:-4]
    with closing(connect(server)) as connection:
        connection.sendall(endless)
        assert parse(read_all(connection)).status == 431


def test_small_chunks_are_no_trailers(server: Server, project: str) -> None:
    """Around a body in many pieces there are more bytes than a head may have."""
    body = json.dumps(
        {"project": project, "task": "T", "task_id": "t", "agent": "a", "x": "x" * 60_000}
    ).encode()
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    begin = head("POST /webhook/start", HOST, RIGHT, JSON, CHUNKED, b"Connection: close")
    assert exchange(server, begin + pieces).status == 201


# Spellings.

TARGETS = [
    "//webhook/start", "///webhook/start", "/webhook//start", "/webhook/start/", "/webhook/start//",
    "/./webhook/start", "/x/../webhook/start", "/webhook/./start", "/%77ebhook/start",
    "/webhook/%73tart", "/webhook%2Fstart", "%2Fwebhook/start", "/%2Fwebhook/start",
    "/WEBHOOK/start", "/webhook/START", "/webhook/start;x", "/webhook;x/start", "/webhook\\start",
    "\\webhook\\start", "/webhook/start%00", "/webhook/start%20", "/webhook/start?",
    "/webhook/start?x", "/webhook/start#x", "http://localhost/webhook/start",
    "http://localhost//webhook/start", "http://evil.example/webhook/start",
    "localhost/webhook/start", "webhook/start", "*",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_no_spelling_leads_past_the_rate_limit(limited: Server, project: str, target: str) -> None:
    data = report(project, HOST, RIGHT, b"Connection: close", target=target)
    answer = exchange(limited, data)
    counted = b"ratelimit: " in answer.head.lower()
    assert answer.status in (201, 400, 404), answer
    assert recorded(limited, project) == (1 if answer.status == 201 else 0)
    assert counted or answer.status != 201, answer
    if "//w" in target or "k//" in target:
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/api//projects", "//api/projects", "/api/projects//x/tasks",
                                  "/docs//", "//", "//health", "/assets//main.js"])  # fmt: skip
def test_an_empty_segment_leads_nowhere(server: Server, path: str) -> None:
    answer = exchange(server, head(f"GET {path}", HOST, RIGHT, b"Connection: close"))
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (404, "NOT_FOUND")


def test_a_websocket_has_one_address(server: Server) -> None:
    open_websocket(server).close()
    for path in ("//ws", "/%77s", "/ws//", "/WS", "http://localhost/ws"):
        answer = exchange(server, head(f"GET {path}", HOST, RIGHT, *UPGRADE))
        assert answer.status == 404, path


@pytest.mark.parametrize(
    "path",
    ["/api/projects", "/API/projects", "/docs/../api/projects", "/docs/..%2fapi/projects",
     "/projects/../api/projects", "/assets/../api/projects", "/%2e/api/projects", "/api/projects/",
     "/robots.txt", "/redoc/x", "/docs/x", "/docs/..", "/db-check",
     "/health/../api/projects", "http://localhost/api/projects",
     "/api/projects?/docs/", "/api/projects#/docs/"],
)  # fmt: skip
def test_no_spelling_leads_in_without_a_key(server: Server, path: str) -> None:
    answer = exchange(server, head(f"GET {path}", HOST, b"Connection: close"))
    assert answer.status == (404 if path.startswith("/assets/") else 401), answer


# The rule itself.

keys = st.sampled_from(["", "a", "b"])
header = st.tuples(
    st.sampled_from([b"host", b"x-api-key", b"authorization", b"accept"]),
    st.sampled_from([b"a", b"b", b"Bearer a", b"bearer b", b"Basic a", b"Bearer", b""]),
)


@settings(max_examples=500, deadline=None, database=None)
@given(st.lists(header, max_size=5), st.lists(keys, max_size=3))
def test_whoever_reads_it_first_or_last_reads_the_same(
    headers: list[tuple[bytes, bytes]], parameters: list[str]
) -> None:
    """What passes, read from either end, names one host and one key."""
    if contradiction(headers, parameters) is not None:
        return

    def read(headers: list[tuple[bytes, bytes]], parameters: list[str]) -> set[object]:
        given = dict(reversed(headers))
        key: bytes | None = given.get(b"x-api-key")
        if key is None:
            scheme, _, token = given.get(b"authorization", b"").partition(b" ")
            key = token if scheme.lower() == b"bearer" else None
        said = {one.encode() for one in parameters if one} | ({key} if key is not None else set())
        return {("host", given.get(b"host")), *said}

    there, back = read(headers, parameters), read(headers[::-1], parameters[::-1])
    assert there == back
    assert len(there) <= 2


@pytest.mark.parametrize(
    ("line", "framing", "code"),
    [
        ("GET /ws", b"Content-Length: 2", "BAD_REQUEST"),
        ("GET /ws", CHUNKED, "BAD_REQUEST"),
        # Only GET can open a WebSocket: this is a report that lacks everything, or no chunk.
        ("POST /webhook/start", b"Content-Length: 2", "VALIDATION_ERROR"),
        ("POST /webhook/start", CHUNKED, "BAD_REQUEST"),
    ],
)
def test_a_handshake_with_a_body_is_answered(
    server: Server, line: str, framing: bytes, code: str
) -> None:
    answer = exchange(server, head(line, HOST, RIGHT, JSON, *UPGRADE, framing) + b"{}")
    assert json.loads(answer.body)["error"]["code"] == code
