"""Group commit by SQLite's writer: groups, and what becomes of the bad, the many, and the end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.clocked import ClockedServer
from tracker.clock import SystemClock
from tracker.errors import NotFound, TrackerError, Unavailable
from tracker.store.group import GroupCommit
from tracker.store.sqlite.writer import Group, Writer


class Bench:
    """A writer over a table of one column, and what it said to its surroundings."""

    def __init__(
        self, path: Path, after_group: Callable[[], None] = lambda: None, **limits: Any
    ) -> None:
        self.path = path
        connection = apsw.Connection(str(path))
        connection.execute("CREATE TABLE written (item ANY) STRICT")
        self.groups: list[list[Any]] = []  # as `on_commit` heard of them
        self.tries: list[list[Any]] = []  # as the recorder was asked
        self.deaths = 0
        clock = SystemClock()
        self.group: Group = GroupCommit(
            Writer(connection, clock, self.record, after_group=after_group),
            clock,
            on_commit=self.publish,
            on_death=self.die,
            **limits,
        )
        self.error: Exception = NotFound("bad")
        self.fault: Exception | None = None  # of who hears of commits

    def record(
        self, connection: apsw.Connection, _now: int, items: Sequence[Any]
    ) -> list[tuple[str, Any]]:
        self.tries.append(list(items))
        for item in items:
            connection.execute("INSERT INTO written VALUES (?)", (item,))
            if item == "bad":
                raise self.error
        return [
            NotFound("late") if item == "late" and len(items) > 1 else ("recorded", item)
            for item in items
        ]

    def publish(self, recorded: Sequence[Any]) -> None:
        self.groups.append(list(recorded))
        if self.fault is not None:
            raise self.fault

    def die(self) -> None:
        self.deaths += 1

    @property
    def written(self) -> list[Any]:
        """What is in the database once the writer is closed."""
        with closing(apsw.Connection(str(self.path))) as connection:
            return [item for (item,) in connection.execute("SELECT item FROM written")]


Scenario = Callable[[Bench], Awaitable[None]]
Run = Callable[..., Bench]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Plays a scenario with a writer that runs, and closes it."""

    def play(scenario: Scenario, **limits: Any) -> Bench:
        bench = Bench(tmp_path / "bench.db", **limits)

        async def main() -> None:
            bench.group.start()
            await scenario(bench)
            await bench.group.close()

        asyncio.run(main())
        return bench

    return play


def insert(item: Any) -> Callable[[apsw.Connection, int], str]:
    def job(connection: apsw.Connection, _now: int) -> str:
        connection.execute("INSERT INTO written VALUES (?)", (item,))
        return f"did {item}"

    return job


def fail(error: Exception) -> Callable[[apsw.Connection, int], None]:
    def job(connection: apsw.Connection, _now: int) -> None:
        connection.execute("INSERT INTO written VALUES ('half')")
        raise error

    return job


async def outcomes(*futures: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*futures, return_exceptions=True)


