"""Every route × every failure: the same shape, the right code, a hint what to do, no secrets.

The routes are the application's own and their parameters those of `/openapi.json`, so a new route
is walked without a change here. Each walk is done with rate limits and without.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import httpx
import pytest

from tests.support import raw
from tests.support.clocked import ClockedServer
from tests.support.described import PAGES, SOCKET, Document, Operation, Route, routes
from tests.support.server import KEY, Server
from tracker.api.errors import STATUSES
from tracker.domain.limits import MAX_BODY_BYTES, MAX_DEPTH, MAX_HEADER_BYTES, MAX_TELEMETRY_BYTES
from tracker.errors import Unavailable
from tracker.store.group import GroupCommit

ROUTES = sorted(routes())
PATHS = sorted({route.path for route in ROUTES})
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Tracker:
    """A server, what it says of itself, and what every failure of it has to look like."""

    def __init__(self, server: Server | ClockedServer) -> None:
        self.server = server
        self.http = server.http
        self.document = Document(self.http.get("/openapi.json").json())

    @cached_property
    def operations(self) -> list[Operation]:
        """All but MCP's, whose answers are JSON-RPC: tests/api/test_mcp.py."""
        return [one for one in self.document.operations if one.path != "/mcp"]

    @cached_property
    def secured(self) -> list[Route]:
        """The routes that need a key: all but the pages and the operations that say so."""
        open_ = {
            (operation.method, operation.path)
            for operation in self.operations
            if operation.content.get("security") == []
        }
        return [route for route in ROUTES if route.path not in PAGES and tuple(route) not in open_]

    def check(self, answer: httpx.Response, code: str, field: str | None = None) -> dict[str, Any]:
        """Assert that the answer is this failure; its `details`."""
        asked = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        assert answer.status_code == STATUSES[code], asked
        assert answer.headers["Content-Type"] == "application/json", asked
        return self.check_body(answer.content, code, field)

    def check_body(self, body: bytes, code: str, field: str | None = None) -> dict[str, Any]:
        """Likewise, of an answer's body."""
        content = json.loads(body)
        self.document.check_strictly({"$ref": "#/components/schemas/ErrorResponse"}, content)
        error = content["error"]
        assert error["code"] == code, content
        assert TIMESTAMP.fullmatch(content["timestamp"]), content
        assert len(error["message"]) > 10, content
        details: dict[str, Any] = error["details"]
        assert {"field": details["field"], "issue": details["issue"]} == details["errors"][0]
        for issue in details["errors"]:
            assert issue["field"], content
            assert issue["issue"], content
        if field is not None:
            assert details["field"] == field, content
        assert KEY not in body.decode()
        assert "Traceback" not in body.decode()
        return details


@pytest.fixture(scope="module", params=["0", "1000000"], ids=["unlimited", "limited"])
def tracker(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    folder = tmp_path_factory.mktemp("errors") / "server"
    server = Server.start(folder, "--rate-limit-webhook", request.param)
    yield Tracker(server)
    server.stop()


def test_without_the_key(tracker: Tracker) -> None:
    assert len(tracker.secured) > 15
    with httpx.Client(base_url=tracker.server.url, trust_env=False) as http:
        for route in tracker.secured:
            answer = http.request(route.http_method, route.url)
            tracker.check(answer, "UNAUTHORIZED", "X-API-Key")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "wrong",
    [
        {"headers": {"X-API-Key": "wrong-key-of-somebody"}},
        {"headers": {"Authorization": "Bearer wrong-key-of-somebody"}},
        {"params": {"api_key": "wrong-key-of-somebody"}},
    ],
    ids=["X-API-Key", "Bearer", "api_key"],
)
def test_with_a_wrong_key(tracker: Tracker, wrong: dict[str, Any]) -> None:
    with httpx.Client(base_url=tracker.server.url, trust_env=False) as http:
        for route in tracker.secured:
            answer = http.request(route.http_method, route.url, **wrong)
            if answer.status_code == 429:  # after many of them
                tracker.check(answer, "RATE_LIMITED")
            else:
                tracker.check(answer, "UNAUTHORIZED", "X-API-Key")
            assert "wrong-key-of-somebody" not in answer.text
    assert "wrong-key-of-somebody" not in tracker.server.log


