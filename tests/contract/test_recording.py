"""A report becomes its task's change and an event, once, and is heard of in the log's order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import orjson
import pytest

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, as_task, report
from tests.support.figures import recount
from tests.unit.test_model import STATES, TRANSITIONS
from tracker.domain.events import Event
from tracker.domain.messages import event_data, event_type
from tracker.domain.queries import EventFilter
from tracker.domain.records import Page, Recorded
from tracker.domain.rules import apply, is_late
from tracker.domain.tasks import Kind, Report, Task
from tracker.errors import Unavailable

# Every report for a task in each state, and for one never seen. The last is told of what to keep.
TOLD = {
    "title": "Другой",
    "agent": "other",
    "metadata": {"a": [1.5, None], "ü": {"b": "\x00🙂"}},
    "progress": 12.5,
    "message": "m\x00",
    "result": "r",
    "stack_trace": "s",
}


@pytest.mark.parametrize("state", [None, *STATES])
@pytest.mark.parametrize("name", TRANSITIONS)
def test_report_changes_its_task_by_the_rules(bench: Bench, name: str, state: str | None) -> None:
    last, _ = TRANSITIONS[name]
    reports = [*(STATES[state] if state else ()), last._replace(**TOLD)]
    expected, events = None, []
    for one in reports:
        bench.clock.advance(seconds=61.5)
        bench.record(one)
        expected, event = _told(expected, one, bench.clock.now_ms())
        events.append(event)
    _compare(bench, "project", expected, events)
    # The same by reports that come together, which share a time.
    expected, events = None, []
    together = [one._replace(project="together") for one in reports]
    bench.record(*together)
    for one in together:
        expected, event = _told(expected, one, bench.clock.now_ms())
        events.append(event)
    _compare(bench, "together", expected, events)


def _told(task: Task | None, one: Report, now: int) -> tuple[Task, tuple[str, int, bytes]]:
    after = apply(task, one, now)
    data = event_data(one, after, now, late=is_late(task, one, now))
    return after, (event_type(one), now, data.encode())


def _compare(
    bench: Bench, project: str, expected: Task | None, events: list[tuple[str, int, bytes]]
) -> None:
    detail = bench.task(project)
    assert (as_task(detail), detail.project) == (expected, project)
    of_log = bench.log(EventFilter(project=project))
    assert [(event.type, event.at, event.data) for event in of_log] == events
    assert [_whole(event) for event in detail.events] == [_whole(event) for event in of_log]


def _whole(event: Event) -> tuple[int, str, bytes]:
    return event.id, event.project, event.message


def test_answer_says_what_became_of_it(bench: Bench) -> None:
    begun = bench.clock.now_ms()
    (started,) = bench.record(report("start"))
    bench.clock.advance(seconds=90)
    (finished,) = bench.record(report("finish"))
    assert (started.event_id, started.at, started.created) == (1, begun, True)
    assert started.duration_ms is None
    assert (finished.event_id, finished.at, finished.created) == (2, begun + 90_000, False)
    assert finished.duration_ms == 90_000
    assert [result.event.message for result in (started, finished) if result.event] == [
        event.message for event in bench.log()
    ]


def test_ids_grow_over_all_projects_in_the_order_in_which_reports_came(bench: Bench) -> None:
    reports = [
        report(kind, project, task_id)
        for task_id in ("1", "2")
        for project in ("a", "b")
        for kind in Kind
    ]
    results = bench.record(*reports)
    assert [result.event_id for result in results] == list(range(1, len(reports) + 1))
    assert [event.project for event in bench.log()] == [one.project for one in reports]


def test_project_and_task_id_name_a_task(bench: Bench) -> None:
    bench.record(report("start", "p", "same"), report("start", "q", "same"))
    bench.record(report("finish", "p", "same"))
    assert bench.task("p", "same").summary.status == "completed"
    assert bench.task("q", "same").summary.status == "running"
    assert bench.task("p", "same").summary.id != bench.task("q", "same").summary.id


def test_history_keeps_each_reports_own_metadata(bench: Bench) -> None:
    told = [{"a": 1, "b": {"c": 1}}, {"b": {"d": 2}}, {"e": 3}]
    for kind, metadata in zip(("start", "status", "finish"), told, strict=True):
        bench.record(report(kind, metadata=metadata))
    assert as_task(bench.task()).metadata == {"a": 1, "b": {"d": 2}, "e": 3}
    data = [orjson.loads(event.data) for event in bench.task().events]
    assert [one["metadata"] for one in data] == told


def test_names_are_told_apart_by_every_character(bench: Bench) -> None:
    names = ["p", "P", "p ", " p", "ß", "ss", "é", "e\u0301", "İ", "i", "%", "_", "p/q", "🙂"]
    bench.record(*(report("start", name, "t", title=name) for name in names))
    for name in names:
        assert bench.task(name, "t").summary.title == name
    assert bench.run(bench.engine.overall_stats(only())).projects == len(names)


def test_clock_that_steps_back_changes_no_number_and_no_order(bench: Bench) -> None:
    kinds = (Kind.START, Kind.STATUS, Kind.FINISH, Kind.START, Kind.ERROR)
    for kind in kinds:
        bench.clock.advance(seconds=-3600)
        bench.record(report(kind))
    assert [event.id for event in bench.log()] == [1, 2, 3, 4, 5]
    assert [event.type for event in bench.log()] == [event_type(report(kind)) for kind in kinds]
    task = as_task(bench.task())
    assert (task.status, task.attempt, task.duration_ms) == ("failed", 2, 0)
    recount(bench)


# Publishing.


def test_published_is_the_log_in_its_order(bench: Bench) -> None:
    for number in range(5):
        bench.record(*(report("status", task_id=f"{number} {i}") for i in range(number + 1)))
    published = [event.message for group in bench.heard.groups for event in group]
    assert published == [event.message for event in bench.log()]
    assert bench.heard.ids == list(range(1, 16))
    # One time for each transaction.
    assert all(len({event.at for event in group}) == 1 for group in bench.heard.groups)


def test_published_before_it_is_answered_and_after_it_can_be_read(bench: Bench) -> None:
    pages: list[asyncio.Task[Page]] = []
    answered: list[Recorded] = []

    def look(events: Sequence[Event]) -> None:
        assert answered == []
        assert bench.engine.last_id == events[-1].id
        page = bench.engine.events(only(), events[0].id - 1, EventFilter(), 1000)
        pages.append(asyncio.ensure_future(page))

    async def scenario() -> None:
        future = bench.engine.record(report("start"), None, 0)
        future.add_done_callback(lambda done: answered.append(done.result()))
        await future
        bench.heard.also_publish = lambda events: None
        assert [event.id for event in (await pages[0]).events] == [1]

    bench.heard.also_publish = look
    bench.run(scenario())
    assert len(answered) == len(pages) == 1


def test_many_at_once_have_each_their_number(bench: Bench) -> None:
    numbers: list[list[int]] = []

    async def agent(name: int) -> None:
        mine: list[int] = []
        for number in range(20):
            one = report("status", f"p{name % 3}", f"{name} {number % 4}", agent=f"{name}")
            mine.append((await bench.engine.record(one, None, 100)).event_id)
        numbers.append(mine)

    async def all_of_them() -> None:
        await asyncio.gather(*(agent(name) for name in range(40)))

    bench.run(all_of_them())
    assert all(mine == sorted(mine) for mine in numbers)
    assert sorted(number for mine in numbers for number in mine) == list(range(1, 801))
    assert bench.heard.ids == list(range(1, 801))
    assert [event.id for event in bench.log()] == list(range(1, 801))
    assert bench.run(bench.engine.overall_stats(only())).tasks.running == 160


def test_who_goes_away_is_recorded_all_the_same(bench: Bench) -> None:
    async def scenario() -> None:
        gone = bench.engine.record(report("start", task_id="gone"), None, 0)
        stays = bench.engine.record(report("start", task_id="stays"), None, 0)
        gone.cancel()
        assert (await stays).event_id == 2

    bench.run(scenario())
    assert bench.heard.ids == [1, 2]
    assert bench.task(task_id="gone").summary.status == "running"


# Refusing.


def test_more_than_can_wait_is_refused_at_once(bench: Bench) -> None:
    async def scenario() -> None:
        with pytest.raises(Unavailable, match="send this one again"):
            bench.engine.record(report("start", task_id="big"), None, 2**30)
        await bench.engine.record(report("start"), None, 100)

    bench.run(scenario())
    assert bench.heard.ids == [1]


def test_closing_records_what_waits_and_refuses_what_comes(
    engine: str, open_bench: Callable[[str], Bench]
) -> None:
    bench = open_bench(engine)

    async def scenario() -> None:
        waiting = [bench.engine.record(report("start", task_id=f"{n}"), None, 0) for n in range(3)]
        end = asyncio.ensure_future(bench.engine.close())
        assert [result.event_id for result in await asyncio.gather(*waiting)] == [1, 2, 3]
        await end
        for refused in (
            lambda: bench.engine.record(report("start"), None, 0),
            lambda: bench.engine.delete_task("project", "0", SOMEBODY),
        ):
            with pytest.raises(Unavailable):
                await refused()

    bench.run(scenario())
    assert bench.heard.ids == [1, 2, 3]
