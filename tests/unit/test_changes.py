"""What a group of reports does, worked out in memory. By engines: tests/contract/."""

from __future__ import annotations

from tests.support.bench import report
from tracker.domain.idempotency import LIFETIME_MS, Idempotency
from tracker.domain.records import Recorded
from tracker.domain.rules import apply
from tracker.errors import IdempotencyKeyReused
from tracker.store.changes import Applied, Change, Changes, KeyedGroup, UsedKey, WriteRequest

NOW = 1_705_312_800_000


def recorded(number: int) -> Recorded:
    return Recorded(number, NOW, True, None, None)


def test_first_with_a_key_is_written_and_answers_the_others() -> None:
    a, b, c, d = (report("start", task_id=name) for name in "abcd")
    requests = [
        WriteRequest(a, Idempotency((0, "new"), b"1", LIFETIME_MS)),
        WriteRequest(b),
        WriteRequest(a, Idempotency((0, "new"), b"1", LIFETIME_MS)),
        WriteRequest(c, Idempotency((0, "new"), b"2", LIFETIME_MS)),
        WriteRequest(d, Idempotency((0, "old"), b"3", LIFETIME_MS)),
    ]
    keyed = KeyedGroup(requests, {(0, "old"): UsedKey(b"3", 7, NOW - 1, False, 5, NOW)})
    assert keyed.reports == [a, b]
    results, fresh = keyed.results([recorded(8), recorded(9)])
    assert results[:3] == [recorded(8), recorded(9), recorded(8)]
    assert isinstance(results[3], IdempotencyKeyReused)
    assert results[4:] == [Recorded(7, NOW - 1, False, 5, None)]
    assert fresh == {(0, "new"): UsedKey(b"1", 8, NOW, True, None, NOW + LIFETIME_MS)}


def test_reports_of_a_group_build_on_each_other() -> None:
    before = apply(None, report("start", task_id="old"), NOW - 5000)
    reports = [
        report("start", task_id="new"),
        report("status", task_id="old", message="m"),
        report("finish", task_id="new"),
        report("status", task_id="new"),
    ]
    names = [(one.task_id, 1) for one in reports]
    changes: Changes = {("old", 1): Change(3, before)}
    applied = Applied(reports, names, changes, NOW)
    new, old = changes["new", 1], changes["old", 1]
    assert (new.before, old.before) == (None, before)
    assert new.after is not None
    assert (new.after.status, new.after.updated_at) == ("completed", NOW)
    assert old.after == apply(before, reports[1], NOW)
    new.id = 4  # the engine has inserted it
    kinds = ["task_started", "task_status_updated", "task_finished", "task_status_updated"]
    rows = applied.events()
    assert [row[:4] for row in rows] == [
        (1, task, kind, NOW) for task, kind in zip((4, 3, 4, 4), kinds, strict=True)
    ]
    results = applied.recorded([10, 11, 12, 13])
    assert [result.outcome for result in results] == [
        (10, NOW, True, None),
        (11, NOW, False, None),
        (12, NOW, False, 0),
        (13, NOW, False, 0),
    ]
    events = [result.event for result in results if result.event is not None]
    assert [(event.id, event.type, event.data.decode()) for event in events] == [
        (number, row[2], row[4]) for number, row in enumerate(rows, 10)
    ]
