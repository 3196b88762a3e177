"""Power cuts and a full disk, on a file system that knows what has been fsynced."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tests.support.access import only
from tests.support.load import problems
from tests.support.power import NullListener, PowerLog, Sync
from tracker.clock import SystemClock
from tracker.config.settings import Durability
from tracker.domain.tasks import Kind, Report
from tracker.errors import Unavailable
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.connection import open_writer
from tracker.store.sqlite.store import Store

REPORTS = 600
AT_ONCE = 4
CUTS = 60


@pytest.fixture
def power(request: pytest.FixtureRequest) -> Iterator[PowerLog]:
    power = PowerLog(f"power of {request.node.name}")
    yield power
    power.unregister()


def open_store(path: Path, power: PowerLog, durability: Durability = "full") -> Store:
    return Store(
        path,
        durability,
        SystemClock(),
        NullListener(),
        on_death=lambda: None,
        vfs=power.name,
        checkpoint_pages=200,  # so that the power goes in the middle of some
    )


def report(number: int) -> Report:
    kind = (Kind.START, Kind.STATUS, Kind.FINISH)[number % 3]
    return Report(
        kind, "project", f"task {number % 10}", "Title", "agent", metadata={"number": number}
    )


async def record(store: Store, power: PowerLog) -> dict[int, int]:
    """Report from a few connections; for each event's id, how far the log was when it was
    acknowledged."""
    acknowledged: dict[int, int] = {}

    async def publish(first: int) -> None:
        for number in range(first, REPORTS, AT_ONCE):
            recorded = await store.record(report(number), None, 0)
            acknowledged[recorded.event_id] = len(power.operations)

    store.start()
    await asyncio.gather(*(publish(first) for first in range(AT_ONCE)))
    await store.close()
    return acknowledged


def missing_after_cuts(
    power: PowerLog, durability: Durability, acknowledged: dict[int, int], folder: Path
) -> int:
    """Cut the power at many moments; each time the database has to open clean. The number of
    acknowledged events that were missing, over all cuts."""
    chance = random.Random(5)
    missing = 0
    for number in range(CUTS):
        left = folder / f"cut {number}"
        left.mkdir()
        moment = chance.randint(0, len(power.operations))
        power.cut(moment, left, chance)
        connection = open_writer(left / "tracker.db", durability)
        assert problems(connection) == []
        assert recount(connection) == []
        there = [id_ for (id_,) in connection.execute("SELECT id FROM events ORDER BY id")]
        connection.close()
        assert there == list(range(1, len(there) + 1)), "the log has a hole"
        missing += sum(when <= moment and id_ not in there for id_, when in acknowledged.items())
    return missing


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_power_cut(tmp_path: Path, power: PowerLog, durability: Durability) -> None:
    store = open_store(tmp_path / "tracker.db", power, durability)
    acknowledged = asyncio.run(record(store, power))
    assert len(acknowledged) == REPORTS
    assert sum(done == Sync("tracker.db") for done in power.operations) > 3, "no checkpoints"
    missing = missing_after_cuts(power, durability, acknowledged, tmp_path)
    if durability == "full":
        assert missing == 0
    else:  # the promise of `normal` is less; and the cuts do cut
        assert missing > 0


def test_full_disk_is_said_and_got_over(tmp_path: Path, power: PowerLog) -> None:
    store = open_store(tmp_path / "tracker.db", power)

    async def scenario() -> list[int]:
        store.start()
        first = await store.record(report(0), None, 0)
        power.full = True
        with pytest.raises(Unavailable, match=r"The disk is full\. Nothing was recorded"):
            await store.record(report(1), None, 0)
        page = await store.page(only(), 0)  # reads go on
        power.full = False
        second = await store.record(report(2), None, 0)
        await store.close()
        return [first.event_id, *(event.id for event in page.events), second.event_id]

    assert asyncio.run(scenario()) == [1, 1, 2]
    connection = apsw.Connection(str(tmp_path / "tracker.db"))
    assert problems(connection) == []
    assert recount(connection) == []
    connection.close()
