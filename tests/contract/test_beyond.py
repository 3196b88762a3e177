"""What agents tell beyond the API document: reports that come late, and attention."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bench import Bench, report
from tracker.domain.attention import NO_REQUESTS, Attention, Request
from tracker.domain.limits import MAX_AGE_OF_REPORT, MAX_CLOCK_AHEAD, MAX_OPEN_REQUESTS
from tracker.domain.rules import apply, is_late
from tracker.domain.tasks import ENDED, Kind, Report, Status, Task

NOW = 1_705_312_800_000


def at(seconds: float, kind: Kind | str, **fields: Any) -> Report:
    return report(kind, occurred_at=NOW + round(seconds * 1000), **fields)


def told(*reports: Report) -> Task:
    """The task after these, which arrive together, an hour later."""
    task = None
    for one in reports:
        task = apply(task, one, NOW + 3_600_000)
    assert task is not None
    return task


START, HALF, DONE = at(0, "start"), at(10, "status", progress=50, message="half"), at(20, "finish")
FAILED = at(20, "error")


@pytest.mark.parametrize("end", [DONE, FAILED], ids=["finish", "error"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_any_order_it_is_the_same_task(order: tuple[int, ...], end: Report) -> None:
    reports = [START, HALF, end]
    expected = told(*reports)
    task = told(*(reports[place] for place in order))
    assert task._replace(agent=expected.agent) == expected
    assert (task.started_at, task.finished_at) == (NOW, NOW + 20_000)
    assert task.duration_ms == 20_000
    assert task.attempt == 1


@st.composite
def lives(draw: st.DrawFn) -> list[Report]:
    """A task's life in one attempt, at distinct moments, and perhaps some of it twice."""
    moments = draw(st.lists(st.integers(1, 3000), min_size=1, max_size=6, unique=True))
    statuses = [
        at(moment, "status", message=f"{moment}", progress=draw(st.integers(1, 99)))
        for moment in sorted(moments)
    ]
    ends = draw(st.sampled_from([[], [at(3001, "finish", result="r")], [at(3001, "error")]]))
    life = [at(0, "start"), *statuses, *ends]
    again = draw(st.lists(st.sampled_from(life), max_size=3))
    return draw(st.permutations([*life, *again]))


@given(lives())
@settings(deadline=None)
def test_any_order_and_any_report_twice(reports: list[Report]) -> None:
    task = told(*reports)
    expected = told(*sorted(set(reports), key=lambda one: one.occurred_at or 0))
    for name in ("status", "attempt", "started_at", "finished_at", "duration_ms", "result"):
        assert getattr(task, name) == getattr(expected, name), name
    if task.status not in ENDED:
        assert (task.message, task.progress) == (expected.message, expected.progress)


def test_a_start_from_before_the_end_opens_no_attempt() -> None:
    assert told(DONE, at(20, "start")).status is Status.COMPLETED
    again = told(START, DONE, at(20.001, "start"))
    assert (again.attempt, again.status, again.started_at) == (2, Status.RUNNING, NOW + 20_001)
    # An end of the attempt before does not end it, nor does that attempt's start begin it earlier.
    assert told(START, DONE, at(30, "start"), at(19, "finish"), at(1, "start")).started_at == (
        NOW + 30_000
    )


@pytest.mark.parametrize(
    "late",
    [
        at(10, "status", progress=50, message="half"),
        at(10, "status", attention=Attention("a", "A?")),
        at(20, "finish", result="of the first"),
        at(20, "error"),
    ],
)
@pytest.mark.parametrize("end", [[], [at(40, "finish")], [at(40, "error")]])
def test_how_an_attempt_before_went_is_not_told_of_the_present_one(
    late: Report, end: list[Report]
) -> None:
    second = [START, at(25, "finish"), at(30, "start"), *end]
    assert told(*second, late) == told(*second)


def test_what_does_not_say_when_it_happened_is_never_late() -> None:
    ahead = at(3_659, "status")  # by a clock that is a minute ahead
    task = told(START, ahead, report("finish"))
    assert (task.status, task.finished_at) == (Status.COMPLETED, NOW + 3_600_000)


@pytest.mark.parametrize(
    ("ms", "taken"),
    [
        (-MAX_AGE_OF_REPORT, None),
        (-MAX_AGE_OF_REPORT - 1, -MAX_AGE_OF_REPORT),
        (-(10**15), -MAX_AGE_OF_REPORT),
        (MAX_CLOCK_AHEAD, None),
        (MAX_CLOCK_AHEAD + 1, MAX_CLOCK_AHEAD),
    ],
)
def test_a_clock_that_cannot_be_right(bench: Bench, ms: int, taken: int | None) -> None:
    now = bench.clock.now_ms()
    bench.record(report("start", occurred_at=now + ms))
    (event,) = bench.log()
    data = orjson.loads(event.data)
    assert data.get("clock_adjusted") is (None if taken is None else True)
    assert bench.task().summary.started_at == now + (ms if taken is None else taken)
    assert (event.at, bench.task().summary.created_at) == (now, now)