def test_for_a_host_that_is_not_ours(tracker: Tracker) -> None:
    for route in ROUTES:
        if route.path in ("/health", "/healthz", "/readyz"):
            continue  # for any host
        headers = {"Host": "rebound.example"}
        answer = tracker.http.request(route.http_method, route.url, headers=headers)
        tracker.check(answer, "BAD_REQUEST", "Host")


def test_below_what_there_is(tracker: Tracker) -> None:
    for route in ROUTES:
        answer = tracker.http.request(route.http_method, f"{route.url}/nothing/of/that/name")
        tracker.check(answer, "NOT_FOUND")


def test_by_a_method_that_is_not_there(tracker: Tracker) -> None:
    for path in PATHS:
        there = {route.method for route in ROUTES if route.path == path} - {"WEBSOCKET"}
        there |= {"HEAD"} if "GET" in there else set()
        for method in {*METHODS} - there:
            answer = tracker.http.request(method, Route(method, path).url)
            if method == "HEAD":
                assert (answer.status_code, answer.content) == (405, b""), path
            else:
                tracker.check(answer, "METHOD_NOT_ALLOWED")
            assert set(answer.headers["Allow"].split(", ")) == there | {"OPTIONS"}, path


def with_body(tracker: Tracker) -> list[Operation]:
    return [operation for operation in tracker.operations if operation.body]


def webhooks(tracker: Tracker) -> list[Operation]:
    return [one for one in tracker.operations if one.path.startswith("/webhook/")]


def post(tracker: Tracker, operation: Operation, body: Any, **headers: str) -> httpx.Response:
    """Send a body as it is, said to be JSON unless `headers` say otherwise."""
    headers = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return tracker.http.request(operation.method, operation.url, content=body, headers=headers)


def test_with_too_large_a_body(tracker: Tracker) -> None:
    def chunks(size: int) -> Iterator[bytes]:
        while size > 0:
            yield b" " * min(size, 65_536)
            size -= 65_536

    for operation in with_body(tracker):
        is_telemetry = operation.path.startswith("/v1/")
        limit = MAX_TELEMETRY_BYTES if is_telemetry else MAX_BODY_BYTES
        body = b" " * (limit + 1)
        tracker.check(post(tracker, operation, body), "PAYLOAD_TOO_LARGE", "body")
        counted = post(tracker, operation, chunks(limit + 1))
        tracker.check(counted, "PAYLOAD_TOO_LARGE", "body")
        # One that just fits is read, and found to be nothing.
        tracker.check(post(tracker, operation, chunks(limit)), "INVALID_JSON", "body")
        tracker.check(post(tracker, operation, b" " * limit), "INVALID_JSON", "body")


def test_a_body_announced_too_large_is_not_asked_for(tracker: Tracker) -> None:
    announced = [b"Content-Length: %d" % (MAX_BODY_BYTES + 1), b"Expect: 100-continue"]
    for operation in webhooks(tracker):
        head = raw.request("POST", operation.url, [b"Content-Type: application/json", *announced])
        with raw.connect(tracker.server) as connection:
            connection.sendall(head)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 413 "), operation


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *("application/xml", "application/jsonx", "application/json; charset=utf-16", "json"),
    ],
)
def test_with_a_body_of_another_type(tracker: Tracker, content_type: str) -> None:
    for operation in with_body(tracker):
        body = json.dumps(operation.body["example"])
        answer = post(tracker, operation, body, Content_Type=content_type)
        tracker.check(answer, "UNSUPPORTED_MEDIA_TYPE", "Content-Type")


