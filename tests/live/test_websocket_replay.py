"""Replay, then live: whoever connects wherever and whenever ends with exactly the log."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import httpx
from websockets.asyncio.client import connect

from tests.support.server import KEY, Server
from tests.support.subscriber import TIMEOUT, address

PROJECTS = ("a", "b", "c")
LAST = "the last task"


class Client(httpx.AsyncClient):
    def __init__(self, server: Server) -> None:
        super().__init__(
            base_url=server.url, headers={"X-API-Key": KEY}, timeout=TIMEOUT, trust_env=False
        )


async def report(client: Client, project: str, task_id: str, size: int = 0) -> None:
    body = {"project": project, "task": "Title", "task_id": task_id, "agent": "agent"}
    answer = await client.post("/webhook/start", json=body | {"metadata": {"filling": "x" * size}})
    assert answer.is_success, answer.text


async def publish(client: Client, choices: random.Random, count: int) -> None:
    for number in range(count):
        size = choices.choice((0, 0, 0, 20_000))
        await report(client, choices.choice(PROJECTS), f"task-{number}", size)


async def follow(url: str, projects: set[str]) -> list[int]:
    """The numbers of what is received, up to the last task of every project."""
    received = []
    async with connect(url, proxy=None, open_timeout=TIMEOUT, max_size=None) as subscriber:
        while projects:
            message = json.loads(await asyncio.wait_for(subscriber.recv(), TIMEOUT))
            received.append(message["id"])
            if message["data"]["task_id"] == LAST:
                projects.discard(message["data"]["project"])
        await subscriber.send('{"type": "ping"}')
        following = json.loads(await asyncio.wait_for(subscriber.recv(), TIMEOUT))
        assert following["type"] == "pong", "something came after the end"
    return received


async def whole_log(client: Client) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = []
    more = True
    while more:
        since = log[-1]["id"] if log else 0
        page = (await client.get("/api/events", params={"since": since, "limit": 1000})).json()
        log += page["events"]
        more = page["has_more"]
    return log


async def subscribers_under_load(server: Server, choices: random.Random) -> None:
    async with Client(server) as client:
        newest = (await client.get("/api/events", params={"limit": 1000})).json()["last_id"]
        publishing = [asyncio.create_task(publish(client, choices, count=60)) for _ in range(4)]
        following = []
        for project in itertools.islice(itertools.cycle((None, *PROJECTS)), 24):
            since = choices.randint(0, newest)
            url = address(server, project, since)
            wanted = set(PROJECTS if project is None else [project])
            following.append((since, project, asyncio.create_task(follow(url, wanted))))
            await report(client, choices.choice(PROJECTS), "in between")
        await asyncio.gather(*publishing)
        for project in PROJECTS:
            await report(client, project, LAST)
        log = await whole_log(client)
        for since, project, follower in following:
            assert await follower == [
                event["id"]
                for event in log
                if event["id"] > since and project in (None, event["data"]["project"])
            ]


def test_every_subscriber_ends_with_exactly_the_log(start_server: Callable[..., Server]) -> None:
    """Cursors from before the restart are read from the log first, then from the ring."""
    flags = ("--ws-per-project", "0")
    server = start_server(*flags)
    choices = random.Random(1)
    for number in range(100):
        server.report("start", choices.choice(PROJECTS), f"early {number}")
    server.stop()
    again = Server.start(server.folder, *flags)
    try:
        asyncio.run(subscribers_under_load(again, choices))
    finally:
        again.stop()
    assert "ERROR" not in again.log


def test_replay_of_more_than_one_batch(start_server: Callable[..., Server]) -> None:
    """More than a page of the log and a batch of the ring hold, in number and in bytes."""

    async def publish_much(server: Server) -> int:
        async with Client(server) as client:
            for size, count in ((0, 510), (30_000, 20), (900_000, 2)):
                for number in range(count):
                    await report(client, "a", f"task-{number}", size)
            await report(client, "a", LAST)
            return (await whole_log(client))[-1]["id"]

    server = start_server()
    last = asyncio.run(publish_much(server))
    assert asyncio.run(follow(address(server, "a", since=0), {"a"})) == list(range(1, last + 1))
    server.stop()
    again = Server.start(server.folder)
    try:
        assert asyncio.run(follow(address(again, since=0), {"a"})) == list(range(1, last + 1))
    finally:
        again.stop()
    assert "ERROR" not in again.log
