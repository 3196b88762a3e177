"""A report that is sent again under its key is recorded once."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.support.access import SOMEBODY
from tests.support.bench import Bench, report
from tracker.domain.idempotency import LIFETIME_MS, Idempotency, idempotency
from tracker.domain.records import Recorded
from tracker.domain.tasks import Kind, Report
from tracker.errors import IdempotencyKeyReused


def key_of(name: str, one: Report) -> Idempotency:
    """As a client has it: the key of a body."""
    return idempotency(0, name, one, repr(one).encode())


def test_again_is_answered_with_what_was_recorded(bench: Bench) -> None:
    bench.record(report("start"))
    bench.clock.advance(seconds=30)
    finish = report("finish")
    (first,) = bench.outcomes((finish, key_of("k", finish)))
    bench.clock.advance(seconds=30)
    bench.record(report("start"))
    (again,) = bench.outcomes((finish, key_of("k", finish)))
    assert first.outcome == again.outcome == (2, first.at, False, 30_000)
    assert (first.event is None, again.event is None) == (False, True)
    assert bench.heard.ids == [1, 2, 3]
    assert bench.task().summary.status == "running"


def test_key_of_another_request_is_refused(bench: Bench) -> None:
    start = report("start")
    bench.outcomes((start, key_of("k", start)))
    for other in (report("start", agent="other"), report("status")):
        (refused,) = bench.outcomes((other, key_of("k", other)))
        assert isinstance(refused, IdempotencyKeyReused)
    assert bench.heard.ids == [1]


def test_keys_are_told_apart_by_every_character(bench: Bench) -> None:
    start = report("start")
    names = ("a", "A", "a ", "é", "e\u0301", "%", "k" * 255)
    results = bench.outcomes(*((start, key_of(name, start)) for name in names))
    assert [result.event_id for result in results] == list(range(1, len(names) + 1))


def test_key_is_kept_for_its_lifetime(bench: Bench) -> None:
    start, other = report("start"), report("start", agent="other")
    bench.outcomes((start, key_of("k", start)))
    bench.clock.advance(milliseconds=LIFETIME_MS)
    (again,) = bench.outcomes((start, key_of("k", start)))
    assert again.event_id == 1
    bench.clock.advance(milliseconds=1)
    (new,) = bench.outcomes((other, key_of("k", other)))  # now it may also name another request
    assert (new.event_id, new.created) == (2, False)


def test_key_outlives_the_task(bench: Bench) -> None:
    start = report("start")
    bench.outcomes((start, key_of("k", start)))
    bench.run(bench.engine.delete_project("project", SOMEBODY))
    (again,) = bench.outcomes((start, key_of("k", start)))
    assert (again.event_id, again.event) == (1, None)
    assert [event.type for event in bench.log()] == ["project_deleted"]


def test_key_outlives_the_engine(lasting: Bench) -> None:
    start = report("start")
    lasting.outcomes((start, key_of("k", start)))
    lasting.reopen()
    (again,) = lasting.outcomes((start, key_of("k", start)))
    assert (again.event_id, again.event) == (1, None)


def test_those_that_come_together_are_as_those_that_come_one_by_one(
    engine: str, open_bench: Callable[[str], Bench]
) -> None:
    """The same keys twice, other bodies under them, and reports without one, in every order."""
    kinds = (Kind.START, Kind.STATUS, Kind.FINISH)
    chance = random.Random(7)
    requests: list[tuple[Report, Idempotency | None]] = []
    for number in range(400):
        one = report(chance.choice(kinds), f"p{chance.randrange(3)}", f"t{chance.randrange(5)}")
        key = key_of(f"key {chance.randrange(60)}", one) if number % 4 else None
        requests.append((one, key))
    singly, many = open_bench(engine), open_bench(engine)
    expected = [singly.outcomes(request)[0] for request in requests]
    together = []
    left = requests
    while left:
        size = chance.randrange(1, 90)
        together += many.outcomes(*left[:size])
        left = left[size:]
    assert [shown(result) for result in together] == [shown(result) for result in expected]
    messages = [event.message for event in singly.log()]
    assert [event.message for event in many.log()] == messages
    for name in ("p0", "p1", "p2"):
        for task_id in singly.tasks(name, limit=500):
            assert many.task(name, task_id).summary == singly.task(name, task_id).summary
    assert {type(result) for result in expected} == {Recorded, IdempotencyKeyReused}


def shown(result: Recorded | IdempotencyKeyReused) -> object:
    return (*result.outcome, result.event is None) if isinstance(result, Recorded) else str(result)
