"""Whatever clients send: an answer below 500 (or 503), nothing in the log, no memory kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.raw import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Answer,
    connect,
    exchange,
    frame,
    open_websocket,
    parse,
    read_all,
    read_close_code,
    read_frame,
    request,
    webhook,
)
from tests.support.server import Server
from tests.support.timeouts import command_with_timeouts

resource = pytest.importorskip("resource")  # not on Windows

MIB = 1024 * 1024
MAX_BODY = 1_048_576
KINDS = ("start", "status", "finish", "error")
VALID = {
    "project": "hostile",
    "task": "T",
    "task_id": "t",
    "agent": "a",
    "error_type": "E",
    "error_message": "m",
    "metadata": {"a": [1, 2.5, None, "x"]},
}

fuzz = settings(
    max_examples=80,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for everything in here. At the end it is as good as new."""
    server = Server.start(tmp_path_factory.mktemp("hostile") / "server", "--ws-per-project", "0")
    for _ in range(50):
        server.report("start", "hostile")
    before = server.memory
    yield server
    alive = server.process.poll() is None and server.report("start", "after").status_code == 201
    grown = server.memory - before
    ended = server.stop()
    assert alive
    assert grown < 64 * MIB
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log
    assert ended == 0


def assert_decent(answer: Answer) -> None:
    """An answer of docs/contract.md, "Errors"; closing without one is for what is not HTTP."""
    assert answer.status < 500 or answer.status == 503, answer
    if answer.status >= 400 and answer.body:
        error = json.loads(answer.body)["error"]
        assert error["code"]
        assert error["message"]


def valid_with(**fields: object) -> bytes:
    return json.dumps({**VALID, **fields}).encode()


def nested(depth: int) -> bytes:
    return b'{"metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"," + valid_with()[1:]


