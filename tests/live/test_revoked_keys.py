"""Whatever is open ends within a second of its key: sockets, streams, sessions; under load too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.support.keys import client_with, make_key
from tests.support.server import Server, wait_for
from tests.support.subscriber import TIMEOUT, address, receive, subscribe


def closed_with(subscriber: ClientConnection) -> int | None:
    """The code it is closed with; what comes before is read."""
    try:
        while True:
            subscriber.recv(timeout=TIMEOUT)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


class Stream:
    """Server-sent events, read in the background until they end."""

    def __init__(self, server: Server, **options: Any) -> None:
        self.ended = threading.Event()
        self.begun = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(server, options))
        self._thread.start()
        assert self.begun.wait(TIMEOUT)

    def _read(self, server: Server, options: Any) -> None:
        with httpx.stream(
            "GET", f"{server.url}/api/events/stream", timeout=60, trust_env=False, **options
        ) as answer:
            for _ in answer.iter_bytes():
                self.begun.set()
        self.ended.set()

    def join(self) -> None:
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()


@contextmanager
def load(server: Server) -> Iterator[None]:
    """Reports without a pause, from four clients."""
    stop = threading.Event()
    failures: list[str] = []

    def report(number: int) -> None:
        with client_with(server, server.http.headers["X-API-Key"]) as client:
            while not stop.is_set():
                body = {"project": "p", "task": "T", "task_id": f"{number}", "agent": "a"}
                answer = client.post("/webhook/status", json=body)
                if not answer.is_success:
                    failures.append(answer.text)

    threads = [threading.Thread(target=report, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


@pytest.mark.parametrize("way", ["revoked", "rotated", "expired"])
def test_everything_that_is_open_with_a_key_ends_with_it(server: Server, way: str) -> None:
    seconds = 4 if way == "expired" else None
    key = make_key(server, "watcher", "read", "p", expires_in_seconds=seconds)
    other = make_key(server, "other", "read")
    with ExitStack() as stack:
        stack.enter_context(load(server))
        sockets = [
            stack.enter_context(subscribe(address(server, project, api_key=key)))
            for project in ("p", None, "q")
        ]
        staying = stack.enter_context(subscribe(address(server, "p", api_key=other)))
        streams = [Stream(server, params={"api_key": key})]
        session = httpx.post(
            f"{server.url}/api/session", headers={"X-API-Key": key}, trust_env=False
        )
        cookie = {"Cookie": session.headers["Set-Cookie"].partition(";")[0]}
        streams.append(Stream(server, headers=cookie))
        if way == "revoked":
            assert server.http.delete("/api/keys/watcher").status_code == 204
        elif way == "rotated":
            rotation = {"overlap_seconds": 0}
            assert server.http.post("/api/keys/watcher/rotate", json=rotation).is_success
        begin = time.monotonic()
        assert [closed_with(subscriber) for subscriber in sockets] == [3000] * 3
        for stream in streams:
            stream.join()
        took = time.monotonic() - begin
        for headers in ({"X-API-Key": key}, cookie):
            answer = httpx.get(f"{server.url}/api/stats", headers=headers, trust_env=False)
            assert answer.status_code == 401
        assert receive(staying, 1)[0]["data"]["project"] == "p"
    print(f"{way}: all ended within {took:.2f} s")


def test_an_overlap_keeps_them_open(server: Server) -> None:
    key = make_key(server, "watcher", "read", "p")
    with subscribe(address(server, "p", api_key=key)) as subscriber:
        server.http.post("/api/keys/watcher/rotate", json={"overlap_seconds": 2})
        server.report("start", "p")
        assert receive(subscriber, 1)[0]["type"] == "task_started"
        assert closed_with(subscriber) == 3000  # at its end


def test_a_session_is_its_keys(server: Server) -> None:
    key = make_key(server, "page", "read", "p", expires_in_seconds=3600)
    server.report("start", "p")
    server.report("start", "q")
    with client_with(server, key) as client:
        signed_in = client.post("/api/session")
        assert signed_in.status_code == 201
        expires = client.get("/api/info").json()["access"]["expires_at"]
        assert signed_in.json()["expires_at"] == expires  # not 12 hours
        del client.headers["X-API-Key"]
        access = client.get("/api/info").json()["access"]
        assert access == {"name": "page", "role": "read", "projects": ["p"], "expires_at": expires}
        assert [one["name"] for one in client.get("/api/projects").json()["projects"]] == ["p"]
        assert client.get("/api/projects/q/tasks").status_code == 404
        own = {"Origin": server.url}
        assert client.delete("/api/projects/p", headers=own).status_code == 403
        assert client.delete("/api/session?all", headers=own).status_code == 403
        told = server.http.get("/api/audit", params={"action": "forbidden"}).json()["entries"]
        assert [(entry["by"], entry["subject"], entry["count"]) for entry in told] == [
            ("page", "admin", 2)
        ]
        assert client.get("/api/info").status_code == 200
        server.stop()


def test_sessions_outlast_the_server_as_their_key_does(
    start_server: Callable[..., Server],
) -> None:
    first = start_server(variables={"SECRET_KEY": "secret-of-the-suite"})
    cookies = []
    for name in ("stays", "goes"):
        with client_with(first, make_key(first, name, "read")) as client:
            answer = client.post("/api/session")
        cookies.append({"Cookie": answer.headers["Set-Cookie"].partition(";")[0]})
    first.http.delete("/api/keys/goes")
    first.stop()
    second = start_server(db=str(first.database), variables={"SECRET_KEY": "secret-of-the-suite"})
    url = f"{second.url}/api/info"
    statuses = [httpx.get(url, headers=one, trust_env=False).status_code for one in cookies]
    assert statuses == [200, 401]


def test_a_session_is_of_no_key_of_another_database(
    start_server: Callable[..., Server],
) -> None:
    given: dict[str, Any] = {"db": ":memory:", "variables": {"SECRET_KEY": "secret-of-the-suite"}}
    first = start_server(**given)
    with client_with(first, make_key(first, "viewer", "read", "p")) as client:
        answer = client.post("/api/session")
    cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    first.stop()
    second = start_server(**given)
    make_key(second, "owner", "admin")  # the first key there, as the other was
    access = httpx.get(f"{second.url}/api/info", headers=cookie, trust_env=False)
    assert access.status_code == 401, access.text


def test_who_did_what_is_kept(server: Server) -> None:
    key = make_key(server, "owner", "admin")
    server.report("start", "p", "t")
    with client_with(server, key) as client:
        client.post("/api/session")
        client.delete("/api/projects/p/tasks/t")
        client.delete("/api/projects/p")
    with client_with(server, "wrong-key") as stranger:
        for _ in range(3):
            stranger.get("/api/stats")
    server.http.delete("/api/keys/owner")

    def entries() -> dict[str, dict[str, Any]] | None:
        found = {e["action"]: e for e in server.http.get("/api/audit").json()["entries"]}
        return found if {"signed_in", "wrong_key"} <= found.keys() else None

    kept = wait_for(entries, 20, "the entries")
    told = {action: (e["by"], e["subject"], e["count"]) for action, e in kept.items()}
    assert told == {
        "settings_changed": ("server", "", 1),
        "key_created": ("master", "owner", 1),
        "signed_in": ("owner", "", 1),
        "task_deleted": ("owner", "p", 1),
        "project_deleted": ("owner", "p", 1),
        "wrong_key": (None, "", 3),
        "key_revoked": ("master", "owner", 1),
    }
    assert kept["task_deleted"]["details"] == {"task_id": "t"}
    assert {e["address"] for e in kept.values()} == {"127.0.0.1", "this machine"}
    assert "rate_limit_webhook" in kept["settings_changed"]["details"]
    page = server.http.get("/api/audit", params={"limit": 2}).json()
    older = {"limit": 10, "before": page["entries"][-1]["id"]}
    rest = server.http.get("/api/audit", params=older).json()
    assert (page["has_more"], rest["has_more"]) == (True, False)
    ids = [entry["id"] for entry in page["entries"] + rest["entries"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 7
    only_ = server.http.get("/api/audit", params={"action": "wrong_key"}).json()["entries"]
    assert [entry["action"] for entry in only_] == ["wrong_key"]
