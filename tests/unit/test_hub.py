"""The hub: what the ring holds, what is handed out at once, and who is woken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.access import only
from tests.support.loop import on_loop
from tracker.domain.events import Event
from tracker.domain.lease import Lease
from tracker.ws.hub import Batch, Hub


def event(number: int, project: str = "a", size: int = 10) -> Event:
    return Event(number, project, "task_started", b"x" * size, 0)


def events(first: int, last: int, **fields: Any) -> list[Event]:
    return [event(number, **fields) for number in range(first, last + 1)]


def ids(batch: Batch | None) -> list[int]:
    assert batch is not None, "the log has to be asked"
    return [message.id for message in batch.messages if isinstance(message, Event)]


@on_loop
async def test_what_came_after_a_cursor() -> None:
    hub = Hub()
    hub.publish(events(1, 3))
    hub.publish(events(4, 5))
    assert ids(hub.after(0, only())) == [1, 2, 3, 4, 5]
    assert ids(hub.after(3, only())) == [4, 5]
    assert ids(hub.after(5, only())) == []


@on_loop
async def test_numbers_need_not_follow_one_another() -> None:
    hub = Hub()
    hub.publish([event(3), event(7), event(20)])
    assert ids(hub.after(5, only())) == [7, 20]


@on_loop
async def test_only_the_project_asked_for_and_past_all_others() -> None:
    hub = Hub()
    hub.publish([event(1), event(2, "b"), event(3), event(4, "b"), event(5)])
    batch = hub.after(0, only("b"))
    assert ids(batch) == [2, 4]
    assert batch is not None
    assert batch.cursor == 5


@on_loop
async def test_ring_is_bounded_in_number() -> None:
    hub = Hub(max_events=3)
    hub.publish(events(1, 5))
    assert hub.after(1, only()) is None
    assert ids(hub.after(2, only())) == [3, 4, 5]
    hub.publish(events(6, 6))
    assert hub.after(2, only()) is None
    assert ids(hub.after(3, only())) == [4, 5, 6]


@on_loop
async def test_ring_is_bounded_in_bytes() -> None:
    hub = Hub(max_bytes=100)
    hub.publish(events(1, 3, size=40))
    assert hub.after(0, only()) is None
    assert ids(hub.after(1, only())) == [2, 3]
    hub.publish([event(4, size=101)])
    assert hub.after(3, only()) is None
    assert ids(hub.after(4, only())) == []
    hub.publish(events(5, 6, size=40))
    assert ids(hub.after(4, only())) == [5, 6]


@on_loop
async def test_what_was_before_the_start_is_in_the_log() -> None:
    hub = Hub()
    hub.begin_after(7)
    assert hub.after(6, only()) is None
    assert ids(hub.after(7, only())) == []
    hub.publish([event(9)])
    assert ids(hub.after(7, only())) == [9]
    assert ids(hub.after(8, only())) == [9]


@on_loop
async def test_what_is_not_published_yet_is_in_the_log() -> None:
    hub = Hub()
    hub.publish(events(1, 3))
    assert hub.after(4, only()) is None


@on_loop
async def test_deletion_sends_whoever_is_behind_to_the_log() -> None:
    hub = Hub()
    hub.publish(events(1, 5))
    hub.forget()
    assert hub.after(4, only()) is None
    assert ids(hub.after(5, only())) == []
    hub.publish([event(6)])
    assert ids(hub.after(5, only())) == [6]


@on_loop
async def test_ring_after_a_deletion_counts_anew() -> None:
    hub = Hub(max_bytes=100)
    hub.publish(events(1, 2, size=50))
    hub.forget()
    hub.publish(events(3, 4, size=50))
    assert ids(hub.after(2, only())) == [3, 4]


@on_loop
async def test_batch_ends_once_it_is_full() -> None:
    hub = Hub(batch_bytes=100)
    hub.publish(events(1, 5, size=50))
    first = hub.after(0, only())
    assert ids(first) == [1, 2]
    assert first is not None
    assert first.cursor == 2
    assert ids(hub.after(2, only())) == [3, 4]
    assert ids(hub.after(4, only())) == [5]


@on_loop
async def test_event_larger_than_a_batch_comes_alone() -> None:
    hub = Hub(batch_bytes=100)
    hub.publish([event(1, size=500), event(2)])
    assert ids(hub.after(0, only())) == [1]
    assert ids(hub.after(1, only())) == [2]


@on_loop
async def test_of_a_batch_only_what_was_asked_for_counts() -> None:
    hub = Hub(batch_bytes=100)
    hub.publish([event(number, "a" if number % 2 else "b", size=60) for number in range(1, 8)])
    batch = hub.after(0, only("b"))
    assert ids(batch) == [2, 4]
    assert batch is not None
    assert batch.cursor == 4


@on_loop
async def test_those_at_the_same_place_share_a_batch_and_its_bytes() -> None:
    hub = Hub()
    hub.publish(events(1, 3))
    first, second = hub.after(1, only("a")), hub.after(1, only("a"))
    assert first is second
    assert first is not None
    assert first.frames is first.frames
    assert hub.after(2, only("a")) is not first
    assert hub.after(1, only()) is not first


@on_loop
async def test_shared_batch_is_not_outlived_by_what_is_in_it() -> None:
    hub = Hub()
    hub.publish(events(1, 3))
    assert ids(hub.after(1, only("a"))) == [2, 3]
    hub.publish(events(4, 4))
    assert ids(hub.after(1, only("a"))) == [2, 3, 4]
    hub.forget()
    assert hub.after(1, only("a")) is None


@on_loop
async def test_frames_and_server_sent_events_of_a_batch() -> None:
    hub = Hub()
    hub.publish([Event(number, "a", "task_started", b'{"n":1}', 0) for number in (1, 2)])
    batch = hub.after(0, only())
    assert batch is not None
    message = (
        b'{"id":%d,"type":"task_started","data":{"n":1},"timestamp":"1970-01-01T00:00:00.000Z"}'
    )
    first, second = message % 1, message % 2
    assert batch.frames == bytes([0x81, len(first)]) + first + bytes([0x81, len(second)]) + second
    assert batch.sse == (
        b"id: 1\nevent: task_started\ndata: %b\n\nid: 2\nevent: task_started\ndata: %b\n\n"
        % (first, second)
    )


@pytest.mark.parametrize("size", [0, 125, 126, 127, 65_535, 65_536, 70_000])
@on_loop
async def test_length_of_a_frame(size: int) -> None:
    """RFC 6455, 5.2: seven bits, or 126 and two bytes, or 127 and eight, as few as do."""
    data = b'"' + b"x" * size + b'"'
    one = Event(1, "a", "task_started", data, 0)
    frame = one.frame
    length = len(one.message)
    if length < 126:
        head = bytes([0x81, length])
    elif length < 65_536:
        head = bytes([0x81, 126]) + length.to_bytes(2)
    else:
        head = bytes([0x81, 127]) + length.to_bytes(8)
    assert frame == head + one.message


@on_loop
async def test_everyone_who_waits_is_woken() -> None:
    hub = Hub()
    waiting = [asyncio.create_task(hub.wait(0)) for _ in range(100)]
    await asyncio.sleep(0)
    hub.publish(events(1, 1))
    await asyncio.gather(*waiting)


@on_loop
async def test_who_has_something_to_read_does_not_wait() -> None:
    hub = Hub()
    hub.publish(events(1, 2))
    await hub.wait(1)


@on_loop
async def test_wake_up_without_news_is_slept_through() -> None:
    hub = Hub()
    hub.publish(events(1, 2))
    waiting = asyncio.create_task(hub.wait(2))
    assert await hub.round_trip()
    assert not waiting.done()
    hub.publish(events(3, 3))
    await waiting


@on_loop
async def test_who_waits_is_woken_though_others_were_cancelled_at_that_moment() -> None:
    hub = Hub()
    waiting = [asyncio.create_task(hub.wait(0)) for _ in range(10)]
    await asyncio.sleep(0)
    hub.publish(events(1, 1))
    for task in waiting[::2]:
        task.cancel()
    await asyncio.gather(*waiting[1::2])
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    later = asyncio.create_task(hub.wait(1))
    await asyncio.sleep(0)
    hub.publish(events(2, 2))
    await later


@on_loop
async def test_wait_ends_with_its_time() -> None:
    await Hub().wait(0, seconds=0.01)


@on_loop
async def test_wait_ends_with_the_hub() -> None:
    hub = Hub()
    waiting = asyncio.create_task(hub.wait(0))
    await asyncio.sleep(0)
    hub.close()
    await waiting
    await hub.wait(0)


@on_loop
async def test_wait_ends_with_the_lease_alone() -> None:
    hub, lease = Hub(), Lease()
    ending, staying = (asyncio.create_task(hub.wait(0, None, held)) for held in (lease, Lease()))
    await asyncio.sleep(0)
    lease.end()
    hub.wake_soon()
    hub.wake_soon()
    await ending
    assert not staying.done()
    hub.publish(events(1, 1))
    await staying


@on_loop
async def test_round_trip_without_anybody() -> None:
    assert await Hub().round_trip()
