"""Requests that say two things at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.support import raw
from tests.support.mounts import MOUNTS
from tests.support.raw import HOST
from tests.support.server import KEY, Server

RIGHT = b"X-API-Key: " + KEY.encode()
WRONG = b"X-API-Key: somebody-elses-key"
BEARER = b"Authorization: Bearer "
UPGRADE = (
    *(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)

# What a client sends besides the request itself: its headers, and what follows the address.
CONTRADICTIONS: dict[str, tuple[tuple[bytes, ...], str]] = {
    "two hosts": ((HOST, b"Host: evil.example", RIGHT), ""),
    "the same host twice": ((HOST, HOST, RIGHT), ""),
    "two keys, the right one first": ((HOST, RIGHT, WRONG), ""),
    "two keys, the right one last": ((HOST, WRONG, RIGHT), ""),
    "the same key twice": ((HOST, RIGHT, RIGHT), ""),
    "two bearers": ((HOST, BEARER + KEY.encode(), BEARER + b"other"), ""),
    "a key and another parameter": ((HOST, RIGHT), "?api_key=other"),
    "another key and a parameter": ((HOST, WRONG), f"?api_key={KEY}"),
    "a key and a parameter in disguise": ((HOST, RIGHT), "?%61pi_key=other"),
    "a bearer and another parameter": ((HOST, BEARER + b"other"), f"?api_key={KEY}"),
    "two parameters": ((HOST,), f"?api_key=other&api_key={KEY}"),
}
PLAIN: dict[str, tuple[tuple[bytes, ...], str]] = {
    "a key, and what a proxy adds": ((HOST, RIGHT, b"Authorization: Basic eDp5", BEARER), ""),
    "the same key in two ways": ((HOST, RIGHT), f"?api_key={KEY}&api_key={KEY}"),
    "an empty parameter": ((HOST, RIGHT), "?api_key="),
    "a parameter, and what a proxy adds": (
        (HOST, b"Authorization: Basic eDp5"),
        f"?api_key={KEY}",
    ),
}


@pytest.fixture(scope="module", params=MOUNTS)
def either_way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("either") / "server"
    server = Server.start(folder, command=MOUNTS[request.param])
    yield server
    server.stop()


def report(project: str, headers: tuple[bytes, ...], query: str = "") -> bytes:
    body = json.dumps({"project": project, "task": "T", "task_id": "t", "agent": "a"}).encode()
    given = (*headers, b"Content-Type: application/json", b"Content-Length: %d" % len(body))
    return raw.head("POST", f"/webhook/start{query}", given) + body


@pytest.mark.parametrize(("headers", "query"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_request_that_contradicts_itself_is_refused_by_every_way_in(
    either_way: Server, project: str, headers: tuple[bytes, ...], query: str
) -> None:
    once = (*headers, b"Connection: close")
    for data in (
        report(project, once, query),
        raw.head("GET", f"/api/projects{query}", once),
        raw.head("GET", f"/api/events/stream{query}", once),
        raw.head("GET", f"/ws{query}", (*headers, *UPGRADE)),
        raw.head("GET", f"/health{query}", once),
    ):
        answer = raw.exchange(either_way, data)
        assert answer.status == 400, data
        assert json.loads(answer.body)["error"]["code"] == "BAD_REQUEST"
    assert either_way.http.get("/api/events", params={"project": project}).json()["events"] == []


@pytest.mark.parametrize("target", ["http://evil.example", "HTTP://localhost@evil.example"])
def test_an_address_that_names_another_host_is_refused(
    either_way: Server, project: str, target: str
) -> None:
    headers = (HOST, RIGHT, b"Connection: close")
    for data in (
        report(project, headers),
        raw.head("GET", "/api/projects", headers),
        raw.head("GET", "/health?", headers),
        raw.head("GET", "/ws", (HOST, RIGHT, *UPGRADE)),
    ):
        answer = raw.exchange(either_way, data.replace(b" /", f" {target}/".encode(), 1))
        assert answer.status == 400, data
        assert json.loads(answer.body)["error"]["code"] == "BAD_REQUEST"
    assert either_way.http.get("/api/events", params={"project": project}).json()["events"] == []
    same = report(project, headers).replace(b" /", b" http://LocalHost/", 1)
    assert raw.exchange(either_way, same).status == 201


@pytest.mark.parametrize(("headers", "query"), PLAIN.values(), ids=PLAIN)
def test_a_request_that_is_plain_is_let_in(
    either_way: Server, project: str, headers: tuple[bytes, ...], query: str
) -> None:
    ends = b"Connection: close"
    assert raw.exchange(either_way, report(project, (*headers, ends), query)).status == 201
    reads = raw.head("GET", f"/api/projects{query}", (*headers, ends))
    assert raw.exchange(either_way, reads).status == 200


def test_a_key_in_a_trailer_is_none(either_way: Server, project: str) -> None:
    body = report(project, ()).partition(b"\r\n\r\n")[2]
    begin = (HOST, b"Content-Type: application/json", b"Transfer-Encoding: chunked")
    chunks = b"%x\r\n%b\r\n0\r\n%b\r\n\r\n" % (len(body), body, RIGHT)
    answer = raw.exchange(either_way, raw.head("POST", "/webhook/start", begin) + chunks)
    assert answer.status == 401


def test_no_slashes_lead_past_the_rate_limit(start_server: Callable[..., Server]) -> None:
    server = start_server("--rate-limit-webhook", "1")
    headers = (HOST, RIGHT, b"Connection: close")
    assert raw.exchange(server, report("p", headers)).status == 201
    assert raw.exchange(server, report("p", headers)).status == 429
    for target in ("//webhook/start", "///webhook/start", "/webhook//start"):
        asked = report("p", headers).replace(b"/webhook/start", target.encode(), 1)
        answer = raw.exchange(server, asked)
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (404, "NOT_FOUND")
    assert len(server.task("p", "t")["events"]) == 1
