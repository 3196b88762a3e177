"""With many subscribers wake-ups are put off, but nothing is lost by it, and the end is not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.support.access import only
from tracker.domain.events import Event
from tracker.ws.hub import Hub

MANY = 500


class StillLoop(asyncio.SelectorEventLoop):
    """No time passes by itself, however slow the machine is."""

    now = 1000.0

    def time(self) -> float:
        return self.now


def run(scenario: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=StillLoop) as runner:
        runner.run(scenario)


def let_time_pass(seconds: float = 1) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StillLoop)
    loop.now += seconds


async def follow(hub: Hub, last: int) -> list[list[int]]:
    """The ids up to `last` as one subscriber is handed them, or up to the hub's end."""
    batches = []
    cursor = 0
    while cursor < last and not hub.closed:
        batch = hub.after(cursor, only())
        assert batch is not None
        if batch.cursor > cursor:
            batches.append(list(range(cursor + 1, batch.cursor + 1)))
            cursor = batch.cursor
        else:
            await hub.wait(cursor)
    return batches


async def turns_of_the_loop() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def publish_in_a_row(hub: Hub, last: int) -> None:
    """A millisecond apart: few are ready for the next by then."""
    for event_id in range(1, last + 1):
        let_time_pass(0.001)
        hub.publish([Event(event_id, "project", "task_started", b"{}", 0)])
        await turns_of_the_loop()


@pytest.mark.parametrize(("count", "joined"), [(10, False), (MANY, True)])
def test_events_in_a_row_are_joined_for_many_and_not_for_few(count: int, joined: bool) -> None:
    async def scenario() -> None:
        hub = Hub()
        tasks = [asyncio.create_task(follow(hub, 5)) for _ in range(count)]
        await turns_of_the_loop()
        await publish_in_a_row(hub, 5)
        let_time_pass()
        for batches in await asyncio.gather(*tasks):
            assert [event_id for batch in batches for event_id in batch] == [1, 2, 3, 4, 5]
            assert (len(batches) < 5) is joined

    run(scenario())


def test_end_is_not_put_off() -> None:
    async def scenario() -> None:
        hub = Hub()
        tasks = [asyncio.create_task(follow(hub, 5)) for _ in range(MANY)]
        await turns_of_the_loop()
        await publish_in_a_row(hub, 2)
        hub.close()
        await turns_of_the_loop()
        assert all(task.done() for task in tasks)

    run(scenario())
