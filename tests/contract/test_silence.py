"""Running tasks that are no longer heard of: told once, by an event, over restarts too."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

import apsw
import orjson
import pytest

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, report
from tests.support.clocked import DrivenClock
from tracker.clock import iso
from tracker.domain.acts import Act, Deed
from tracker.domain.attention import Attention
from tracker.domain.queries import EventFilter, ProjectQuery
from tracker.domain.tasks import EventType, Status
from tracker.errors import Unavailable
from tracker.store.sqlite import silence_watch

STALE_AFTER_MS = 900_000
SILENT = EventFilter(type=EventType.SILENT)


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence_watch, "_INTERVAL", 0.01)


@pytest.fixture
def driven(bench: Bench) -> Bench:
    """The engine that is tried, on a clock whose seconds pass when it is told so."""
    return _drive(bench)


@pytest.fixture
def lasting_driven(lasting: Bench) -> Bench:
    return _drive(lasting)


def _drive(bench: Bench) -> Bench:
    bench.clock = DrivenClock()
    bench.stale_after_ms = STALE_AFTER_MS
    bench.reopen()
    look(bench)
    return bench


def pass_(bench: Bench, ms: int) -> None:
    """Time goes by, and what that makes silent is told."""
    bench.clock.advance(milliseconds=ms)
    look(bench)


def look(bench: Bench) -> None:
    """Wait until the watch has looked at everything, for some milliseconds of its clock."""
    name = f"{bench.clock.now_ms()}"
    bench.record(report("start", "lighthouse", name, stale_after_ms=1))

    def seen() -> bool:
        bench.clock.advance(milliseconds=1)
        return told(bench, "lighthouse").count(name) == 1

    bench.wait_for(seen, what="a look")


def told(bench: Bench, project: str = "project") -> list[str]:
    """The tasks of the project that silence was told of."""
    found = bench.log(SILENT._replace(project=project))
    return [orjson.loads(event.data)["task_id"] for event in found]


def test_told_once_and_ended_by_the_next_report(driven: Bench) -> None:
    driven.record(report("start"))
    began = driven.clock.now_ms()
    pass_(driven, STALE_AFTER_MS - 1000)
    assert told(driven) == []
    pass_(driven, 1000)
    pass_(driven, STALE_AFTER_MS)
    assert told(driven) == ["task-1"]
    summary = driven.task().summary
    assert (summary.silent_since, summary.status, summary.updated_at) == (began, "running", began)
    driven.record(report("status"))
    assert driven.task().summary.silent_since is None
    pass_(driven, STALE_AFTER_MS)
    assert told(driven) == ["task-1"] * 2


def test_silence_ends_what_was_acknowledged_and_acts_do_not_end_silence(driven: Bench) -> None:
    def act(deed: Deed) -> None:
        driven.run(driven.engine.act(only(), "project", "task-1", deed))

    driven.record(report("start"))
    act(Deed(Act.ACKNOWLEDGE, "me"))
    act(Deed(Act.SNOOZE, "me", driven.clock.now_ms() + 10 * STALE_AFTER_MS))
    pass_(driven, STALE_AFTER_MS)
    assert told(driven) == ["task-1"], "nothing was heard of it by that"
    summary = driven.task().summary
    assert (summary.acknowledged_at, summary.snoozed_until) == (None, None)
    act(Deed(Act.ACKNOWLEDGE, "me"))
    pass_(driven, STALE_AFTER_MS)
    after = driven.task().summary
    assert (after.silent_since, after.updated_at) == (summary.silent_since, summary.updated_at)
    assert after.acknowledged_at is not None
    assert told(driven) == ["task-1"]


def test_is_an_event_that_is_published_and_touches_nothing_else(driven: Bench) -> None:
    driven.record(report("start", title="Title"))
    began = driven.clock.now_ms()
    pass_(driven, STALE_AFTER_MS)
    (event,) = driven.log(SILENT._replace(project="project"))
    assert event.id in driven.heard.ids
    assert driven.heard.ids == sorted(driven.heard.ids)
    assert orjson.loads(event.data) == {
        **{"task_id": "task-1", "title": "Title", "project": "project", "agent": "agent"},
        **{"status": "running", "progress": 0, "attempt": 1},
        **{"started_at": iso(began), "silent_since": iso(began)},
    }
    page = driven.run(driven.engine.projects(only(), ProjectQuery()))
    assert [p.updated_at for p in page.projects if p.name == "project"] == [began]
    recent = driven.run(driven.engine.overall_stats(only())).recent
    assert [line.at for line in recent if line.project == "project"] == [began]
    assert driven.task().events[-1].id == event.id


@pytest.mark.parametrize(
    ("further", "ms", "silent"),
    [
        ({"stale_after_ms": 5000}, 4000, False),
        ({"stale_after_ms": 5000}, 5000, True),
        ({"stale_after_ms": 2 * STALE_AFTER_MS}, 2 * STALE_AFTER_MS - 1000, False),
        ({"stale_after_ms": 2 * STALE_AFTER_MS}, 2 * STALE_AFTER_MS, True),
    ],
)
def test_a_task_says_how_long_its_silence_is_normal(
    driven: Bench, further: dict[str, Any], ms: int, silent: bool
) -> None:
    driven.record(report("start", **further), report("status"))
    pass_(driven, ms)
    assert told(driven) == ["task-1"] * silent


@pytest.mark.parametrize(
    "reports",
    [
        [report("status", status=Status.PENDING)],
        [report("start"), report("finish")],
        [report("start"), report("error")],
        [report("start", attention=Attention("", "May I?"))],
    ],
    ids=["pending", "completed", "failed", "waiting for a person"],
)
def test_others_are_never_silent(driven: Bench, reports: list[Any]) -> None:
    driven.record(*reports)
    pass_(driven, 2 * STALE_AFTER_MS)
    assert told(driven) == []


def test_one_that_waited_for_a_person_may_be_afterwards(driven: Bench) -> None:
    driven.record(report("start", attention=Attention("", "May I?")))
    pass_(driven, 2 * STALE_AFTER_MS)
    driven.record(report("status"))
    pass_(driven, STALE_AFTER_MS)
    assert told(driven) == ["task-1"]


def test_downtime_does_not_count(lasting_driven: Bench) -> None:
    bench = lasting_driven
    bench.record(report("start"))
    pass_(bench, STALE_AFTER_MS - 5000)
    bench.reopen(down=lambda: bench.clock.advance(days=2))
    look(bench)
    pass_(bench, 3000)
    assert told(bench) == []
    bench.reopen(down=lambda: bench.clock.advance(days=3))
    look(bench)
    pass_(bench, 2000)
    assert told(bench) == ["task-1"]


def test_a_machine_that_slept_does_not_count(driven: Bench) -> None:
    driven.record(report("start"))
    pass_(driven, STALE_AFTER_MS - 5000)
    driven.clock.sleep(days=1)
    look(driven)
    pass_(driven, 3000)
    assert told(driven) == []
    pass_(driven, 2000)
    assert told(driven) == ["task-1"]


def test_time_in_which_nothing_could_be_recorded_does_not_count(lasting_driven: Bench) -> None:
    bench = lasting_driven
    bench.record(report("start"))
    with closing(apsw.Connection(bench.engine.name)) as other:
        other.execute("BEGIN IMMEDIATE")
        bench.clock.advance(milliseconds=STALE_AFTER_MS)
        for _ in range(3):
            assert isinstance(refused(bench), Unavailable)
        bench.clock.advance(milliseconds=STALE_AFTER_MS)
    look(bench)
    assert told(bench) == []
    pass_(bench, STALE_AFTER_MS)
    assert told(bench) == ["task-1"]


def refused(bench: Bench) -> Any:
    """What becomes of a report that waits for another program until it cannot any longer."""

    async def record() -> Any:
        future = bench.engine.record(report("status"), None, 100)
        while not future.done():
            bench.clock.advance(seconds=1)
            await asyncio.sleep(0.01)
        return future.exception()

    return bench.run(record())


def test_told_once_over_restarts(lasting_driven: Bench) -> None:
    bench = lasting_driven
    bench.record(report("start"))
    pass_(bench, STALE_AFTER_MS)
    bench.reopen()
    pass_(bench, STALE_AFTER_MS)
    assert told(bench) == ["task-1"]


def test_many_are_told_and_none_twice(driven: Bench) -> None:
    names = [f"{number:03}" for number in range(600)]
    driven.record(*[report("start", task_id=name) for name in names])
    pass_(driven, STALE_AFTER_MS)
    pass_(driven, 1000)
    assert sorted(told(driven)) == names


def test_deleted_meanwhile(driven: Bench) -> None:
    driven.record(report("start"), report("start", task_id="other"))
    driven.run(driven.engine.delete_task("project", "task-1", SOMEBODY))
    pass_(driven, STALE_AFTER_MS)
    assert told(driven) == ["other"]
