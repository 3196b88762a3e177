"""What other people's clients, frontends, probes and proxies send, and browsers beside them."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.api.test_origin import OURS, preflight
from tests.support import raw
from tests.support.described import routes
from tests.support.server import Server

FOREIGN = {"Host": "10.0.0.7:8000"}
REPORT = b'{"project": "p", "task": "T", "task_id": "%b", "agent": "a"}'


class TestProbes:
    @pytest.mark.parametrize("path", ["/health", "/healthz", "/readyz"])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_are_answered_by_any_address(
        self, shared_server: Server, path: str, method: str
    ) -> None:
        answer = httpx.request(method, shared_server.url + path, headers=FOREIGN, trust_env=False)
        assert answer.status_code == 200
        assert bool(answer.content) is (method == "GET")

    def test_no_other_address_is(self, shared_server: Server) -> None:
        paths = {route.path for route in routes()} - {"/health", "/healthz", "/readyz", "/ws"}
        answers = {path: shared_server.http.get(path, headers=FOREIGN) for path in paths}
        refused = {path: answer.status_code for path, answer in answers.items()}
        assert refused == dict.fromkeys(paths, 400)

    def test_what_says_two_things_is_refused_even_so(self, shared_server: Server) -> None:
        twice = (b"Host: 10.0.0.8",)
        assert raw.exchange(shared_server, raw.request("GET", "/health", twice)).status == 400


class TestEmptyParameters:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/projects?limit=&offset=&sort_by=&sort_order=",
            "/api/projects/p/tasks?status=&agent=&date_from=&date_to=&q=&sort_by=&limit=",
            "/api/events?since=&project=&task_id=&type=&limit=&newest=",
            "/api/stats/projects/p?days=",
            "/api/now?active=&ended=",
            "/api/search?q=&limit=",
        ],
    )
    def test_are_none(self, server: Server, path: str) -> None:
        server.report("start", "p")
        plain = path.partition("?")[0]
        answer = server.http.get(path)
        assert answer.status_code == 200
        assert answer.json() == server.http.get(plain).json()

    def test_a_stream_of_no_project_is_of_all(self, server: Server) -> None:
        server.report("start", "p")
        with server.http.stream("GET", "/api/events/stream?project=&since=0") as stream:
            lines = stream.iter_lines()
            assert any('"project":"p"' in line for line in lines)

    def test_signing_out_everywhere_may_still_be_said_so(self, server: Server) -> None:
        signed_in = server.http.post("/api/session")
        cookies = dict(signed_in.cookies)
        server.http.cookies.clear()
        assert server.http.delete("/api/session?all").status_code == 204
        asked = httpx.get(f"{server.url}/api/stats", cookies=cookies, trust_env=False)
        assert asked.status_code == 401


class TestSpellings:
    @pytest.mark.parametrize(
        "content_type",
        ["application/json; charset=utf8", 'application/json;charset="UTF8"', "application/json;"],
    )
    def test_of_utf_8(self, shared_server: Server, content_type: str) -> None:
        body = REPORT % b"spelled"
        headers = {"Content-Type": content_type}
        answer = shared_server.http.post("/webhook/start", content=body, headers=headers)
        assert answer.status_code in (200, 201)

    def test_other_character_sets_are_refused(self, shared_server: Server) -> None:
        headers = {"Content-Type": "application/json; charset=utf16"}
        answer = shared_server.http.post("/webhook/start", content=REPORT, headers=headers)
        assert answer.status_code == 415

    def test_a_byte_order_mark_is_overlooked(self, shared_server: Server) -> None:
        body = b"\xef\xbb\xbf" + REPORT % b"marked"
        answer = shared_server.http.post("/webhook/start", content=body)
        assert (answer.status_code, answer.json()["task_id"]) == (201, "marked")

    @pytest.mark.parametrize("kind", ["start", "status", "finish", "error", "batch"])
    def test_a_slash_at_the_end_of_a_webhook_does_not_matter(
        self, shared_server: Server, kind: str
    ) -> None:
        """Least of all may it be answered and not recorded."""
        fields = {"project": "slash", "task": "T", "task_id": kind, "agent": "a"}
        failed = {"error_type": "E", "error_message": "m"} if kind == "error" else {}
        report = fields | failed
        body = {"reports": [{"kind": "start", **report}]} if kind == "batch" else report
        answer = shared_server.http.post(f"/webhook/{kind}/", json=body)
        assert answer.is_success
        assert answer.json() != {}
        assert shared_server.task("slash", kind)["title"] == "T"

    def test_nor_at_that_of_any_other_address(self, server: Server) -> None:
        server.report("start", "org/repo", "a/b")
        for path in (
            *("/api/projects", "/api/stats", "/api/events", "/docs", "/health", "/projects"),
            "/api/projects/org%2Frepo/tasks",
            "/api/projects/org%2Frepo/tasks/a%2Fb",
        ):
            plain, slash = server.http.get(path), server.http.get(f"{path}/")
            assert (slash.status_code, plain.status_code) == (200, 200), path
        assert server.http.get("/api/projects//").status_code == 404


class TestBrowsers:
    def test_see_that_there_is_nothing_at_an_address(self, shared_server: Server) -> None:
        asked = preflight(shared_server, "/api/nothing", "DELETE", OURS, "x-api-key")
        assert asked.status_code == 200
        assert asked.headers["Access-Control-Allow-Origin"] == OURS
        assert "DELETE" in asked.headers["Access-Control-Allow-Methods"]
        answer = shared_server.http.delete("/api/nothing", headers={"Origin": OURS})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
        assert answer.headers["Access-Control-Allow-Origin"] == OURS

    def test_of_other_origins_see_nothing(self, shared_server: Server) -> None:
        asked = preflight(shared_server, "/api/nothing", "GET", "https://evil.example")
        assert "Access-Control-Allow-Origin" not in asked.headers

    def test_an_address_that_is_none_takes_nothing(self, shared_server: Server) -> None:
        for method in ("GET", "POST", "OPTIONS", "PATCH"):
            assert shared_server.http.request(method, "/api/nothing").status_code == 404


def test_head_is_listed_with_get(shared_server: Server) -> None:
    for path in {route.url for route in routes() if route.http_method == "GET"} - {"/ws"}:
        answer = shared_server.http.request("PATCH", path)
        assert answer.status_code == 405, path
        assert {"GET", "HEAD"} <= set(answer.headers["Allow"].split(", ")), path


def test_a_plain_request_for_a_websocket_is_told_what_is_asked_for(shared_server: Server) -> None:
    answer = shared_server.http.get("/ws")
    assert (answer.status_code, answer.json()["error"]["code"]) == (426, "UPGRADE_REQUIRED")
    assert answer.headers["Upgrade"] == "websocket"
    assert answer.headers["Sec-WebSocket-Version"] == "13"


def test_nobody_on_the_way_may_change_a_stream(shared_server: Server) -> None:
    with shared_server.http.stream("GET", "/api/events/stream") as stream:
        assert "no-transform" in stream.headers["Cache-Control"]


class TestReadiness:
    def test_ends_with_the_database_and_comes_back(
        self, start_server: Callable[..., Server]
    ) -> None:
        import sqlite3

        server = start_server()
        other = sqlite3.connect(server.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        def ready() -> httpx.Response:
            return httpx.get(f"{server.url}/readyz", trust_env=False, timeout=20)

        from tests.support.server import wait_for

        wait_for(lambda: ready().status_code == 503)
        answer = ready()
        assert answer.json() == {"status": "unavailable"}
        assert answer.headers["Retry-After"] == "1"
        assert httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200
        # It fails only once nobody waits for it any more.
        wait_for(lambda: "The database takes nothing" in server.log)
        assert ready().status_code == 503
        other.close()
        wait_for(lambda: ready().status_code == 200)
        assert "Traceback" not in server.log
