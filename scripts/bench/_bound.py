"""What a durable report costs at least, in Python and in our tables: the floor of _floor.py, and
between a request and its answer our group commit. Nothing of the request is read or checked, and
nobody is told; the rows are those of a task and of its start, always the same but for the task's
id. Run by _servers.py.
"""

import itertools
import sys
from pathlib import Path

from _floor import read_answer, serve

from tracker.clock import SystemClock
from tracker.domain.messages import event_data
from tracker.domain.rules import apply
from tracker.domain.tasks import EVENT_TYPES, Kind, Report
from tracker.store.changes import Change
from tracker.store.group import GroupCommit
from tracker.store.sqlite import bulk, reports
from tracker.store.sqlite.checkpoint import PAGES, Checkpoints
from tracker.store.sqlite.connection import open_writer
from tracker.store.sqlite.writer import Writer

# The report that _load.py sends.
_METADATA = {
    "priority": "high",
    "estimated_duration": 3600,
    "dependencies": ["task-100", "task-101"],
}
_REPORT = Report(
    *(Kind.START, "bench", "1234-0-000000001", "Implement the feature", "claude-3-5-sonnet"),
    _METADATA,
)


def make_recorder(connection, now):
    """Writes a new task and its start for each item."""
    project = reports.ensure_projects(connection, now, [_REPORT.project])[_REPORT.project]
    task = apply(None, _REPORT, now)
    data = event_data(_REPORT, task, now, late=False)
    numbers = itertools.count()

    def record(connection, now, items):
        changes = {}
        for _ in items:
            change = changes[f"1234-0-{next(numbers):09}", project] = Change(0, None)
            change.after = task
        reports._save(connection, changes)
        rows = [
            (project, change.id, EVENT_TYPES[Kind.START], now, data) for change in changes.values()
        ]
        return bulk.insert(connection, reports._INSERT_EVENTS, rows)

    return record


def make_app(start, end, database):
    """An ASGI application that answers everything alike, once rows are on disk."""
    clock = SystemClock()
    connection = open_writer(database, "full", None)
    checkpoints = Checkpoints(connection, database, None, PAGES)
    record = make_recorder(connection, clock.now_ms())
    writer = Writer(connection, clock, record, after_group=checkpoints.run_if_due)
    group = GroupCommit(writer, clock, on_commit=lambda _: None, on_death=sys.exit)
    started = False

    async def app(_scope, receive, send):
        nonlocal started
        if not started:
            started = True
            checkpoints.start()
            group.start()
        while (await receive())["more_body"]:
            pass
        await group.submit_item(None, 0)
        await send(start)
        await send(end)

    return app


if __name__ == "__main__":
    serve(make_app(*read_answer(sys.argv[1]), Path(sys.argv[3])), Path(sys.argv[2]))
