"""Leases: whoever goes on under one hears of its end, once, and only then."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from tests.support.loop import on_loop
from tracker.domain.lease import Lease


class Heard:
    def __init__(self) -> None:
        self.times = 0
        self.event = asyncio.Event()

    def __call__(self) -> None:
        self.times += 1
        self.event.set()


@on_loop
async def test_all_who_watch_hear_of_the_end() -> None:
    lease, heard, left = Lease(), Heard(), Heard()
    with lease.watched(heard), lease.watched(heard):
        with lease.watched(left):
            pass
        assert (heard.times, lease.ended) == (0, False)
        lease.end()
        lease.end()
        assert (heard.times, lease.ended) == (2, True)
    assert left.times == 0


@on_loop
async def test_who_comes_too_late_hears_at_once() -> None:
    lease, heard = Lease(), Heard()
    lease.end()
    with lease.watched(heard):
        assert heard.times == 1


@on_loop
async def test_it_ends_by_itself() -> None:
    end = asyncio.get_running_loop().time() + 0.05
    lease, heard = Lease(lambda: end - asyncio.get_running_loop().time()), Heard()
    with lease.watched(heard):
        await asyncio.wait_for(heard.event.wait(), 20)
        assert lease.ended
    assert asyncio.get_running_loop().time() >= end


@on_loop
async def test_whether_it_is_over_is_known_without_a_watcher() -> None:
    left = [1.0]
    lease = Lease(lambda: left[0])
    child = lease.child(lambda: 2.0)
    assert not any(one.is_over() for one in (lease, child, Lease()))
    left[0] = 0.0
    assert lease.is_over()
    assert child.is_over()
    revoked = Lease()
    revoked.end()
    assert revoked.is_over()


@on_loop
async def test_a_thousand_cost_one_timer() -> None:
    asked: list[None] = []

    def left() -> float:
        asked.append(None)
        return 3600.0

    lease, heard = Lease(left), Heard()
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(lease.watched(heard))
        assert len(asked) == 1
        timer = lease._timer
        assert timer is not None
    assert timer.cancelled()
    with lease.watched(heard):
        assert len(asked) == 2
