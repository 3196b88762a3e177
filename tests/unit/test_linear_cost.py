"""Nothing that all clients wait for costs more than linear in what one of them sends."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable
from contextlib import closing, suppress

import pytest

from tests.support.bench import report
from tracker.api.body import read_body
from tracker.api.content_coding import CODINGS, expand
from tracker.domain.parsing import parse
from tracker.domain.principal import Scope
from tracker.domain.queries import TaskQuery
from tracker.domain.tasks import Status
from tracker.domain.timeline import TimelineQuery
from tracker.domain.usage import ModelTold, Told
from tracker.errors import TrackerError
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import reports, task_pages, timeline
from tracker.store.sqlite.connection import open_writer

# Half of what a square would cost: small work is faster for each byte, as long as caches hold it.
TIMES = 2**3
AT_MOST = TIMES**2 / 2


def named(count: int) -> str:
    return ",".join(f'"{number:x}":1' for number in range(count))


BODIES: dict[str, Callable[[int], str]] = {
    "a name given twice at the end": lambda n: f'{{"m":{{{named(n)},"zz":1,"zz":2}}}}',
    "a name given twice at the begin": lambda n: f'{{"m":{{"zz":1,"zz":2,{named(n)}}}}}',
    "all names given twice": lambda n: f'{{"m":{{{named(n)},{named(n)}}}}}',
    "colons in strings": lambda n: f'{{{named(n)},"z":"{":" * n}"}}',
    "objects in a list": lambda n: f'{{"m":[{",".join(["{}"] * n)}]}}',
    "an object each with a name twice": lambda n: f"[{','.join([TWICE] * n)}]",
    "deep lists": lambda n: f"[{','.join(['[' * 50 + ']' * 50] * (n // 50))}]",
}
TWICE = '{"a":1,"a":2}'


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least of a few runs, of this thread's own time: what others do does not count."""
    runs = []
    for _ in range(3):
        begun = time.thread_time()
        work()
        runs.append(time.thread_time() - begun)
    return min(runs)


@pytest.mark.parametrize("shape", BODIES)
def test_a_body_is_parsed_in_linear_time(shape: str) -> None:
    def work(size: int) -> Callable[[], object]:
        body = BODIES[shape](size).encode()

        def run() -> None:
            with suppress(TrackerError):
                parse(body)

        return run

    size = 2_000
    assert cpu_seconds(work(TIMES * size)) <= AT_MOST * cpu_seconds(work(size))


def test_a_body_in_small_parts_is_read_in_linear_time() -> None:
    def work(size: int) -> Callable[[], object]:
        async def read() -> None:
            left = size

            async def receive() -> dict[str, object]:
                nonlocal left
                left -= 1
                return {"type": "http.request", "body": b"12345678", "more_body": left > 0}

            assert len(await read_body(receive)) == 8 * size

        return lambda: asyncio.run(read())

    size = 12_000
    assert cpu_seconds(work(TIMES * size)) <= AT_MOST * cpu_seconds(work(size))


def test_a_body_in_small_blocks_is_expanded_in_linear_time() -> None:
    def work(size: int) -> Callable[[], object]:
        compressor = zlib.compressobj(wbits=31)
        blocks = (compressor.compress(b" ") + compressor.flush(zlib.Z_FULL_FLUSH),) * size
        compressed = b"".join(blocks) + compressor.flush()

        def run() -> None:
            with suppress(TrackerError):  # its check is of one block only
                expand(compressed, CODINGS["gzip"])

        return run

    size = 10_000
    assert cpu_seconds(work(TIMES * size)) <= AT_MOST * cpu_seconds(work(size))


def test_usage_that_goes_down_is_written_in_linear_time() -> None:
    def work(tasks: int) -> Callable[[], object]:
        def tell(tokens: int) -> list[WriteRequest]:
            usage = tuple(ModelTold(f"{number}", Told(tokens)) for number in range(50))
            return [
                WriteRequest(report("status", task_id=f"{number}", usage=usage))
                for number in range(tasks)
            ]

        def run() -> None:
            with closing(open_writer(None, "normal")) as connection, connection:
                reports.record(connection, 0, tell(2))
                reports.record(connection, 0, tell(1))

        return run

    size = 10  # a square of less would hide behind SQLite's part
    assert cpu_seconds(work(2 * TIMES * size)) <= 2.5 * AT_MOST * cpu_seconds(work(size))


def test_a_list_looks_at_a_hundred_dependencies_of_a_task() -> None:
    def steps(count: int) -> int:
        """Of SQLite's virtual machine, in hundreds."""
        taken = 0

        def count_them() -> bool:
            nonlocal taken
            taken += 1
            return False

        metadata = {"dependencies": ["unknown"] * count}
        waiting = report("status", status=Status.PENDING, metadata=metadata)
        with closing(open_writer(None, "normal")) as connection, connection:
            reports.record(connection, 0, [WriteRequest(waiting)])
            connection.set_progress_handler(count_them, 100)
            task_pages.of_project(connection, 0, 1, TaskQuery())
            connection.set_progress_handler(None)
        return taken

    assert steps(20_000) <= 2 * steps(100)


def test_a_timeline_counts_by_indexes_alone() -> None:
    """A task is half a kilobyte, elsewhere on the disk than the next."""
    plans: list[str] = []
    with closing(open_writer(None, "full")) as connection:

        def explain(_cursor: object, sql: str, bindings: object) -> bool:
            if "GROUP BY" in sql and not sql.startswith("EXPLAIN"):
                plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)  # type: ignore[arg-type]
                plans.extend(detail for *_, detail in plan)
            return True

        connection.exec_trace = explain
        timeline.of(connection, 1000, Scope(), TimelineQuery(0, 1000, 10))
    looks = [plan for plan in plans if " tasks " in plan]
    assert len(looks) == 2
    assert all("tasks USING COVERING INDEX" in plan for plan in looks), looks
