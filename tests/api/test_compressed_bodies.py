"""Bodies of requests that are compressed (`Content-Encoding`; RFC 9110, 8.4 and 15.5.16)."""

from __future__ import annotations

import functools
import gzip
import json
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support import raw
from tests.support.mounts import MOUNTS
from tests.support.server import Server
from tracker.domain.limits import MAX_BODY_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HAS_ZSTD = sys.version_info >= (3, 14)
TAKEN = "gzip, zstd" if HAS_ZSTD else "gzip"

# Under an older Python: a server that has the module of newer ones.
WITH_ZSTD = (
    *(sys.executable, "-c"),
    "import sys, types\n"
    "if sys.version_info < (3, 14):\n"
    "    from backports import zstd\n"
    "    sys.modules['compression'] = types.ModuleType('compression')\n"
    "    sys.modules['compression'].zstd = zstd\n"
    "from tracker import cli\n"
    "cli.main()\n",
)


@pytest.fixture(scope="module", params=MOUNTS)
def shared_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for the whole module."""
    folder = tmp_path_factory.mktemp("shared") / "server"
    server = Server.start(folder, command=MOUNTS[request.param])
    yield server
    server.stop()
    assert "Traceback" not in server.log


def report(project: str, **fields: Any) -> bytes:
    names = {"project": project, "task": "T", "task_id": "t", "agent": "a"}
    return json.dumps({**names, **fields}).encode()


def of_size(project: str, size: int) -> bytes:
    """A report that is so long, and shrinks to next to nothing."""
    plain = report(project, metadata={"m": ""})
    return plain.replace(b'"m": ""', b'"m": "%b"' % (b"x" * (size - len(plain))))


def send(
    server: Server, content: bytes, coding: str | None = "gzip", kind: str = "start", **more: str
) -> httpx.Response:
    headers = {"Content-Encoding": coding} if coding is not None else {}
    path = f"/webhook/{kind}"
    return server.http.post(path, content=content, headers={**headers, **more})


def assert_refused(answer: httpx.Response, status: int, code: str, field: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["details"]["field"]) == (code, field)


class TestTaken:
    @pytest.mark.parametrize("kind", ["start", "status", "finish", "error"])
    def test_by_every_webhook(self, shared_server: Server, project: str, kind: str) -> None:
        failed = {"error_type": "E", "error_message": "m"} if kind == "error" else {}
        answer = send(shared_server, gzip.compress(report(project, **failed)), kind=kind)
        assert answer.is_success, answer.text
        assert len(shared_server.task(project, "t")["events"]) == 1

    def test_in_a_batch(self, shared_server: Server, project: str) -> None:
        one = json.loads(report(project))
        reports = [{"kind": "start", **one, "task_id": f"t{number}"} for number in range(500)]
        body = json.dumps({"reports": reports}).encode()
        answer = send(shared_server, gzip.compress(body), kind="batch")
        assert [result["status"] for result in answer.json()["results"]] == [201] * 500

    @pytest.mark.parametrize("name", ["gzip", "GZIP", "x-gzip", "identity, gzip", "gzip ,"])
    def test_however_it_is_named(self, shared_server: Server, project: str, name: str) -> None:
        assert send(shared_server, gzip.compress(report(project)), name).status_code == 201

    @pytest.mark.parametrize("name", ["", "identity", "Identity, identity", ","])
    def test_plain_bodies_that_say_so(self, shared_server: Server, project: str, name: str) -> None:
        assert send(shared_server, report(project), name).status_code == 201

    def test_in_several_members(self, shared_server: Server, project: str) -> None:
        body = report(project)
        parts = [body[:10], b"", body[10:], b""]
        whole = b"".join(map(gzip.compress, parts))
        assert send(shared_server, whole).status_code == 201
        empty = gzip.compress(b"")
        assert send(shared_server, whole + 96 * empty).status_code == 200
        answer = send(shared_server, whole + 97 * empty)
        assert_refused(answer, 400, "BAD_REQUEST", "body")

    def test_whatever_its_level_and_header(self, shared_server: Server, project: str) -> None:
        plain = report(project, metadata={"m": random.Random(1).randbytes(200_000).hex()})
        named = zlib.compressobj(0, wbits=31)
        for body in (
            gzip.compress(plain, 0),
            gzip.compress(plain, 9),
            named.compress(plain) + named.flush(zlib.Z_FULL_FLUSH) + named.flush(),
        ):
            assert send(shared_server, body).status_code in (200, 201)

    def test_chunked(self, shared_server: Server, project: str) -> None:
        body = gzip.compress(report(project))

        def parts() -> Iterator[bytes]:
            yield from (body[index : index + 1] for index in range(len(body)))

        headers = {"Content-Encoding": "gzip"}
        answer = shared_server.http.post("/webhook/start", content=parts(), headers=headers)
        assert answer.status_code == 201

    def test_of_just_the_size_that_is_allowed(self, shared_server: Server, project: str) -> None:
        body = of_size(project, MAX_BODY_BYTES)
        assert len(body) == MAX_BODY_BYTES
        answer = send(shared_server, gzip.compress(body))
        assert answer.status_code == 201
        event = shared_server.http.get(f"/api/events/{answer.json()['event_id']}").json()
        assert set(event["data"]["metadata"]["m"]) == {"x"}

    def test_with_an_idempotency_key_of_what_it_says(
        self, shared_server: Server, project: str
    ) -> None:
        """A retry may be compressed otherwise, or not at all."""
        body = report(project)
        key = {"Idempotency-Key": project}
        first = send(shared_server, gzip.compress(body, 9), **key)
        for content, coding in ((gzip.compress(body, 1), "gzip"), (body, None)):
            again = send(shared_server, content, coding, **key)
            assert again.headers["Idempotent-Replayed"] == "true"
            assert again.json() == first.json()
        other = send(shared_server, gzip.compress(report(project, task="Other")), **key)
        assert_refused(other, 422, "IDEMPOTENCY_KEY_REUSED", "request")

    def test_of_pages_of_other_origins(self, shared_server: Server) -> None:
        asked = shared_server.http.options(
            "/webhook/start",
            headers={
                "Origin": "http://localhost:3000",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-encoding,content-type,x-api-key",
            },
        )
        assert "content-encoding" in asked.headers["Access-Control-Allow-Headers"]


class TestOtherBodies:
    """Those that Falcon's resources read."""

    def post(self, server: Server, content: bytes, coding: str = "gzip") -> httpx.Response:
        headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
        return server.http.post("/api/keys", content=content, headers=headers)

    def test_are_taken(self, shared_server: Server) -> None:
        answer = self.post(shared_server, gzip.compress(b'{"name": "zipped", "role": "read"}'))
        assert (answer.status_code, answer.json()["name"]) == (201, "zipped")
        rotated = shared_server.http.post(
            "/api/keys/zipped/rotate", headers={"Content-Encoding": "gzip"}
        )
        assert rotated.status_code == 201  # nothing was sent, so nothing is damaged

    def test_are_refused_for_the_same_reasons(self, shared_server: Server) -> None:
        large = gzip.compress(b" " * (MAX_BODY_BYTES + 1))
        assert_refused(self.post(shared_server, large), 413, "PAYLOAD_TOO_LARGE", "body")
        assert_refused(self.post(shared_server, bomb()), 413, "PAYLOAD_TOO_LARGE", "body")
        assert_refused(self.post(shared_server, b"{}"), 400, "BAD_REQUEST", "body")
        other = self.post(shared_server, large, "br")
        assert_refused(other, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Encoding")
        assert other.headers["Accept-Encoding"] == TAKEN


# Of 1 GiB of zeros, by zeros again: what a client may send is a thousandth of what it stands for.
@functools.cache
def bomb() -> bytes:
    compressor = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    parts = [compressor.compress(zeros) for _ in range(1024)]
    return b"".join(parts) + compressor.flush()


class TestTooLarge:
    def test_by_a_byte(self, shared_server: Server, project: str) -> None:
        answer = send(shared_server, gzip.compress(of_size(project, MAX_BODY_BYTES + 1)))
        assert_refused(answer, 413, "PAYLOAD_TOO_LARGE", "body")
        assert "expanded" in answer.json()["error"]["message"]

    def test_by_a_thousand_times_is_not_expanded(self, shared_server: Server) -> None:
        body = bomb()
        assert MAX_BODY_BYTES * 0.9 < len(body) < MAX_BODY_BYTES
        before = shared_server.memory
        for _ in range(5):
            assert_refused(send(shared_server, body), 413, "PAYLOAD_TOO_LARGE", "body")
        assert shared_server.memory - before < 64 * MAX_BODY_BYTES

    def test_in_members_that_are_not(self, shared_server: Server) -> None:
        member = gzip.compress(b" " * (MAX_BODY_BYTES // 2))
        assert_refused(send(shared_server, member * 3), 413, "PAYLOAD_TOO_LARGE", "body")

    def test_before_it_is_expanded_is_refused_unread(self, shared_server: Server) -> None:
        stored = gzip.compress(of_size("large", MAX_BODY_BYTES), 0)
        assert_refused(send(shared_server, stored), 413, "PAYLOAD_TOO_LARGE", "body")


WHOLE = gzip.compress(report("damaged"))
DAMAGED = {
    "nothing": b"",
    "JSON": report("damaged"),
    "zlib": zlib.compress(report("damaged")),
    "deflate": zlib.compress(report("damaged"), wbits=-15),
    "a header": WHOLE[:10],
    "without its end": WHOLE[:-1],
    "without its check": WHOLE[:-8],
    "a wrong check": WHOLE[:-8] + bytes(8),
    "a wrong length": WHOLE[:-4] + bytes(4),
    "a changed byte": WHOLE[:14] + bytes([WHOLE[14] ^ 0xFF]) + WHOLE[15:],
    "more after its end": WHOLE + b"{}",
    "zeros after its end": WHOLE + bytes(512),
    "half a member after its end": WHOLE + WHOLE[:12],
    "a dictionary": b"\x1f\x8b\x08\xe0" + WHOLE[4:],
}


class TestDamaged:
    @pytest.mark.parametrize("what", DAMAGED)
    def test_is_refused(self, shared_server: Server, what: str) -> None:
        answer = send(shared_server, DAMAGED[what])
        assert_refused(answer, 400, "BAD_REQUEST", "body")
        assert shared_server.http.get("/api/projects/damaged/tasks").status_code == 404

    def test_json_in_it_is_another_thing(self, shared_server: Server) -> None:
        answer = send(shared_server, gzip.compress(b'{"project": '))
        assert_refused(answer, 400, "INVALID_JSON", "body")

    def test_that_is_compressed_twice_has_to_say_so_and_is_refused(
        self, shared_server: Server
    ) -> None:
        twice = gzip.compress(gzip.compress(report("damaged")))
        assert_refused(send(shared_server, twice), 400, "INVALID_JSON", "body")
        answer = send(shared_server, twice, "gzip, gzip")
        assert_refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Encoding")

    @pytest.mark.parametrize("wrong", [-1, 1])
    def test_with_a_wrong_length(self, shared_server: Server, wrong: int) -> None:
        """Too short a one: the rest is no request. Too long a one: the client leaves."""
        length = b"Content-Length: %d" % (len(WHOLE) + wrong)
        headers = (b"Content-Encoding: gzip", b"Content-Type: application/json", length)
        answer = raw.exchange(shared_server, raw.request("POST", "/webhook/start", headers) + WHOLE)
        assert answer.status in (0, 400)
        assert shared_server.http.get("/api/projects/damaged/tasks").status_code == 404


class TestUnknown:
    @pytest.mark.parametrize(
        "name", ["br", "deflate", "compress", "gzip, br", "gzip;q=1", "none", "*", "x-zstd"]
    )
    def test_codings_are_refused(self, shared_server: Server, name: str) -> None:
        answer = send(shared_server, gzip.compress(report("unknown")), name)
        assert_refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Encoding")
        assert answer.headers["Accept-Encoding"] == TAKEN

    def test_in_two_lines(self, shared_server: Server) -> None:
        lines = (b"Content-Encoding: gzip", b"Content-Encoding: gzip")
        answer = raw.exchange(shared_server, raw.webhook("start", WHOLE, *lines))
        assert answer.status == 415

    def test_another_type_than_json_says_nothing_of_codings(self, shared_server: Server) -> None:
        answer = send(shared_server, WHOLE, **{"Content-Type": "text/plain"})
        assert answer.status_code == 415
        assert "Accept-Encoding" not in answer.headers


class TestZstandard:
    @pytest.mark.skipif(HAS_ZSTD, reason="this Python has zstd")
    def test_is_refused_where_python_has_none(self, shared_server: Server) -> None:
        answer = send(shared_server, zstd.compress(report("unknown")), "zstd")
        assert_refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Encoding")
        assert answer.headers["Accept-Encoding"] == "gzip"

    def test_where_python_has_it(self, start_server: Callable[..., Server]) -> None:
        server = start_server(command=WITH_ZSTD)
        body = report("zstandard")
        assert send(server, zstd.compress(body), "zstd").status_code == 201
        frames = [zstd.compress(body[:9]), zstd.compress(b""), zstd.compress(body[9:])]
        skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"skip"
        assert send(server, b"".join([*frames, skippable]), "zstd").status_code == 200
        largest = zstd.compress(of_size("zstandard", MAX_BODY_BYTES))
        assert send(server, largest, "zstd").status_code == 200
        for too_large in (of_size("zstandard", MAX_BODY_BYTES + 1), bytes(1 << 28)):
            answer = send(server, zstd.compress(too_large), "zstd")
            assert_refused(answer, 413, "PAYLOAD_TOO_LARGE", "body")
        whole = zstd.compress(body)
        wide = {zstd.CompressionParameter.window_log: 27}
        compressor = zstd.ZstdCompressor(options=wide)
        wide_window = compressor.compress(body) + compressor.flush()
        for damaged in (b"", body, whole[:-1], whole + b"{}", gzip.compress(body), wide_window):
            answer = send(server, damaged, "zstd")
            assert_refused(answer, 400, "BAD_REQUEST", "body")
        answer = send(server, body, "br")
        assert answer.headers["Accept-Encoding"] == "gzip, zstd"
        assert "Traceback" not in server.log
