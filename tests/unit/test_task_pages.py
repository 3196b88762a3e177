"""What a page of tasks over all projects costs: it does not grow with the tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import apsw
import pytest

from tests.support.access import only
from tests.support.bench import report
from tests.support.sqlite_work import work
from tracker.domain.principal import ALL_PROJECTS, Scope
from tracker.domain.queries import TaskQuery
from tracker.domain.tasks import Kind, Report
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import reports, task_pages
from tracker.store.sqlite.connection import open_writer

FEW, MANY = 1500, 9000


def told(tasks: int) -> Iterator[Report]:
    """Of 20 projects; ten tasks run, in the oldest projects, and ten are of one agent and session,
    before all others."""
    for number in range(tasks):
        rare = number < 10
        yield report(
            *(Kind.START if rare else Kind.FINISH, f"p{number % 20}", f"{number}"),
            agent="rare" if rare else f"agent-{number % 3}",
            session="rare" if rare else f"session-{number // 10}",
        )


def filled(tasks: int) -> apsw.Connection:
    connection = open_writer(None, "normal")
    with connection:
        for number, one in enumerate(told(tasks)):
            reports.record(connection, number, [WriteRequest(one)])
    return connection


@pytest.fixture(scope="module")
def sizes() -> Iterator[tuple[apsw.Connection, apsw.Connection]]:
    with closing(filled(FEW)) as few, closing(filled(MANY)) as many:
        yield few, many


@pytest.mark.parametrize("scope", [ALL_PROJECTS, only("p1", "p2", "p19")], ids=["all", "some"])
@pytest.mark.parametrize(
    "query",
    [
        TaskQuery(),
        TaskQuery(descending=False),
        TaskQuery(offset=40),
        TaskQuery(status=("running",)),
        TaskQuery(status=("completed",)),
        TaskQuery(status=("failed",)),
        TaskQuery(agent="agent-1"),
        TaskQuery(agent="rare"),
        TaskQuery(agent="nobody"),
        TaskQuery(agent="agent-1", status=("completed",)),
        TaskQuery(agent="agent-1", status=("running",)),
        TaskQuery(session="rare"),
        TaskQuery(session="rare", status=("running",)),
        TaskQuery(task_id="7"),
        TaskQuery(projects=("p1",)),
        TaskQuery(projects=("p1",), agent="rare"),
    ],
    ids=lambda query: ",".join(f"{k}={v}" for k, v in query._asdict().items() if v is not None),
)
def test_it_does_not_grow_with_the_tasks(
    sizes: tuple[apsw.Connection, apsw.Connection], scope: Scope, query: TaskQuery
) -> None:
    few, many = (
        work(connection, lambda: task_pages.of_scope(connection, 0, scope, query))  # noqa: B023
        for connection in sizes
    )
    assert many[0] <= 1.5 * few[0] + 200, (few, many)
    assert many[1] <= 1.5 * few[1] + 50, (few, many)
