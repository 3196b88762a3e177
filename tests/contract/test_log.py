"""The log: pages, filters, its ends, and what deletion and a restart leave of it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.support.access import SOMEBODY, only
from tests.support.bench import EVERYTHING, Bench, report
from tracker.domain.queries import EventFilter
from tracker.domain.records import Bounds, Page
from tracker.domain.tasks import EVENT_TYPES, Kind


def sixteen(bench: Bench) -> Bench:
    """Four events for each of two tasks in each of two projects."""
    bench.record(
        *(
            report(kind, project, task_id)
            for project in ("a", "b")
            for task_id in ("1", "2")
            for kind in Kind
        )
    )
    return bench


def ids(page: Page) -> list[int]:
    return [event.id for event in page.events]


FILTERS: list[tuple[EventFilter, Iterable[int]]] = [
    (EVERYTHING, range(1, 17)),
    (EventFilter(project="a"), range(1, 9)),
    (EventFilter(project="unknown"), ()),
    (EventFilter(task_id="2"), (*range(5, 9), *range(13, 17))),
    (EventFilter(task_id="unknown"), ()),
    (EventFilter("b", "1"), range(9, 13)),
    (EventFilter("unknown", "1"), ()),
    *((EventFilter(type=EVENT_TYPES[kind]), range(n, 17, 4)) for n, kind in enumerate(Kind, 1)),
    (EventFilter("a", "1", "task_error"), (4,)),
]


def test_before_the_first_report(bench: Bench) -> None:
    page = bench.run(bench.engine.events(only(), 0, EVERYTHING, 100))
    assert page == Page([], 0, Bounds(1, 0, 0))
    assert bench.run(bench.engine.newest_events(only(), 2**63 - 1, EVERYTHING, 100)).events == []
    assert bench.run(bench.engine.page(only(), 0)) == page
    assert bench.engine.last_id == 0


def test_filters(bench: Bench) -> None:
    sixteen(bench)
    for wanted, expected in FILTERS:
        page = bench.run(bench.engine.events(only(), 0, wanted, 1000))
        assert ids(page) == list(expected), wanted
        # Whatever was filtered out need not be looked at again.
        assert (page.cursor, page.bounds) == (16, Bounds(1, 16, 0))
        for number in (1, 3, 16):
            newest = bench.run(bench.engine.newest_events(only(), 2**63 - 1, wanted, number))
            assert ids(newest) == list(expected)[-number:], wanted
        before = bench.run(bench.engine.newest_events(only(), 10, wanted, 1000))
        assert ids(before) == [id_ for id_ in expected if id_ < 10], wanted


def test_cursor_sees_everything_once(bench: Bench) -> None:
    sixteen(bench)
    for wanted, expected in FILTERS:
        for limit in (1, 3, 5, 8, 15, 16, 1000):
            found: list[int] = []
            cursor = 0
            while cursor < 16:
                page = bench.run(bench.engine.events(only(), cursor, wanted, limit))
                assert len(page.events) <= limit
                assert page.cursor > cursor
                found += ids(page)
                cursor = page.cursor
            assert found == list(expected), (wanted, limit)


def test_page_of_a_cursor_is_of_all_projects_or_one(bench: Bench) -> None:
    sixteen(bench)
    assert ids(bench.run(bench.engine.page(only(), 3))) == list(range(4, 17))
    assert ids(bench.run(bench.engine.page(only("b"), 3))) == list(range(9, 17))
    assert ids(bench.run(bench.engine.page(only(), 16))) == []


@pytest.mark.parametrize("newest", [False, True])
def test_page_of_large_events_ends_early(bench: Bench, newest: bool) -> None:
    """So that no reader makes the server hold much; the cursor goes on as after any page."""
    bench.record(*(report("status", metadata={"big": "x" * 2_000_000}) for _ in range(5)))
    if newest:
        page = bench.run(bench.engine.newest_events(only(), 2**63 - 1, EVERYTHING, 100))
        assert 1 <= len(page.events) < 5
        assert ids(page) == list(range(6 - len(page.events), 6))
        return
    for read in (
        lambda cursor: bench.engine.events(only(), cursor, EVERYTHING, 100),
        lambda cursor: bench.engine.page(only(), cursor),
    ):
        page = bench.run(read(0))
        assert 1 <= len(page.events) < 5
        found = ids(page)
        while page.cursor < page.bounds.last:
            page = bench.run(read(page.cursor))
            found += ids(page)
        assert found == [1, 2, 3, 4, 5]


def test_cursor_past_the_end_is_none_of_this_log(bench: Bench) -> None:
    sixteen(bench)
    page = bench.run(bench.engine.events(only(), 17, EVERYTHING, 100))
    assert ids(page) == []
    assert page.bounds.covers(0)
    assert page.bounds.covers(16)
    assert not page.bounds.covers(17)


def test_deleted_events_leave_their_numbers(bench: Bench) -> None:
    bench.record(*(report("start", project) for project in ("a", "b", "a")))
    bench.run(bench.engine.delete_project("a", SOMEBODY))
    page = bench.run(bench.engine.events(only(), 0, EVERYTHING, 100))
    assert (ids(page), page.cursor, page.bounds) == ([2, 4], 4, Bounds(2, 4, 0))
    bench.run(bench.engine.delete_project("b", SOMEBODY))
    page = bench.run(bench.engine.events(only(), 1, EVERYTHING, 100))
    assert (ids(page), page.cursor, page.bounds) == ([4, 5], 5, Bounds(4, 5, 0))
    assert page.bounds.covers(1)  # what was deleted is not missed
    (recorded,) = bench.record(report("start", "a"))
    assert recorded.event_id == 6


def test_numbers_go_on_after_a_restart(lasting: Bench) -> None:
    lasting.record(report("start", "p"), report("start", "q"))
    lasting.run(lasting.engine.delete_project("q", SOMEBODY))
    lasting.reopen()
    assert lasting.engine.last_id == 3
    (recorded,) = lasting.record(report("finish", "p"))
    assert recorded.event_id == 4
    assert [event.id for event in lasting.log()] == [1, 3, 4]
