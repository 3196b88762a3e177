"""A project's tasks: filters, order, pages, counts; a task; what a search finds; deleting one."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, as_task, report
from tests.support.clocked import ms
from tracker.domain.queries import TaskQuery, TaskSort
from tracker.errors import NotFound


def five(bench: Bench) -> Bench:
    """Five tasks of the project p, and one of the same name elsewhere."""

    def told(at: str, kind: str, task_id: str, title: str, agent: str, **fields: Any) -> None:
        bench.clock.set(at)
        bench.record(report(kind, "p", task_id, title=title, agent=agent, **fields))

    told("2024-01-10T08:00:00", "start", "a", "Echo", "alice", metadata={"k": 1})
    told("2024-01-10T09:00:00", "finish", "a", "Echo", "alice", result="done")
    told("2024-01-11T00:00:00", "start", "b", "alpha", "bob")
    told("2024-01-11T23:59:59.999", "error", "b", "alpha", "bob", stack_trace="trace")
    told("2024-01-12T00:00:00", "start", "c", "Delta", "alice")
    told("2024-01-12T12:00:00", "status", "d", "Бета", "bob", status="pending")
    told("2024-01-13T10:00:30", "finish", "e", "Charlie", "alice", duration_ms=30_000)
    told("2024-01-14T00:00:00", "status", "c", "Delta", "alice", progress=12.5, message="m")
    bench.record(report("start", "elsewhere", "a", agent="alice"))
    return bench


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "edcba"),
    ({"status": ("pending",)}, "d"),
    ({"status": ("running",)}, "c"),
    ({"status": ("completed",)}, "ea"),
    ({"status": ("failed",)}, "b"),
    ({"agent": "alice"}, "eca"),
    ({"agent": "Alice"}, "eca"),
    ({"agent": "alice", "status": ("completed",)}, "ea"),
    ({"agent": "bob", "status": ("completed",)}, ""),
    # Started then or later.
    ({"date_from": ms("2024-01-12T00:00:00")}, "edc"),
    ({"date_from": ms("2024-01-12T00:00:00.001")}, "ed"),
    ({"date_from": -(10**14)}, "edcba"),
    # Ended then or earlier; what has not ended did not.
    ({"date_to": ms("2024-01-11T23:59:59.999")}, "ba"),
    ({"date_to": ms("2024-01-11T23:59:59.998")}, "a"),
    ({"date_to": 10**15}, "eba"),
    ({"date_from": ms("2024-01-13T00:00:00"), "date_to": ms("2024-01-10T00:00:00")}, ""),
    ({"agent": "alice", "status": ("completed",), "date_from": ms("2024-01-11T00:00:00")}, "e"),
]


def test_filters(bench: Bench) -> None:
    five(bench)
    for given, expected in FILTERS:
        for limit in (500, 1):  # the total is that of all pages
            page = bench.run(bench.engine.tasks(only(), "p", TaskQuery(limit=limit, **given)))
            assert "".join(task.task_id for task in page.tasks) == expected[:limit], given
            assert page.total == len(expected), given


@pytest.mark.parametrize(
    ("sort_by", "ascending", "valueless"),
    [
        ("started_at", "abcde", ""),
        ("finished_at", "abe", "cd"),
        ("updated_at", "abdec", ""),
        ("duration_seconds", "eab", "cd"),
        ("title", "ecabd", ""),
    ],
)
def test_order(bench: Bench, sort_by: TaskSort, ascending: str, valueless: str) -> None:
    """Those without a value come last, either way."""
    five(bench)
    up = bench.tasks("p", sort_by=sort_by, descending=False)
    assert "".join(up) == ascending + valueless
    assert "".join(bench.tasks("p", sort_by=sort_by)) == ascending[::-1] + valueless[::-1]


def test_equal_values_go_by_id(bench: Bench) -> None:
    for name in "abcde":
        bench.record(report("finish", "p", name, duration_ms=1000))
    for column in get_args(TaskSort):
        assert "".join(bench.tasks("p", sort_by=column)) == "edcba"
        assert "".join(bench.tasks("p", sort_by=column, descending=False)) == "abcde"


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("times", ["equal", "growing"])
def test_pages_are_stable(bench: Bench, descending: bool, times: str) -> None:
    expected = []
    for number in range(25):
        bench.record(report("start", "p", f"t{number:02}"))
        expected.append(f"t{number:02}")
        bench.clock.advance(seconds=times == "growing")
    found = []
    for offset in range(0, 25, 5):
        found += bench.tasks("p", limit=5, offset=offset, descending=descending)
        # What has begun keeps its place, whatever is reported on it.
        bench.record(report("finish", "p", f"t{offset:02}"))
        bench.record(report("status", "p", f"t{offset + 1:02}", progress=50))
    assert found == (expected[::-1] if descending else expected)
    assert bench.tasks("p", offset=25) == bench.tasks("p", offset=2**63 - 1) == []


@pytest.mark.parametrize("descending", [False, True])
def test_paging_misses_nothing_while_tasks_begin(bench: Bench, descending: bool) -> None:
    old = {f"old-{number}" for number in range(20)}
    for task_id in sorted(old):
        bench.record(report("start", "p", task_id))
        bench.clock.advance(seconds=1)
    found: list[str] = []
    offset = 0
    while page := bench.tasks("p", limit=4, offset=offset, descending=descending):
        found += page
        offset += 4
        if offset <= 20:
            bench.record(report("start", "p", f"new-{offset}"))
            bench.clock.advance(seconds=1)
    assert old <= set(found)
    if not descending:  # newer tasks come after: nothing moves
        assert len(found) == len(set(found)) == 25


def test_listed_is_the_task_itself(bench: Bench) -> None:
    five(bench)
    page = bench.run(bench.engine.tasks(only(), "p", TaskQuery()))
    for listed in page.tasks:
        detail = bench.task("p", listed.task_id)
        assert detail.summary == listed
        assert [event.project for event in detail.events] == ["p"] * len(detail.events)
    assert bench.task("p", "b").stack_trace == "trace"
    assert bench.task("p", "a").summary.metadata == '{"k":1}'


def test_long_history_is_the_newest_of_it(bench: Bench) -> None:
    bench.record(*(report("status", progress=number % 100) for number in range(1003)))
    assert [event.id for event in bench.task().events] == list(range(4, 1004))


@pytest.mark.parametrize(("project", "task_id"), [("project", "unknown"), ("unknown", "task-1")])
def test_what_is_not_there(bench: Bench, project: str, task_id: str) -> None:
    bench.record(report("start"))
    with pytest.raises(NotFound):
        bench.run(bench.engine.task(only(), project, task_id))
    with pytest.raises(NotFound):
        bench.run(bench.engine.delete_task(project, task_id, SOMEBODY))
    with pytest.raises(NotFound):
        bench.tasks("unknown")
    assert bench.heard.forgets == 0


# Searching. What a word is: tests/api/test_search.py.


def test_search_follows_what_is_reported(bench: Bench) -> None:
    five(bench)
    bench.record(report("error", "elsewhere", "z", title="Alphabet", error_message="out of дисков"))

    def everywhere(text: str, limit: int = 20) -> list[tuple[str, str]]:
        found = bench.run(bench.engine.search(only(), text, limit))
        return [(line.project, line.task_id) for line in found]

    bench.wait_for(lambda: everywhere("диск") == [("elsewhere", "z")], "the search index")
    for text, expected, in_p in [
        ("ALPHA", [("elsewhere", "z"), ("p", "b")], "b"),  # each a prefix, in any case
        ("alice cha", [("p", "e")], "e"),  # all of them, in any order
        ("done", [("p", "a")], "a"),
        ("nothing", [], ""),
        ("", [], ""),
        ("\"' OR * ( -", [], ""),
    ]:
        assert everywhere(text) == expected, text
        assert "".join(bench.tasks("p", q=text or '""')) == in_p, text
    assert everywhere("alpha", limit=1) == [("elsewhere", "z")]
    assert "".join(bench.tasks("p", q="alice", status=("completed",))) == "ea"
    assert bench.run(bench.engine.tasks(only(), "p", TaskQuery(limit=1, q="alice"))).total == 3


def test_search_tells_in_few_words(bench: Bench) -> None:
    bench.record(report("finish", "p", "t", title="Long", result="x" * 2000, duration_ms=1500))
    bench.wait_for(
        lambda: bool(bench.run(bench.engine.search(only(), "long", 1))), "the search index"
    )
    (line,) = bench.run(bench.engine.search(only(), "long", 1))
    summary = bench.task("p", "t").summary
    assert (line.id, line.title, line.duration_ms) == (summary.id, "Long", 1500)
    assert (line.started_at, line.finished_at) == (summary.started_at, summary.finished_at)
    assert line.result == "x" * 500


# Deleting.


def test_delete(bench: Bench) -> None:
    bench.record(*(report(kind, "p", task) for task in "ab" for kind in ("start", "finish")))
    bench.run(bench.engine.delete_task("p", "a", SOMEBODY))
    assert bench.tasks("p") == ["b"]
    assert [event.id for event in bench.log()] == [3, 4, 5]
    assert bench.heard.forgets == 1
    with pytest.raises(NotFound):
        bench.task("p", "a")


def test_deleted_task_begins_anew(bench: Bench) -> None:
    bench.record(report("error", metadata={"a": 1}))
    bench.run(bench.engine.delete_task("project", "task-1", SOMEBODY))
    bench.clock.advance(seconds=1)
    (recorded,) = bench.record(report("start"))
    assert (recorded.created, recorded.event_id) == (True, 3)
    task = as_task(bench.task())
    assert (task.attempt, task.metadata, task.created_at) == (1, {}, bench.clock.now_ms())
    assert [event.id for event in bench.task().events] == [3]