NOT_JSON = {
    "nothing": b"",
    "half": b'{"project": "p"',
    "NaN": b'{"progress": NaN}',
    "infinity": b'{"duration_seconds": Infinity}',
    "lone surrogate": rb'{"project": "\ud800"}',
    "surrogates in bytes": b'{"project": "\xed\xa0\x80"}',
    "not UTF-8": b'{"project": "\xff"}',
    "UTF-16": '{"project": "p"}'.encode("utf-16"),
    "byte order mark twice": b'\xef\xbb\xbf\xef\xbb\xbf{"project": "p"}',
    "comment": b'{} // "project"',
    "two values": b"{}{}",
    "single quotes": b"{'project': 'p'}",
    "control character": b'{"project": "\n"}',
    "too deep": b'{"metadata":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    "far too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_with_a_body_that_is_not_json(tracker: Tracker, body: bytes) -> None:
    for operation in with_body(tracker):
        if body or "required" in tracker.document.follow(operation.body["schema"]):
            tracker.check(post(tracker, operation, body), "INVALID_JSON", "body")


def test_with_a_number_that_no_double_can_be(tracker: Tracker) -> None:
    for operation in with_body(tracker):
        answer = post(tracker, operation, b'{"duration_seconds": 1e999}')
        tracker.check(answer, "VALIDATION_ERROR", "body")


def test_with_a_name_given_twice(tracker: Tracker) -> None:
    for operation in with_body(tracker):
        body = json.dumps(operation.body["example"])
        first = next(iter(operation.body["example"]))
        twice = body.removesuffix("}") + f', "{first}": "another"}}'
        tracker.check(post(tracker, operation, twice), "INVALID_JSON", first)
        deep = body.removesuffix("}") + ', "extra": {"a": [{"b": ":", "b": 2}]}}'
        tracker.check(post(tracker, operation, deep), "INVALID_JSON", "b")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"1", b"true"])
def test_with_a_body_that_is_no_object(tracker: Tracker, body: bytes) -> None:
    for operation in with_body(tracker):
        tracker.check(post(tracker, operation, body), "VALIDATION_ERROR", "body")


def test_with_every_field_wrong_all_are_listed(tracker: Tracker) -> None:
    for operation in with_body(tracker):
        schema = tracker.document.follow(operation.body["schema"])
        if "required" in schema:
            missing = tracker.check(post(tracker, operation, b"{}"), "VALIDATION_ERROR")
            assert [issue["field"] for issue in missing["errors"]] == schema["required"]
        wrong = dict.fromkeys(schema["properties"], False)  # no field is a boolean
        listed = tracker.check(post(tracker, operation, json.dumps(wrong)), "VALIDATION_ERROR")
        assert {issue["field"] for issue in listed["errors"]} == schema["properties"].keys()


def wrong_values(schema: dict[str, Any]) -> list[str]:
    """Query strings' values that the schema forbids."""
    if "enum" in schema:
        return ["nonsense", schema["enum"][0].upper(), schema["enum"][0] + "\0"]
    if schema.get("type") == "integer":
        whole = ["x", "1.5", "1e3", "0x10", "true", "null", "٣٣x", "9" * 30]
        beyond = [schema["minimum"] - 1] if "minimum" in schema else []
        beyond += [schema["maximum"] + 1] if "maximum" in schema else []
        return [*whole, *map(str, beyond)]
    if "anyOf" in schema:
        return ["yesterday", "2024-13-01", "2024-01-15T25:00:00Z", "1705312800", "0"]
    return ["x" * (schema["maxLength"] + 1)] if "maxLength" in schema else []


def test_with_wrong_values_in_the_query(tracker: Tracker) -> None:
    tracker.server.report("start", "my-project", "task-123")
    walked = 0
    for operation in tracker.operations:
        all_wrong = {}
        for parameter in operation.parameters:
            if parameter["in"] != "query":
                continue
            name = parameter["name"]
            for value in wrong_values(parameter["schema"]):
                answer = tracker.http.request(operation.method, operation.url, params={name: value})
                tracker.check(answer, "VALIDATION_ERROR", name)
                all_wrong[name] = value
                walked += 1
        if all_wrong:
            answer = tracker.http.request(operation.method, operation.url, params=all_wrong)
            listed = tracker.check(answer, "VALIDATION_ERROR")["errors"]
            assert {issue["field"] for issue in listed} == all_wrong.keys(), operation
    assert walked > 100


