"""A database as months of use would leave it, made in a minute or two.

Every report goes through the store's own rules, SQL and triggers; only the waiting is left out: no
HTTP, no fsync, thousands of reports in a transaction.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate, islice
from pathlib import Path
from typing import Final

import apsw

from tracker.clock import MS_PER_DAY, SystemClock
from tracker.domain.tasks import Kind, Report, Status
from tracker.domain.usage import ModelTold, Told
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import reports, search
from tracker.store.sqlite.connection import open_writer

PROJECTS: Final = 200
AGENTS: Final = 12
DAYS: Final = 90

# A project that has as many tasks however many there are in all, among which they are spread.
STEADY: Final = "steady"
_STEADY_TASKS: Final = 400

# Models that are used, and how many tasks after each other have one session's name.
_MODELS: Final = 5
_OF_SESSION: Final = 20

# How many other tasks start between a task's first and second report.
_OPEN: Final = 40

# Reports that the store is handed together, as under load, and those of one transaction.
_GROUP: Final = 32
_AT_ONCE: Final = 625 * _GROUP

# fmt: off
_WORDS: Final = [
    "add", "build", "cache", "check", "clean", "deploy", "document", "extract", "fix", "format",
    "improve", "index", "migrate", "parse", "profile", "refactor", "release", "rename", "review",
    "rewrite", "speed", "test", "translate", "update", "upgrade", "verify",
]
# fmt: on


def project(rank: int) -> str:
    """The name of the project with the most tasks (rank 0), or with fewer."""
    return f"team-{rank % 7}/project-{rank}"


def build(path: Path, tasks: int) -> None:
    """Make the database, two reports a task, over the last `DAYS` days."""
    connection = open_writer(path, "normal")
    try:
        connection.pragma("synchronous", "off")
        connection.pragma("cache_size", -256_000)
        begin = SystemClock().now_ms() - DAYS * MS_PER_DAY
        step = DAYS * MS_PER_DAY / (2 * tasks)
        connection.execute("BEGIN IMMEDIATE")
        history = _reports(tasks)
        number = 0
        while group := [WriteRequest(report) for report in islice(history, _GROUP)]:
            reports.record(connection, begin + int(number * step), group)
            number += len(group)
            if number % _AT_ONCE == 0:
                _next_transaction(connection)
        while not search.index_some(connection, number, _AT_ONCE):
            _next_transaction(connection)
        while not search.index_some_by_project(connection, _AT_ONCE):
            _next_transaction(connection)
        connection.execute("COMMIT")
        connection.pragma("wal_checkpoint(truncate)")
    finally:
        connection.close()


def _next_transaction(connection: apsw.Connection) -> None:
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")


def _reports(tasks: int) -> Iterator[Report]:
    """A start for each task, then another report once `_OPEN` others have started."""
    chance = random.Random(tasks)
    # Zipf's law, as names have it: the largest project has a sixth of all tasks.
    weights = list(accumulate(1 / (rank + 1) for rank in range(PROJECTS)))
    started: list[Report] = []
    for number in range(tasks + _OPEN):
        if number < tasks:
            rank = chance.choices(range(PROJECTS), cum_weights=weights)[0]
            of_project = project(number if number < PROJECTS else rank)
            of_project = STEADY if _is_steady(number, tasks) else of_project
            started.append(_start(chance, of_project, number))
            yield started[number]
        if number >= _OPEN:
            yield _follow_up(chance, started[number - _OPEN])


def _is_steady(number: int, tasks: int) -> bool:
    """Whether the task of that number is one of `STEADY`'s. Every project has one first."""
    every = max(2, (tasks - PROJECTS) // _STEADY_TASKS)
    nth, rest = divmod(number - PROJECTS, every)
    return rest == 0 and 0 <= nth < _STEADY_TASKS


def _start(chance: random.Random, of_project: str, number: int) -> Report:
    return Report(
        Kind.START,
        of_project,
        task_id=f"task-{chance.getrandbits(64):016x}",
        title=" ".join(chance.choices(_WORDS, k=6)).capitalize(),
        agent=f"agent-{chance.randrange(AGENTS)}",
        metadata={"priority": "high", "estimated_duration": 3600},
        session=f"session-{number // _OF_SESSION}",
    )


def _follow_up(chance: random.Random, start: Report) -> Report:
    """Of a hundred tasks 70 are completed, 15 have failed, 12 run and 3 wait; each tells of its
    usage."""
    drawn = chance.randrange(100)
    told = Told(chance.randrange(10_000), chance.randrange(5_000), cost_micros=drawn * 1000)
    start = start._replace(usage=(ModelTold(f"model-{drawn % _MODELS}", told),))
    if drawn < 70:
        result = " ".join(chance.choices(_WORDS, k=12))
        return start._replace(kind=Kind.FINISH, result=result, metadata={"lines_of_code": drawn})
    if drawn < 85:
        message = " ".join(chance.choices(_WORDS, k=8))
        return start._replace(kind=Kind.ERROR, error_type="RuntimeError", error_message=message)
    status = Status.RUNNING if drawn < 97 else Status.PENDING
    return start._replace(kind=Kind.STATUS, status=status, progress=drawn, message="Under way")