# Bodies

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=30)
    | st.just("x" * 20_000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
objects = st.dictionaries(
    st.sampled_from(
        [*VALID, "status", "progress", "result", "duration_seconds", "stack_trace", "other"]
    ),
    json_values,
).map(lambda fields: json.dumps({**VALID, **fields}).encode(errors="surrogatepass"))
mutilated = st.tuples(st.integers(0, 200), st.binary(max_size=6), st.integers(0, 4)).map(
    lambda cut: valid_with()[: cut[0]] + cut[1] + valid_with()[cut[0] + cut[2] :]
)


@given(st.sampled_from(KINDS), objects | mutilated | st.binary(max_size=200))
@example("start", valid_with(task="\0"))
@example("start", valid_with(task_id="\ud800"))
@example("start", valid_with(metadata={"\udfff": "\ud800"}))
@example("start", b"\xef\xbb\xbf" + valid_with())
@example("start", valid_with().decode().encode("utf-16"))
@example("start", valid_with().replace(b'"T"', b'"\xff\xfe"'))
@example("start", b'{"project":"a",' + valid_with()[1:])
@example("start", b'{"metadata":{"a":1,"a":2},' + valid_with()[1:])
@example("start", nested(99))
@example("start", nested(101))
@example("start", nested(100_000))
@example("start", b"[" * 500_000)
@example("start", b'{"a":' * 150_000)
@example("start", b"[]")
@example("start", b"null")
@example("start", b"")
@example("status", valid_with().replace(b'"T"', b"1" * 5000))
@example("status", b'{"progress":NaN,' + valid_with()[1:])
@example("status", b'{"progress":Infinity,' + valid_with()[1:])
@example("status", b'{"progress":1e999,' + valid_with()[1:])
@example("status", b'{"progress":' + b"9" * 10_000 + b"," + valid_with()[1:])
@example("finish", b'{"duration_seconds":1e308,' + valid_with()[1:])
@example("finish", b'{"duration_seconds":9223372036854775807,' + valid_with()[1:])
@example("finish", b'{"duration_seconds":-0.0,' + valid_with()[1:])
@example("start", b'{"metadata":{"n":' + b"9" * 5000 + b"}," + valid_with()[1:])
@example("start", b'{"metadata":{"n":18446744073709551616},' + valid_with()[1:])
@example("start", b'{"metadata":{"n":-1e400},' + valid_with()[1:])
@example("start", valid_with(metadata={str(n): n for n in range(50_000)}))
@fuzz
def test_bodies(hostile: Server, kind: str, body: bytes) -> None:
    answer = exchange(hostile, webhook(kind, body))
    assert_decent(answer)
    assert answer.status in (200, 201, 400, 422), answer


@pytest.mark.parametrize("size", [MAX_BODY + 1, 10**12, 2**70])
def test_announced_body_past_the_limit(hostile: Server, size: int) -> None:
    data = request("POST", "/webhook/start", [b"Content-Length: %d" % size]) + b"{"
    answer = exchange(hostile, data)
    assert answer.status in (400, 413)  # 400: a number that no HTTP parser takes
    assert_decent(answer)


def test_chunked_body_past_the_limit(hostile: Server) -> None:
    head = request("POST", "/webhook/start", [b"Transfer-Encoding: chunked"])
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    assert exchange(hostile, head + chunk * 17).status == 413
    assert exchange(hostile, head + chunk * 300).status in (413, 0)  # cut off at some point


def test_chunked_body_without_a_proper_end(hostile: Server) -> None:
    head = request("POST", "/webhook/start", [b"Transfer-Encoding: chunked"])
    for tail in (b"zz\r\n", b"5\r\nab", b"-1\r\n", b"fffffffffffffffff\r\n", b"1;" + b"x" * 80_000):
        assert exchange(hostile, head + tail).status in (0, 400, 413, 431)


def test_stalled_clients_are_dropped(tmp_path: Path) -> None:
    server = Server.start(tmp_path, command=command_with_timeouts(request=0.5))
    beginnings = {
        "nothing": b"",
        "half a line": b"GET /hea",
        "half the headers": b"POST /webhook/start HTTP/1.1\r\nHost: localhost\r\nX-",
        "half a body": webhook("start", valid_with())[:-5],
        "half a chunk": request("POST", "/webhook/start", [b"Transfer-Encoding: chunked"])
        + b"ff\r\n{",
    }
    try:
        with ExitStack() as stack:
            stalled = {}
            for name, beginning in beginnings.items():
                stalled[name] = stack.enter_context(closing(connect(server)))
                stalled[name].sendall(beginning)
            for name, connection in stalled.items():
                received = read_all(connection)  # fails by its time-out if nobody hangs up
                assert parse(received).status in (0, 400, 408), name
        assert server.report("start", "after").status_code == 201
        assert "Traceback" not in server.log
    finally:
        server.stop()


# Addresses

PATHS = (
    "/api/projects",
    "/api/projects/hostile/tasks",
    "/api/projects/hostile/tasks/t",
    "/api/stats",
    "/api/stats/projects/hostile",
    "/api/events",
    "/api/websocket/stats",
    "/health",
)
PARAMETERS = (
    "limit",
    "offset",
    "sort_by",
    "sort_order",
    "status",
    "agent",
    "date_from",
    "date_to",
    "q",
    "since",
    "project",
    "task_id",
    "type",
    "days",
)
odd_values = st.text(st.characters(), max_size=20).map(
    lambda text: quote(text, errors="surrogatepass")
) | st.sampled_from(
    [
        "%00",
        "%ED%A0%80",
        "%FF",
        "%",
        "%zz",
        "-1",
        "0",
        "9" * 40,
        "1e9",
        "NaN",
        "9223372036854775808",
        "2024-01-15",
        "0000-00-00",
        "9999-12-31",
        "2024-01-15T10:00:00+99:99",
        "%22*%22",
        "AND",
        "NEAR(",
        "x" * 4000,
        "+".join("ab" for _ in range(500)),
        "",
        "١٢",
    ]
)


@given(
    st.sampled_from(PATHS),
    st.lists(st.tuples(st.sampled_from(PARAMETERS), odd_values), min_size=1, max_size=3),
)
@fuzz
def test_query_strings(hostile: Server, path: str, parameters: list[tuple[str, str]]) -> None:
    query = "&".join(f"{name}={value}" for name, value in parameters)
    assert_decent(exchange(hostile, request("GET", f"{path}?{query}")))


@given(
    st.sampled_from(["GET", "POST", "DELETE", "PUT", "OPTIONS", "HEAD", "PROPFIND", "get", "%"]),
    st.binary(max_size=30) | odd_values.map(str.encode),
)
@example("GET", b"http://elsewhere/api/projects")
@example("GET", b"*")
@example("GET", b"//api//projects")
@example("GET", b"api/projects/../../etc/passwd")
@example("GET", b"docs/assets/..%2f..%2fpyproject.toml")
@example("GET", b"api/projects/%00/tasks")
@example("DELETE", b"api/projects/%ED%A0%80")
@fuzz
def test_paths(hostile: Server, method: str, path: bytes) -> None:
    assert_decent(exchange(hostile, request(method, b"/" + path)))
    assert_decent(exchange(hostile, request(method, b"/api/projects/" + path + b"/tasks")))


NAMES = (
    b"X-API-Key",
    b"Authorization",
    b"Content-Type",
    b"Content-Length",
    b"Transfer-Encoding",
    b"Host",
    b"Origin",
    b"Idempotency-Key",
    b"If-None-Match",
    b"Last-Event-ID",
    b"Accept",
    b"Cookie",
    b"Expect",
    b"Connection",
    b"Upgrade",
    b"Access-Control-Request-Method",
    b"Sec-WebSocket-Key",
    b"X",
)
odd_headers = st.tuples(
    st.sampled_from(NAMES) | st.binary(max_size=8),
    st.binary(max_size=40)
    | st.sampled_from(
        [
            b"chunked",
            b"application/json; charset=latin1",
            b"Bearer",
            b"100-continue",
            b"websocket",
            b"-1",
            b"9" * 30,
            b"x" * 300,
            "é".encode(),
            b"\x00",
            b'W/"x", *',
            b"upgrade",
            b"http://[",
        ]
    ),
)


@given(st.lists(odd_headers, min_size=1, max_size=4))
@fuzz
def test_headers(hostile: Server, headers: list[tuple[bytes, bytes]]) -> None:
    lines = [name + b": " + value for name, value in headers]
    assert_decent(exchange(hostile, webhook("start", valid_with(), *lines)))
    assert_decent(exchange(hostile, request("GET", "/api/projects", lines)))


@given(st.binary(max_size=300))
@example(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # TLS on a plain port
@example(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
@example(b"GET / HTTP/0.9\r\n\r\n")
@example(b"GET / HTTP/1.1\r\n\r\n" * 50)
@example(b"\r\n" * 5000)
@fuzz
def test_what_is_not_http(hostile: Server, data: bytes) -> None:
    assert_decent(exchange(hostile, data))


@pytest.mark.parametrize(
    "flood",
    [
        b"X: " + b"x" * 70_000,
        b"\r\n".join(b"X-%d: y" % number for number in range(10_000)),
        b"X: " + b"x" * (16 * MIB),
    ],
    ids=["long", "many", "huge"],
)
def test_header_flood(hostile: Server, flood: bytes) -> None:
    with closing(connect(hostile)) as connection:
        with suppress(ConnectionError):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + flood + b"\r\n\r\n")
        assert parse(read_all(connection)).status in ((431,) if len(flood) < MIB else (431, 0))


def test_header_flood_without_an_end(hostile: Server) -> None:
    with closing(connect(hostile)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nX: " + b"x" * 70_000)
        assert parse(read_all(connection)).status == 431


def test_url_flood(hostile: Server) -> None:
    with closing(connect(hostile)) as connection:
        connection.sendall(
            b"GET /health?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert parse(read_all(connection)).status == 431


def test_a_thousand_idle_connections(hostile: Server) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    try:
        with ExitStack() as stack:
            for _ in range(1000):
                stack.enter_context(closing(connect(hostile)))
            assert hostile.report("start", "hostile").status_code == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# WebSocket frames


def test_fragments_make_one_message(hostile: Server) -> None:
    with closing(open_websocket(hostile)) as socket:
        socket.sendall(
            frame(TEXT, b'{"ty', fin=False)
            + frame(PING, b"!")
            + frame(0, b'pe":', fin=False)
            + frame(0, b"", fin=False) * 100
            + frame(0, b'"ping"}')
        )
        assert read_frame(socket) == (PONG, b"!")
        opcode, payload = read_frame(socket)
        assert (opcode, json.loads(payload)["type"]) == (TEXT, "pong")


@pytest.mark.parametrize("message", [
    frame(BINARY, b"\x00\xff"), frame(TEXT, b"not JSON"), frame(TEXT, b"[1]"), frame(TEXT, b""),
    frame(TEXT, b'{"type":["ping"]}'), frame(TEXT, b"[" * 60_000),
    frame(TEXT, b'{"type":"\\ud800"}'),
    frame(PONG, b"unasked"), frame(TEXT, "é".encode()[:1], fin=False) + frame(0, "é".encode()[1:]),
])  # fmt: skip
def test_messages_that_say_nothing_are_ignored(hostile: Server, message: bytes) -> None:
    with closing(open_websocket(hostile)) as socket:
        socket.sendall(message + frame(TEXT, b'{"type":"ping"}'))
        assert json.loads(read_frame(socket)[1])["type"] == "pong"


TOO_BIG, PROTOCOL_ERROR, NOT_UTF8 = 1009, 1002, 1007


@pytest.mark.parametrize(("frames", "code"), [
    (frame(TEXT, b"x" * 65_537), TOO_BIG),
    (frame(BINARY, b"x" * 65_537), TOO_BIG),
    (b"\x81\xff" + (2**40).to_bytes(8) + b"mask", TOO_BIG),
    (frame(TEXT, b"x" * 40_000, fin=False) + frame(0, b"x" * 40_000), TOO_BIG),
    (frame(TEXT, b"\xff"), NOT_UTF8),
    (frame(TEXT, b"x", reserved=4), PROTOCOL_ERROR),
    (frame(0, b"goes on from nothing"), PROTOCOL_ERROR),
    (frame(0x3), PROTOCOL_ERROR),
    (frame(PING, b"x" * 126), PROTOCOL_ERROR),
    (frame(PING, fin=False), PROTOCOL_ERROR),
    (b"\x81\x02hi", PROTOCOL_ERROR),  # not masked
    (frame(CLOSE, b"\x03"), PROTOCOL_ERROR),
    (frame(CLOSE, (1004).to_bytes(2)), PROTOCOL_ERROR),  # nobody may send that
    (frame(CLOSE, (1000).to_bytes(2) + b"\xff"), NOT_UTF8),
    (frame(TEXT, b"\xed\xa0\x80"), NOT_UTF8),  # half of a pair of surrogates
    (frame(CLOSE, (4000).to_bytes(2)), 4000),
])  # fmt: skip
def test_frames_that_end_the_socket(hostile: Server, frames: bytes, code: int) -> None:
    with closing(open_websocket(hostile)) as socket:
        socket.sendall(frames)
        assert read_close_code(socket) == code


frames = st.builds(
    frame,
    st.integers(0, 15),
    st.binary(max_size=130),
    fin=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 1, 4]),
)


@given(st.lists(frames | st.binary(max_size=20), max_size=6))
@fuzz
def test_frames(hostile: Server, frames: list[bytes]) -> None:
    with closing(open_websocket(hostile)) as socket:
        with suppress(ConnectionError):
            socket.sendall(b"".join(frames) + frame(CLOSE, (1000).to_bytes(2)))
            socket.shutdown(1)
        read_all(socket)  # fails by its time-out if the socket stays open


def test_ping_flood_by_a_client_who_reads_nothing(hostile: Server) -> None:
    flood = frame(PING, b"x" * 125) * 1000
    before = hostile.memory
    with closing(open_websocket(hostile)) as socket:
        socket.settimeout(5)
        with suppress(TimeoutError, ConnectionError):
            for _ in range(100):
                socket.sendall(flood)
        assert hostile.report("start", "hostile").status_code == 200
        assert hostile.memory - before < 32 * MIB


@pytest.mark.parametrize("header", [
    b"Sec-WebSocket-Key: short", b"Sec-WebSocket-Version: 7", b"Sec-WebSocket-Key: " + b"x" * 5000,
])  # fmt: skip
def test_bad_handshakes(hostile: Server, header: bytes) -> None:
    upgrade = (b"Upgrade: websocket", b"Connection: Upgrade", header)
    answer = exchange(
        hostile, request("GET", "/ws", upgrade).replace(b"Connection: close\r\n", b"")
    )
    assert 400 <= answer.status < 500
    assert_decent(answer)