def test_with_a_wrong_cursor_in_a_header(tracker: Tracker) -> None:
    (stream,) = [
        operation
        for operation in tracker.operations
        if "Last-Event-ID" in {parameter["name"] for parameter in operation.parameters}
    ]
    for value in ("x", "-1", "1.5", "9" * 30):
        answer = tracker.http.get(stream.url, headers={"Last-Event-ID": value})
        tracker.check(answer, "VALIDATION_ERROR", "since")


@pytest.mark.parametrize("name", ["no such thing", "нет", "%00", "x" * 300, "%2F", "..%2F.."])
def test_for_a_project_or_task_that_is_not_there(tracker: Tracker, name: str) -> None:
    tracker.server.report("start", "there", "there")
    for operation in tracker.operations:
        names = re.findall(r"\{\w+\}", operation.path)
        body = (operation.body or {}).get("example") if names else None
        for unknown in names:
            url = operation.path.replace(unknown, name)
            for other in names:
                url = url.replace(other, "there")
            tracker.check(tracker.http.request(operation.method, url, json=body), "NOT_FOUND")
    assert tracker.server.task("there", "there")["task_id"] == "there"


def test_with_an_idempotency_key_that_will_not_do(tracker: Tracker) -> None:
    for operation in webhooks(tracker):
        if operation.path == "/webhook/batch":  # has them inside
            continue
        schema = tracker.document.follow(operation.body["schema"])
        body = {**operation.body["example"], "project": f"keys of {operation}"}
        key = f"key of {operation}"
        assert post(tracker, operation, json.dumps(body), Idempotency_Key=key).is_success
        assert "metadata" in schema["properties"]
        other = json.dumps({**body, "metadata": {"other": True}})
        answer = post(tracker, operation, other, Idempotency_Key=key)
        tracker.check(answer, "IDEMPOTENCY_KEY_REUSED")
        for wrong in ("", "x" * 256):
            answer = post(tracker, operation, other, Idempotency_Key=wrong)
            tracker.check(answer, "VALIDATION_ERROR", "Idempotency-Key")
        task = tracker.server.task(body["project"], body["task_id"])
        assert len(task["events"]) == 1


# What the connection itself refuses.


def check_raw(tracker: Tracker, answer: raw.Answer, status: int, code: str = "BAD_REQUEST") -> None:
    assert answer.status == status, answer
    assert b"\r\ncontent-type: application/json" in answer.head.lower(), answer
    tracker.check_body(answer.body, code)


def test_with_too_large_headers(tracker: Tracker) -> None:
    one = [b"X-Large: " + b"x" * MAX_HEADER_BYTES]
    many = [b"X-Many: y"] * (MAX_HEADER_BYTES // 11 + 1)
    for route in ROUTES:
        for headers in (one, many):
            request = raw.request(route.http_method, route.url.replace(" ", "%20"), headers)
            check_raw(tracker, raw.exchange(tracker.server, request), 431)
    long = raw.request("GET", "/" + "x" * MAX_HEADER_BYTES)
    check_raw(tracker, raw.exchange(tracker.server, long), 431)


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nbad header: x\r\n\r\n",
        b"G@T /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        raw.webhook("start", b"{}", b"Content-Length: 3"),
        raw.webhook("start", b"{}", b"Transfer-Encoding: chunked"),
        raw.request("POST", "/webhook/start", [b"Transfer-Encoding: chunked"]) + b"no size\r\n",
        raw.request("GET", "/проект"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # how TLS begins
    ],
)
def test_that_are_no_http(tracker: Tracker, request_: bytes) -> None:
    check_raw(tracker, raw.exchange(tracker.server, request_), 400)


