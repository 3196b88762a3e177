"""An engine at work, on an event loop of its own, for tests that are no coroutines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import orjson

from tests.support.access import only
from tests.support.clocked import ManualClock
from tracker.agents.processes import LocalProcesses
from tracker.agents.receiving import process_ended, telemetry_waited
from tracker.domain import attention
from tracker.domain.events import Event
from tracker.domain.hooks import Liveness
from tracker.domain.idempotency import Idempotency
from tracker.domain.ports import Engine
from tracker.domain.prices import NO_PRICES
from tracker.domain.queries import UNLIMITED, EventFilter, RetentionPolicy, TaskQuery
from tracker.domain.records import Recorded, TaskDetail
from tracker.domain.tasks import Kind, Report, Status, Task

T = TypeVar("T")

OpenEngine = Callable[..., Engine]
"""Opens the same database each time; takes what `tracker.store.open.open_engine` does, but for
where that is."""

EVERYTHING = EventFilter()

LIMIT = 60.0  # seconds, for anything that is to be answered


class Heard:
    """What the engine tells of its commits."""

    def __init__(self) -> None:
        self.groups: list[list[Event]] = []
        self.forgets = 0
        self.also_publish: Callable[[Sequence[Event]], None] = lambda events: None
        self.also_forget: Callable[[], None] = lambda: None

    @property
    def ids(self) -> list[int]:
        return [event.id for group in self.groups for event in group]

    def publish(self, events: Sequence[Event]) -> None:
        self.groups.append(list(events))
        self.also_publish(events)

    def forget(self) -> None:
        self.forgets += 1
        self.also_forget()


class Bench:
    def __init__(self, open_engine: OpenEngine) -> None:
        self.clock = ManualClock()
        self.heard = Heard()
        self.deaths = 0
        self.stale_after_ms = 0  # from the next time it is opened
        self._open_engine = open_engine
        self._runner = asyncio.Runner()
        self.engine = self._open(UNLIMITED)

    def reopen(
        self,
        retention: RetentionPolicy = UNLIMITED,
        down: Callable[[], None] = lambda: None,
    ) -> None:
        """Close the database and open it again; what is in memory is gone. `down` is called
        between."""
        self.run(self.engine.close())
        down()
        self.engine = self._open(retention)

    def close(self) -> None:
        self.run(self.engine.close())
        self._runner.close()
        assert self.deaths == 0

    def run(self, work: Awaitable[T]) -> T:
        """The outcome of something that is the event loop's."""

        async def limited() -> T:
            async with asyncio.timeout(LIMIT):
                return await work

        return self._runner.run(limited())

    def record(self, *reports: Report) -> list[Recorded]:
        """Have them recorded, as they come together."""
        results = self.outcomes(*((report, None) for report in reports))
        assert all(isinstance(result, Recorded) for result in results), results
        return results

    def outcomes(self, *requests: tuple[Report, Idempotency | None]) -> list[Any]:
        """What becomes of requests that come together, or why it does not."""

        async def record() -> list[Any]:
            futures = [self.engine.record(report, key, 100) for report, key in requests]
            return await asyncio.gather(*futures, return_exceptions=True)

        return self.run(record())

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Let the engine work until it is so."""
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            self.run(asyncio.sleep(0.01))

    def log(self, wanted: EventFilter = EVERYTHING) -> list[Event]:
        """All events, or those that are wanted."""
        return list(self.run(self.engine.events(only(), 0, wanted, 1000)).events)

    def task(self, project: str = "project", task_id: str = "task-1") -> TaskDetail:
        return self.run(self.engine.task(only(), project, task_id))

    def tasks(self, project: str, **query: Any) -> list[str]:
        """The ids of the tasks on a page."""
        page = self.run(self.engine.tasks(only(), project, TaskQuery(**query)))
        return [task.task_id for task in page.tasks]

    def _open(self, retention: RetentionPolicy) -> Engine:
        engine = self._open_engine(
            *(self.clock, self.heard),
            on_death=self._die,
            retention=retention,
            prices=NO_PRICES,
            liveness=Liveness(LocalProcesses(), process_ended, telemetry_waited),
            stale_after_ms=self.stale_after_ms,
        )

        async def start() -> None:
            engine.start()

        self.run(start())
        return engine

    def _die(self) -> None:
        self.deaths += 1


def report(
    kind: Kind | str, project: str = "project", task_id: str = "task-1", **fields: Any
) -> Report:
    """A report, with what it needs."""
    error = {"error_type": "E", "error_message": "failed"} if kind == "error" else {}
    given = {"title": "Title", "agent": "agent", **error, **fields}
    return Report(Kind(kind), project, task_id, **given)


def as_task(detail: TaskDetail) -> Task:
    """The task as the rules know it."""
    found = detail.summary
    return Task(
        title=found.title,
        agent=found.agent,
        status=Status(found.status),
        progress=found.progress,
        attempt=found.attempt,
        started_at=found.started_at,
        finished_at=found.finished_at,
        duration_ms=found.duration_ms,
        message=found.message,
        result=found.result,
        error_type=found.error_type,
        error_message=found.error_message,
        stack_trace=detail.stack_trace,
        metadata=orjson.loads(found.metadata),
        created_at=found.created_at,
        updated_at=found.updated_at,
        session=found.session,
        parent_task_id=found.parent_task_id,
        requests=attention.load(orjson.loads(found.requests or "[]")),
        stale_after_ms=found.stale_after_ms,
        reported_at=found.reported_at,
        silent_since=found.silent_since,
        metadata_truncated=found.metadata_truncated,
    )
