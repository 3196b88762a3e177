"""Reads of one key take turns: those of others, and reports, do not wait for a flood of them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support import raw
from tests.support.clocked import ClockedServer
from tests.support.keys import client_with, make_key
from tests.support.server import KEY, Server, wait_for
from tracker.api.middleware.turns import AT_ONCE, MAX_WAITING, EndTurns, ReadTurns

PATH = "/api/search?q=slow"


class Held:
    """Searches that take until they are let go."""

    def __init__(self, server: ClockedServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.under_way = 0
        self.most = 0
        self.url = server.url
        self._over = threading.Event()
        monkeypatch.setattr(server.app.store, "search", self._search)
        self._threads = ThreadPoolExecutor(2 * MAX_WAITING)

    def ask(self, count: int, key: str = KEY) -> list[Future[httpx.Response]]:
        def get() -> httpx.Response:
            return httpx.get(
                self.url + PATH, headers={"X-API-Key": key}, timeout=60, trust_env=False
            )

        return [self._threads.submit(get) for _ in range(count)]

    def let_go(self) -> None:
        self._over.set()
        self._threads.shutdown()

    async def _search(self, *_of: object) -> Sequence[Any]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.to_thread(self._over.wait)
        self.under_way -= 1
        return []


@pytest.fixture
def held(clocked: ClockedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(clocked, monkeypatch)
    yield held
    held.let_go()


def test_others_do_not_wait(clocked: ClockedServer, held: Held) -> None:
    key = make_key(clocked, "another", "read")  # type: ignore[arg-type]
    asked = held.ask(20)
    wait_for(lambda: held.under_way == AT_ONCE, what="as many as may be")
    assert clocked.report("start", "p", "t").status_code == 201
    with client_with(clocked, key) as another:  # type: ignore[arg-type]
        assert another.get("/api/tasks").json()["total"] == 1
    assert clocked.http.get("/health").status_code == 200
    assert not any(one.done() for one in asked)
    held.let_go()
    assert {one.result().status_code for one in asked} == {200}
    assert held.most == AT_ONCE
    assert clocked.get("/api/tasks")["total"] == 1  # all turns have ended


def test_no_more_wait_than_may(clocked: ClockedServer, held: Held) -> None:
    asked = held.ask(AT_ONCE + MAX_WAITING)
    wait_for(lambda: held.under_way == AT_ONCE, what="as many as may be")

    def one_more() -> httpx.Response | None:
        """Refused, once all others have arrived; until then it waits, too."""
        with contextlib.suppress(httpx.ReadTimeout):
            return clocked.http.get(PATH, timeout=0.5)
        return None

    refused = wait_for(one_more, what="a read that is refused", seconds=30)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    held.let_go()
    assert {one.result().status_code for one in asked} <= {200, 429}
    assert held.most == AT_ONCE


def test_who_does_not_read_the_answer_holds_no_turn(server: Server) -> None:
    for number in range(40):
        server.report("finish", "p", f"{number}", result="x" * 200_000)
    request = raw.request("GET", "/api/tasks?limit=500")
    with contextlib.ExitStack() as stack:
        for _ in range(2 * AT_ONCE):
            connection = stack.enter_context(contextlib.closing(raw.connect(server)))
            connection.sendall(request)
            assert connection.recv(1) == b"H"  # and no more
        assert server.http.get("/api/tasks?limit=1").status_code == 200


def test_a_turn_ends_with_its_request_however_that_ends() -> None:
    async def run() -> None:
        turns = ReadTurns(at_once=1, max_waiting=0)

        class Failure(BaseException):
            pass

        async def app(scope: dict[str, Any], _receive: object, _send: object) -> None:
            scope["tracker.turn"] = await turns._keys[0].take()
            raise Failure

        for _ in range(3):
            with pytest.raises(Failure):
                await EndTurns(app)({}, None, None)

    asyncio.run(run())
