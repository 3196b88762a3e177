"""Cursors over the log: whatever happens meanwhile, each gets exactly the log, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.access import only
from tests.support.loop import on_loop
from tracker.clock import SystemClock
from tracker.domain.events import Event, Notice
from tracker.domain.lease import Lease
from tracker.domain.principal import Scope
from tracker.errors import Unavailable
from tracker.ws.hub import Batch, Hub
from tracker.ws.stream import Stream

PROJECTS = ("a", "b")


class Bounds(NamedTuple):
    oldest: int
    last: int
    pruned: int

    def covers(self, cursor: int) -> bool:
        return self.pruned <= cursor <= self.last


class Page(NamedTuple):
    events: Sequence[Event]
    cursor: int
    bounds: Bounds


class ListLog:
    """A log in a list. A page is what there was when it was asked for, and takes a while."""

    def __init__(self, page_size: int = 2, delay: int = 0) -> None:
        """`delay`: turns of the event loop."""
        self.events: list[Event] = []
        self.ever: list[Event] = []
        self.deleted: set[int] = set()
        self.last = 0
        self.pruned = 0
        self.pages = 0
        self._page_size = page_size
        self._delay = delay

    def append(self, projects: Sequence[str]) -> list[Event]:
        added = [
            Event(self.last + number, project, "task_started", b"{}", 0)
            for number, project in enumerate(projects, 1)
        ]
        self.events += added
        self.ever += added
        self.last += len(added)
        return added

    def delete(self, event_id: int) -> None:
        self.events = [event for event in self.events if event.id != event_id]
        self.deleted.add(event_id)

    def prune(self, upto: int, kept: Collection[int] = ()) -> None:
        """Without those that belong to tasks which still run."""
        gone = [event.id for event in self.events if event.id <= upto and event.id not in kept]
        self.events = [event for event in self.events if event.id not in gone]
        self.pruned = max(self.pruned, *gone, 0)

    async def page(self, scope: Scope, after: int) -> Page:
        self.pages += 1
        bounds = Bounds(self.events[0].id if self.events else self.last + 1, self.last, self.pruned)
        found = [
            event for event in self.events if event.id > after and scope.includes(event.project)
        ]
        page = found[: self._page_size]
        cursor = self.last if page == found else page[-1].id
        for _ in range(self._delay):
            await asyncio.sleep(0)
        return Page(page, cursor, bounds)


class Reader:
    """Reads one cursor, a batch for every permit."""

    def __init__(
        self, batches: AsyncGenerator[Batch, None], since: int, project: str | None
    ) -> None:
        self.since = since
        self.project = project
        self.seen: list[list[Event]] = [[]]  # before the first notice, after it, and so on
        self.permits = asyncio.Semaphore(0)
        self.task = asyncio.create_task(self._read(batches))

    async def _read(self, batches: AsyncGenerator[Batch, None]) -> None:
        async with aclosing(batches):
            async for batch in batches:
                assert batch.messages
                for message in batch.messages:
                    if isinstance(message, Event):
                        self.seen[-1].append(message)
                    else:
                        self.seen.append([])
                await self.permits.acquire()

    def wants(self, event: Event) -> bool:
        return self.project in (None, event.project)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Step(NamedTuple):
    """Something that happens, and for how many turns of the loop nothing else does."""

    name: str
    argument: Any
    turns: int


def step(name: str, argument: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.just(name), argument, st.integers(least, 4))


number = st.integers(0, 12)
steps = st.one_of(
    step("commit", st.lists(st.sampled_from(PROJECTS), min_size=1, max_size=6)),
    step("publish", st.none()),
    # At least a turn, so that "from now on" is from before the next step.
    step("subscribe", st.tuples(st.none() | number, st.sampled_from((None, *PROJECTS))), 1),
    step("permit", number),
    step("delete", number),
    step("prune", st.tuples(number, st.sets(number))),
)


class World:
    """The log, and what the hub is still to hear of it, in the order in which it happened."""

    def __init__(self, hub: Hub, log: ListLog) -> None:
        self.hub = hub
        self.log = log
        self.stream = Stream(hub, log, SystemClock())
        self.readers: list[Reader] = []
        self.to_tell: list[Callable[[], None]] = []

    def commit(self, projects: list[str]) -> None:
        added = self.log.append(projects)
        self.to_tell.append(lambda: self.hub.publish(added))

    def publish(self, _argument: None) -> None:
        if self.to_tell:
            self.to_tell.pop(0)()

    def subscribe(self, how: tuple[int | None, str | None]) -> None:
        since, project = how
        begins = self.hub.last_id if since is None else since
        self.readers.append(Reader(self.stream.batches(since, only(project)), begins, project))

    def permit(self, index: int) -> None:
        if self.readers:
            self.readers[index % len(self.readers)].permits.release()

    def delete(self, event_id: int) -> None:
        self.log.delete(event_id)
        self.to_tell.append(self.hub.forget)

    def prune(self, how: tuple[int, set[int]]) -> None:
        self.log.prune(*how)

    async def settle(self) -> None:
        """All is told, and everyone reads on to the end."""
        while self.to_tell:
            self.publish(None)
        for reader in self.readers:
            for _ in range(200):
                reader.permits.release()
        await turns(600)
        self.hub.close()
        await asyncio.gather(*(reader.task for reader in self.readers))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(steps, min_size=15, max_size=60),
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(0, 10),
)
@on_loop
async def test_each_cursor_gets_exactly_the_log(
    happening: list[Step], ring: int, page: int, delay: int, before: int
) -> None:
    hub = Hub(max_events=ring, batch_bytes=4)  # two events a batch
    log = ListLog(page, delay)
    log.append([PROJECTS[number % 2] for number in range(before)])
    hub.begin_after(log.last)
    world = World(hub, log)
    for name, argument, pause in happening:
        getattr(world, name)(argument)
        await turns(pause)
    await world.settle()
    for reader in world.readers:
        check(reader, log)


def check(reader: Reader, log: ListLog) -> None:
    for part in reader.seen:
        numbers = [event.id for event in part]
        assert numbers == sorted(set(numbers)), "out of order, or twice"
        assert all(reader.wants(event) for event in part)
    first, last = reader.seen[0], reader.seen[-1]
    assert all(event.id > reader.since for event in first)
    wanted = [event for event in log.ever if reader.wants(event) and event.id not in log.deleted]
    if len(reader.seen) > 1:  # told to read afresh: the last time, all that is left by now
        assert {event.id for event in wanted if event in log.events} <= {event.id for event in last}
    else:
        assert reader.since <= log.last, "a cursor of another database, and nobody was told"
        assert {event.id for event in wanted if event.id > reader.since} <= {
            event.id for event in first
        }, "not sent, and nobody was told"


# What is not a matter of chance.


async def take(batches: AsyncGenerator[Batch, None]) -> Batch:
    return await asyncio.wait_for(anext(batches), 20)


def ids(batch: Batch) -> list[int]:
    return [message.id for message in batch.messages if isinstance(message, Event)]


@on_loop
async def test_live_subscriber_asks_the_log_only_whether_it_reaches_back() -> None:
    hub, log = Hub(), ListLog()
    async with aclosing(Stream(hub, log, SystemClock()).batches(0, only())) as batches:
        for number in (1, 2, 3):
            hub.publish(log.append("a"))
            assert ids(await take(batches)) == [number]
    assert log.pages == 1


@on_loop
async def test_notice_of_a_log_that_cannot_go_on() -> None:
    hub, log = Hub(), ListLog(page_size=10)
    log.append("aaaaaa")
    log.prune(4, kept={2})
    hub.begin_after(6)
    stream = Stream(hub, log, SystemClock())
    for since in (0, 2, 3, 7):
        async with aclosing(stream.batches(since, only("a"))) as batches:
            (notice,) = (await take(batches)).messages
            assert isinstance(notice, Notice)
            message = orjson.loads(notice.message)
            assert message["type"] == "resync_required"
            assert message["data"] == {"oldest_id": 2, "last_id": 6}
            assert notice.sse.startswith(b"id: 0\n")
            assert ids(await take(batches)) == [2, 5, 6]
    for since, left in ((4, [5, 6]), (5, [6])):
        async with aclosing(stream.batches(since, only("a"))) as batches:
            assert ids(await take(batches)) == left


@on_loop
async def test_notice_comes_again_when_more_is_pruned() -> None:
    """A slow reader, by whom the pruning overtakes."""
    hub, log = Hub(), ListLog(page_size=1)
    log.append("aaaaaa")
    log.prune(1)
    hub.begin_after(6)
    async with aclosing(Stream(hub, log, SystemClock()).batches(0, only())) as batches:
        assert isinstance((await take(batches)).messages[0], Notice)
        assert ids(await take(batches)) == [2]
        log.prune(4)
        assert isinstance((await take(batches)).messages[0], Notice)
        assert ids(await take(batches)) == [5]


@on_loop
async def test_what_was_read_before_it_was_published_comes_once() -> None:
    hub, log = Hub(), ListLog()
    first = log.append("a")
    async with aclosing(Stream(hub, log, SystemClock()).batches(0, only(), 0.01)) as batches:
        assert ids(await take(batches)) == [1]
        assert ids(await take(batches)) == []  # awake for the heartbeat, and nothing published
        hub.publish(first)
        hub.publish(log.append("a"))
        seen: list[int] = []
        while not seen:
            seen += ids(await take(batches))
        assert seen == [2]


@on_loop
async def test_silence_is_broken_by_an_empty_batch() -> None:
    hub, log = Hub(), ListLog()
    stream = Stream(hub, log, SystemClock())
    async with aclosing(stream.batches(None, only("a"), heartbeat=0.01)) as batches:
        assert ids(await take(batches)) == []
        assert ids(await take(batches)) == []
        hub.publish(log.append("a"))
        assert ids(await take(batches)) == [1]


@on_loop
async def test_what_others_hear_does_not_hide_the_silence() -> None:
    hub, log = Hub(), ListLog()
    stream = Stream(hub, log, SystemClock())

    async def talk() -> None:
        while True:
            hub.publish(log.append("b"))
            await asyncio.sleep(0.001)

    talking = asyncio.create_task(talk())
    async with aclosing(stream.batches(None, only("a"), heartbeat=0.05)) as batches:
        assert (await take(batches)).messages == []
        assert log.last > 1, "each of the others' events was a heartbeat"
    talking.cancel()


@on_loop
async def test_log_that_cannot_be_read() -> None:
    class BrokenLog(ListLog):
        async def page(self, scope: Scope, after: int) -> Page:
            raise Unavailable("It is locked.")

    hub = Hub()
    hub.begin_after(1)
    async with aclosing(Stream(hub, BrokenLog(), SystemClock()).batches(0, only())) as batches:
        with pytest.raises(Unavailable):
            await take(batches)


@on_loop
async def test_stream_ends_with_the_lease() -> None:
    hub, log = Hub(), ListLog(page_size=10)
    stream, lease = Stream(hub, log, SystemClock()), Lease()
    ending, staying = (stream.batches(None, only(), 3600, held) for held in (lease, Lease()))
    tasks = [asyncio.create_task(take(batches)) for batches in (ending, staying)]
    await turns(3)
    lease.end()
    with pytest.raises(StopAsyncIteration):
        await tasks[0]
    hub.publish(log.append("a"))
    assert ids(await tasks[1]) == [1]
    await staying.aclose()


@on_loop
async def test_nothing_more_comes_once_the_lease_is_over() -> None:
    hub, log = Hub(), ListLog(page_size=10)
    lease = Lease()
    batches = Stream(hub, log, SystemClock()).batches(0, only(), None, lease)
    hub.publish(log.append("a"))
    assert ids(await take(batches)) == [1]
    hub.publish(log.append("a"))
    lease.end()
    with pytest.raises(StopAsyncIteration):
        await take(batches)


@on_loop
async def test_stream_ends_with_the_hub() -> None:
    hub = Hub()
    batches = Stream(hub, ListLog(), SystemClock()).batches(None, only())
    waiting = asyncio.create_task(take(batches))
    await turns(3)
    hub.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