def shake_hands(tracker: Tracker, **changed: str) -> raw.Answer:
    fields = {
        "Host": "localhost",
        "X-API-Key": KEY,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    } | {name.replace("_", "-"): value for name, value in changed.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return raw.exchange(tracker.server, f"GET {SOCKET} HTTP/1.1\r\n{head}\r\n".encode())


def test_with_a_bad_websocket_handshake(tracker: Tracker) -> None:
    check_raw(tracker, shake_hands(tracker, Sec_WebSocket_Key="short"), 400)
    check_raw(tracker, shake_hands(tracker, Sec_WebSocket_Key=""), 400)
    check_raw(tracker, shake_hands(tracker, Sec_WebSocket_Version="7"), 400)
    check_raw(tracker, shake_hands(tracker, Connection="close"), 426, "UPGRADE_REQUIRED")


def test_the_server_says_nothing_of_all_that_in_its_log(tracker: Tracker) -> None:
    assert KEY not in tracker.server.log
    assert "ERROR" not in tracker.server.log


# What needs a server of its own.


def test_over_the_limit(start_server: Callable[..., Server]) -> None:
    server = start_server(
        *("--rate-limit-webhook", "1", "--rate-limit-api", "1", "--rate-limit-agents", "1")
    )
    tracker = Tracker(server)
    limited = [
        operation
        for operation in tracker.operations
        if "RateLimit" in operation.responses.get(429, {}).get("headers", ())
    ]
    for prefix in ("/webhook/", "/api/", "/hooks/", "/v1/"):
        first = next(operation for operation in limited if operation.path.startswith(prefix))
        assert tracker.http.request(first.method, first.url).headers["RateLimit"]
    for operation in tracker.operations:
        for _ in range(2):
            answer = tracker.http.request(operation.method, operation.url)
            if operation not in limited:
                assert answer.status_code == (422 if operation.path == "/proof" else 200)
                continue
            tracker.check(answer, "RATE_LIMITED")
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            for header in operation.responses[429]["headers"]:
                assert header in answer.headers, operation
    paths = {operation.path for operation in limited}
    assert all(path in paths for path in PATHS if path.startswith(("/webhook/", "/api/")))


@pytest.fixture
def failing(clocked: ClockedServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tracker]:
    def fail(error: Exception) -> Tracker:
        """A server whose database answers everything with this."""
        tracker = Tracker(clocked)

        def raise_it(*_: Any) -> None:
            raise error

        monkeypatch.setattr(GroupCommit, "submit", raise_it)
        monkeypatch.setattr(GroupCommit, "submit_item", raise_it)
        monkeypatch.setattr(GroupCommit, "submit_events", raise_it)
        return tracker

    return fail


def stored(tracker: Tracker) -> list[Operation]:
    """The operations that need the database; /redis-check's 503 is of something else."""
    return [
        operation
        for operation in tracker.operations
        if 503 in operation.responses and operation.path != "/redis-check"
    ]


def send(tracker: Tracker, operation: Operation) -> httpx.Response:
    body = operation.body and operation.body["example"]
    # Signing out needs the database if there is anybody to sign out.
    params = {"all": ""} if operation.path == "/api/session" else None
    return tracker.http.request(operation.method, operation.url, json=body, params=params)


def test_by_a_fault_of_ours(
    failing: Callable[..., Tracker], caplog: pytest.LogCaptureFixture
) -> None:
    tracker = failing(RuntimeError("secret internals"))
    for operation in stored(tracker):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            answer = send(tracker, operation)
        tracker.check(answer, "INTERNAL_ERROR")
        assert "secret internals" not in answer.text
        # What the server does by itself fails too, now and then.
        (record,) = [record for record in caplog.records if record.name.startswith("tracker.api")]
        assert answer.headers["X-Request-ID"] in record.getMessage()
        assert "secret internals" in str(record.exc_info)


def test_while_the_database_cannot_serve(failing: Callable[..., Tracker]) -> None:
    tracker = failing(Unavailable("The database is locked by another program.", 3))
    for operation in stored(tracker):
        answer = send(tracker, operation)
        if operation.path in ("/db-check", "/readyz"):  # a check's answer, not a failure to answer
            schema = operation.responses[503]["content"]["application/json"]["schema"]
            assert answer.status_code == 503
            tracker.document.check_strictly(schema, answer.json())
        else:
            tracker.check(answer, "SERVICE_UNAVAILABLE")
        assert answer.headers["Retry-After"] == ("1" if operation.path == "/readyz" else "3")
    assert tracker.http.get("/health").json()["status"] == "healthy"