def test_what_comes_together_is_one_group(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        submit = bench.group.submit_item
        results = await outcomes(submit(1, 0), submit(2, 0), bench.group.submit(insert(3)))
        assert results == [("recorded", 1), ("recorded", 2), "did 3"]

    bench = run(scenario)
    assert bench.tries == [[1, 2]]
    assert bench.groups == [[("recorded", 1), ("recorded", 2)]]
    assert bench.written == [1, 2, 3]


@pytest.mark.parametrize(
    "error",
    [NotFound("bad"), ValueError("bad"), apsw.ConstraintError("bad"), apsw.SQLError("bad")],
    ids=repr,
)
def test_one_bad_report_does_not_sink_its_batch(
    run: Run, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(bench: Bench) -> None:
        bench.error = error
        submit = bench.group.submit_item
        results = await outcomes(*(submit(item, 0) for item in (1, "bad", 2, 3)))
        assert results == [("recorded", 1), error, ("recorded", 2), ("recorded", 3)]
        assert await submit(4, 0) == ("recorded", 4)

    with caplog.at_level(logging.ERROR):
        bench = run(scenario)
    assert bench.written == [1, 2, 3, 4]  # nothing of the bad one, nothing twice
    assert bench.groups == [[("recorded", n) for n in (1, 2, 3)], [("recorded", 4)]]
    # Faults of ours are logged; refusals that a client is told are not.
    assert bool(caplog.records) is not isinstance(error, TrackerError)


def test_who_is_refused_in_a_batch_that_was_rolled_back_is_not(run: Run) -> None:
    """What is answered is what became of it when it was written by itself."""

    async def scenario(bench: Bench) -> None:
        submit, error = bench.group.submit_item, NotFound("bad")
        results = await outcomes(submit(1, 0), submit("late", 0), bench.group.submit(fail(error)))
        assert results == [("recorded", 1), ("recorded", "late"), error]

    assert run(scenario).written == [1, "late"]


def test_one_bad_job_does_not_sink_its_batch(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        error = NotFound("gone")
        results = await outcomes(
            bench.group.submit_item(1, 0),
            bench.group.submit(fail(error)),
            bench.group.submit(insert(2)),
        )
        assert results == [("recorded", 1), error, "did 2"]

    assert run(scenario).written == [1, 2]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (apsw.FullError("full"), "The disk is full."),
        (apsw.BusyError("busy"), "Another program holds the database."),
        (apsw.IOError("io"), "The database cannot be written."),
    ],
    ids=repr,
)
def test_group_that_the_database_refuses_is_refused_as_a_whole(
    run: Run, error: Exception, says: str
) -> None:
    async def scenario(bench: Bench) -> None:
        bench.error = error
        submit = bench.group.submit_item
        for refusal in await outcomes(submit(1, 0), submit("bad", 0), submit(2, 0)):
            assert isinstance(refusal, Unavailable)
            assert refusal.message == f"{says} Nothing was recorded; send this again."
        assert await submit(3, 0) == ("recorded", 3)

    bench = run(scenario)
    assert bench.tries[0] == [1, "bad", 2]  # asked once: what cannot be is not tried again
    assert bench.written == [3]
    assert bench.deaths == 0


def test_commit_is_heard_of_before_anyone_is_answered(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        heard = []
        future = bench.group.submit_item(1, 0)
        future.add_done_callback(lambda _: heard.append(list(bench.groups)))
        await future
        assert heard == [[[("recorded", 1)]]]

    run(scenario)


def test_who_goes_away_is_recorded_all_the_same(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        gone = bench.group.submit_item(1, 100)
        stays = bench.group.submit_item(2, 0)
        gone.cancel()
        await stays
        assert bench.group._pending_bytes == 0

    bench = run(scenario)
    assert bench.groups == [[("recorded", 1), ("recorded", 2)]]


def count(connection: apsw.Connection, _now: int) -> int:
    return int(connection.execute("SELECT count(*) FROM written").get)


def test_low_priority_job_joins_the_next_group(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        patient = bench.group.submit_low_priority(count)
        await asyncio.sleep(0)
        await bench.group.submit_item(1, 0)
        assert patient.done()
        assert await patient == 1  # reports go first

    run(scenario)


def test_low_priority_job_waits_for_ever_for_nobody(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.group.submit_low_priority(insert(1)) == "did 1"
        under_way = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell(_connection: apsw.Connection, _now: int) -> None:
            loop.call_soon_threadsafe(under_way.set)
            time.sleep(0.05)  # until after the next has been submitted

        group = bench.group.submit(tell)
        await under_way.wait()
        patient = bench.group.submit_low_priority(insert(2))
        await group
        assert not patient.done()
        assert await patient == "did 2"

    assert run(scenario).written == [1, 2]


def test_low_priority_job_is_done_before_the_end(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        bench.group.submit_low_priority(insert(1))

    assert run(scenario).written == [1]


def test_queue_is_bounded_in_number(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        submit = bench.group.submit_item
        taken = [submit(1, 0), submit(2, 0)]
        for refused in (lambda: submit(3, 0), lambda: bench.group.submit(insert(3))):
            with pytest.raises(Unavailable, match="send this one again"):
                refused()
        await outcomes(*taken)
        assert await submit(4, 0) == ("recorded", 4)

    assert run(scenario, max_waiting=2).written == [1, 2, 4]


def test_queue_is_bounded_in_bytes_until_they_are_answered(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        submit = bench.group.submit_item
        taken = submit(1, 60)
        with pytest.raises(Unavailable):
            submit(2, 41)
        await outcomes(taken, submit(3, 40), submit("bad", 0))
        assert await submit(4, 100) == ("recorded", 4)

    assert run(scenario, max_bytes=100).written == [1, 3, 4]


def test_full_queue_is_503(clocked: ClockedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(clocked.app.store._group, "_max_waiting", 0)
        for kind in ("start", "status", "finish", "error"):
            answer = clocked.report(kind, "p")
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
            assert int(answer.headers["Retry-After"]) > 0
    assert clocked.report("start", "p").json()["event_id"] == 1


def test_close_commits_what_waits(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        waiting = [bench.group.submit_item(number, 0) for number in range(3)]
        end = asyncio.create_task(bench.group.close())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="stopping"):
            bench.group.submit_item("late", 0)
        assert await outcomes(*waiting) == [("recorded", number) for number in range(3)]
        await end

    assert run(scenario).written == [0, 1, 2]


def test_death_is_told_once_and_leaves_nobody_waiting(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(bench: Bench) -> None:
        bench.error = SystemExit("a fault of ours")  # type: ignore[assignment]
        group = [bench.group.submit_item(item, 0) for item in (1, "bad")]
        for _ in range(3):  # the group begins; the next gathers
            await asyncio.sleep(0)
        group.append(bench.group.submit_item(2, 0))
        for error in await outcomes(*group):
            assert isinstance(error, Unavailable)
        with pytest.raises(Unavailable, match="has stopped"):
            bench.group.submit_item(3, 0)
        assert bench.deaths == 1

    bench = run(scenario)
    assert bench.groups == []
    assert bench.written == []
    assert "the server stops" in caplog.text


@pytest.mark.parametrize("closing", [False, True])
def test_death_between_groups_leaves_nobody_waiting(
    run: Run, caplog: pytest.LogCaptureFixture, closing: bool
) -> None:
    go_on = threading.Event()

    def after_group() -> None:
        go_on.wait(20)
        raise MemoryError

    async def scenario(bench: Bench) -> None:
        first = bench.group.submit_item(1, 0)
        assert await first == ("recorded", 1)  # committed, though the writer then dies
        second = bench.group.submit_item(2, 0)
        for _ in range(3):  # it is on its way to the thread
            await asyncio.sleep(0)
        third = bench.group.submit_item(3, 0)
        end = asyncio.create_task(bench.group.close()) if closing else None
        await asyncio.sleep(0)
        go_on.set()
        for error in await asyncio.wait_for(outcomes(second, third), 20):
            assert isinstance(error, Unavailable)
        if end:
            await end
        assert bench.deaths == 1

    bench = run(scenario, after_group=after_group)
    assert bench.written == [1]
    assert "the server stops" in caplog.text


def test_fault_of_who_hears_of_commits_is_told_once(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """Though the next group has gathered by then."""

    async def scenario(bench: Bench) -> None:
        bench.fault = RuntimeError("a fault of ours")
        first = bench.group.submit_item(1, 0)
        for _ in range(3):  # it is on its way to the thread
            await asyncio.sleep(0)
        second = bench.group.submit_item(2, 0)
        for error in await outcomes(first, second):
            assert isinstance(error, Unavailable)

    bench = run(scenario)
    assert bench.deaths == 1
    assert bench.written == [1]
    assert "cannot be published" in caplog.text
    assert "writer failed" not in caplog.text