def test_late_ones_are_in_the_history(bench: Bench) -> None:
    now = bench.clock.now_ms()
    bench.record(
        report("start", occurred_at=now - 9000),
        report("status", occurred_at=now - 5000, message="newer", progress=50),
        report("status", occurred_at=now - 7000, message="older", progress=20),
    )
    data = [orjson.loads(event.data) for event in bench.log()]
    assert [one.get("late") for one in data] == [None, None, True]
    assert (data[2]["reported_progress"], data[2]["progress"]) == (20, 50)
    assert data[2]["occurred_at"] == "2024-01-15T09:59:53.000Z"
    summary = bench.task().summary
    assert (summary.message, summary.progress, summary.started_at) == ("newer", 50, now - 9000)


def test_a_late_one_fills_what_is_empty(bench: Bench) -> None:
    now = bench.clock.now_ms()
    bench.record(
        report("status", title="", occurred_at=now, metadata={"a": 1}),
        report("start", occurred_at=now - 1, session="s", metadata={"a": 0, "b": 2}),
    )
    summary = bench.task().summary
    assert (summary.title, summary.session, summary.started_at) == ("Title", "s", now - 1)
    assert orjson.loads(summary.metadata) == {"a": 1, "b": 2}


# Attention.


def asks(id_: str, text: str | None, seconds: float, **fields: Any) -> Report:
    return at(seconds, "status", attention=Attention(id_, text), **fields)


def opened(task: Task) -> list[tuple[str, str | None]]:
    return [(request.id, request.text) for request in task.requests.open]


def test_several_are_open_each_by_its_id() -> None:
    task = told(asks("a", "A?", 1), asks("b", "B?", 2), asks("", "?", 3), asks("a", "A!", 4))
    assert task.requests.oldest == Request("a", "A!", NOW + 1000, NOW + 4000)
    assert opened(task) == [("a", "A!"), ("b", "B?"), ("", "?")]
    assert opened(told(START, asks("a", "A?", 1), asks("b", "B?", 2), asks("a", None, 3))) == [
        ("b", "B?")
    ]


def test_the_unnamed_one_is_ended_by_any_report_without() -> None:
    assert opened(told(asks("", "?", 1), at(2, "status"))) == []
    assert opened(told(asks("", "?", 1), asks("a", "A?", 2))) == [("", "?"), ("a", "A?")]
    assert opened(told(asks("", "?", 1), asks("a", None, 2))) == [("", "?")]
    assert opened(told(asks("a", "A?", 1), at(2, "status"))) == [("a", "A?")]


@pytest.mark.parametrize("end", [at(9, "finish"), at(9, "error"), at(9, "start")])
def test_the_end_ends_all(end: Report) -> None:
    task = told(asks("a", "A?", 1), asks("", "?", 2), at(3, "finish"), end)
    assert task.requests == NO_REQUESTS


def test_no_agent_makes_its_task_grow_without_end() -> None:
    task = told(*(asks(f"{n}", "?", n) for n in range(3 * MAX_OPEN_REQUESTS)))
    assert len(opened(task)) == MAX_OPEN_REQUESTS
    assert opened(task)[-1] == (f"{3 * MAX_OPEN_REQUESTS - 1}", "?")
    for number in range(3 * MAX_OPEN_REQUESTS):
        task = apply(task, asks(f"{number}", None, 400), NOW + 3_600_000)
    assert opened(task) == []
    assert len(task.requests) <= 20


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["?", None])), min_size=1, max_size=8
    ).flatmap(lambda steps: st.tuples(st.just(steps), st.permutations(range(len(steps)))))
)
def test_word_of_named_ones_in_any_order(
    drawn: tuple[list[tuple[str, str | None]], list[int]],
) -> None:
    """As parallel hooks tell it: of each id the newest word stands."""
    steps, order = drawn
    reports = [asks(id_, text, number) for number, (id_, text) in enumerate(steps)]
    task = told(*(reports[place] for place in order))
    newest = dict(steps)
    assert {id_ for id_, _ in opened(task)} == {id_ for id_, text in newest.items() if text}


def test_late_is_told_by_the_rule_that_applies_it() -> None:
    task = told(START, HALF)
    assert is_late(task, at(5, "status"), NOW + 60_000)
    assert not is_late(task, at(10, "status"), NOW + 60_000)
    assert not is_late(None, at(5, "status"), NOW + 60_000)
