"""Answers that are compressed for who asks (`Accept-Encoding`; RFC 9110, 12.5.3)."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support import raw
from tests.support.mounts import MOUNTS
from tests.support.server import Server

PLAIN = {"Accept-Encoding": "identity"}
GZIP = {"Accept-Encoding": "gzip"}
TASKS = "/api/projects/compressed/tasks?limit=500"


@pytest.fixture(scope="module", params=MOUNTS)
def shared_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for the whole module, with a project whose tasks are 200 KiB of JSON."""
    folder = tmp_path_factory.mktemp("shared") / "server"
    server = Server.start(folder, command=MOUNTS[request.param])
    names = {"project": "compressed", "task": "T", "agent": "a", "metadata": {"text": "x" * 200}}
    reports = [{"kind": "start", **names, "task_id": f"t{number}"} for number in range(300)]
    assert server.http.post("/webhook/batch", json={"reports": reports}).status_code == 200
    yield server
    server.stop()
    assert "Traceback" not in server.log


def compressed(answer: httpx.Response) -> bool:
    return answer.headers.get("Content-Encoding") == "gzip"


# Beyond 64 KiB answers are compressed in a thread.
PATHS = (
    TASKS,
    "/api/projects/compressed/tasks",
    "/api/events?limit=1000",
    "/api/now",
    "/openapi.json",
    "/client.js",
)


@pytest.mark.parametrize("path", PATHS)
def test_who_asks_gets_the_same_in_less(shared_server: Server, path: str) -> None:
    plain = shared_server.http.get(path, headers=PLAIN)
    packed = shared_server.http.get(path, headers=GZIP)
    assert (compressed(plain), compressed(packed)) == (False, True)
    assert packed.content == plain.content
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 2
    for answer in (plain, packed):
        assert "Accept-Encoding" in re.split(", *", answer.headers["Vary"])
        assert answer.headers["Content-Type"] == plain.headers["Content-Type"]
        assert answer.headers.get("ETag") == plain.headers.get("ETag")


def test_what_is_sent_is_one_member_of_just_that_length(shared_server: Server) -> None:
    answer = raw.exchange(shared_server, raw.request("GET", TASKS, (b"Accept-Encoding: gzip",)))
    assert answer.status == 200
    assert f"content-length: {len(answer.body)}\r\n".encode() in answer.head.lower() + b"\r\n"
    assert gzip.decompress(answer.body).startswith(b'{"tasks":[')


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip ; q=0.001", True),
        ("gzip;q=1.000", True),
        ("*", True),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("identity, *;q=0.5", False),
        ("br, deflate", False),
        ("gzipped", False),
        ("", False),
        (", ".join(["x"] * 100 + ["gzip"]), True),
        (", ".join(["x"] * 20_000 + ["gzip"]), False),  # nobody reads that much
        ("gzip;q=high", False),
        ("gzip;q=2", False),
        ("gzip;q=-1", False),
        ("gzip;q=nan", False),
        (",;q=1,=,;;", False),
        ("*;q=0, gzip", True),
    ],
)
def test_by_weights(shared_server: Server, accepted: str, is_compressed: bool) -> None:
    for path in (TASKS, "/client.js", "/docs/assets/redoc.js"):
        answer = shared_server.http.get(path, headers={"Accept-Encoding": accepted})
        assert answer.status_code == 200
        assert compressed(answer) is is_compressed, path


def test_who_does_not_say_gets_it_plain(shared_server: Server) -> None:
    answer = raw.exchange(shared_server, raw.request("GET", TASKS))
    assert answer.body.startswith(b'{"tasks":[')


@pytest.mark.parametrize("path", [TASKS, "/api/projects", "/client.js", "/docs/assets/docs.css"])
@pytest.mark.parametrize("first", [PLAIN, GZIP])
@pytest.mark.parametrize("second", [PLAIN, GZIP])
def test_unchanged_is_not_sent_again_whichever_came_first(
    shared_server: Server, path: str, first: dict[str, str], second: dict[str, str]
) -> None:
    etag = shared_server.http.get(path, headers=first).headers["ETag"]
    assert etag.startswith('W/"')  # the bytes may be others
    again = shared_server.http.get(path, headers={**second, "If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == etag
    assert "Accept-Encoding" in again.headers["Vary"]
    assert "Content-Encoding" not in again.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accepted", [PLAIN, GZIP])
def test_head_says_what_get_would(
    shared_server: Server, path: str, accepted: dict[str, str]
) -> None:
    get = shared_server.http.get(path, headers=accepted)
    head = shared_server.http.head(path, headers=accepted)
    assert head.content == b""
    for name in ("Content-Length", "Content-Encoding", "Content-Type", "Vary", "ETag"):
        assert head.headers.get(name) == get.headers.get(name), name


@pytest.mark.parametrize("path", ["/health", "/api/projects", "/api/nothing", "/docs"])
def test_what_is_small_is_not_worth_it(shared_server: Server, path: str) -> None:
    answer = shared_server.http.get(path, headers=GZIP)
    assert not compressed(answer)
    assert len(answer.content) < 1024


def test_webhooks_answer_plainly(shared_server: Server) -> None:
    names = {"project": "plain", "task": "T", "agent": "a"}
    reports = [{"kind": "start", **names, "task_id": f"t{number}"} for number in range(100)]
    answer = shared_server.http.post("/webhook/batch", json={"reports": reports}, headers=GZIP)
    assert len(answer.content) > 1024
    assert not compressed(answer)


def test_a_stream_is_never_held_back(shared_server: Server) -> None:
    path = "/api/events/stream?since=0"
    with shared_server.http.stream("GET", path, headers=GZIP) as stream:
        assert not {"Content-Encoding", "Content-Length"} & set(stream.headers)
        lines = stream.iter_lines()
        assert any('"project":"compressed"' in line for line in lines)


def test_pages_of_other_origins_get_it_too(shared_server: Server) -> None:
    headers = {**GZIP, "Origin": "http://localhost:3000"}
    answer = shared_server.http.get(TASKS, headers=headers)
    assert compressed(answer)
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert set(re.split(", *", answer.headers["Vary"])) == {"Origin", "Accept-Encoding"}


def test_the_dashboard_is_sent_at_half_its_size(shared_server: Server) -> None:
    page = shared_server.http.get("/", headers=PLAIN).text
    sent = whole = 0
    for url in set(re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)):
        plain = shared_server.http.get(url, headers=PLAIN)
        packed = shared_server.http.get(url, headers=GZIP)
        assert packed.content == plain.content
        assert "immutable" in packed.headers["Cache-Control"]
        assert "Accept-Encoding" in packed.headers["Vary"]
        whole += len(plain.content)
        sent += int(packed.headers["Content-Length"])
    assert sent < whole / 2
