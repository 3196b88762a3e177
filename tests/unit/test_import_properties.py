"""Whatever agents reported comes back from a file to the last byte, and whatever a file says, what
is taken of it can be served."""

from __future__ import annotations

import copy
import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.access import only
from tests.support.exported import Records, as_jsonl, contents
from tracker.api import responses
from tracker.api.schemas import to_report
from tracker.cli.records import READERS, WRITERS, write_jsonl
from tracker.clock import SystemClock
from tracker.domain.audit import Actor
from tracker.domain.messages import DATA
from tracker.domain.queries import EventFilter, ProjectQuery, SessionQuery, TaskQuery
from tracker.domain.tasks import Kind
from tracker.errors import ConfigError
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import agent_sessions, dashboard, events, projects, stats, task_pages
from tracker.store.sqlite import tasks as task_reads
from tracker.store.sqlite.admin.export import export
from tracker.store.sqlite.admin.importing import NumberedRecord, import_
from tracker.store.sqlite.connection import open_existing, open_writer
from tracker.store.sqlite.reports import record

thorough = settings(max_examples=30, deadline=None, database=None)

NOW = 1_700_000_000_000

# --- What agents may report.

ODD = st.sampled_from([
    *("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1", "'", '"', '""', "\r"),
    *("\n", ",", ";", "\0", "\ufeff", "\u2028", "\x85", "\x1b[31m", "\u202e", " ", "null"),
    *("1", "1e5", "é🙂"),
])  # fmt: skip
TEXTS = st.lists(ODD | st.text(max_size=5), max_size=4).map("".join)
NAMES = TEXTS.map(lambda text: text.replace("\0", "") or "x")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries(
    {
        "project": NAMES | st.sampled_from(["p", "=p"]),
        "task": NAMES,
        "task_id": NAMES | st.sampled_from(["t", "-t"]),
        "agent": NAMES,
        "error_type": TEXTS,
        "error_message": TEXTS,
    },
    optional={
        "metadata": st.dictionaries(TEXTS, JSON, max_size=3),
        "status": st.sampled_from(["pending", "running", "completed", "failed"]),
        "progress": st.integers(0, 100) | st.floats(0, 100),
        "message": TEXTS,
        "result": TEXTS,
        "stack_trace": TEXTS,
        "duration_seconds": st.floats(0, 100 * 366 * 86_400),
        "session": NAMES | st.sampled_from(["s", "=s"]),
        "usage": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "model": NAMES | st.just("m"),
                    "input_tokens": st.integers(0, 10**12),
                    "cost_usd": st.floats(0, 10**6),
                },
            ),
            max_size=3,
        ),
    },
)
REPORTS = st.lists(st.tuples(st.sampled_from(Kind), BODIES, st.integers(0, 4 * 10**12)), max_size=8)
GAPS = st.lists(st.integers(1, 1000), unique=True, max_size=6).map(
    lambda ends: list(zip(*[iter(sorted(ends))] * 2, strict=False))
)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def written(database: Path, form: str) -> bytes:
    file = io.StringIO(newline="")
    WRITERS[form](file, export(database, None, lambda _done, _total: None, {}))
    return file.getvalue().encode()


def import_here(database: Path, records: Iterable[NumberedRecord]) -> None:
    import_(
        *(database, records),
        file="export",
        by=Actor("somebody", "here"),
        clock=SystemClock(),
        begin=lambda: None,
        progress=lambda _done, _total: None,
    )


@thorough
@given(reports=REPORTS, gaps=GAPS)
def test_export_import_export(reports: list[tuple[Kind, Any, int]], gaps: list[Any]) -> None:
    with folder() as home:
        with closing(open_writer(home / "tracker.db", "off")) as connection:  # type: ignore[arg-type]
            for kind, body, now in reports:
                with connection:
                    report = to_report(kind, orjson.loads(orjson.dumps(to_plain(body))))
                    record(connection, now, [WriteRequest(report)])
            last = events.last_id(connection)
            for first, end in gaps:  # as restores leave them
                connection.execute("INSERT INTO gaps VALUES (?, ?)", (last + first, last + end))
            if gaps:
                connection.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
                connection.execute(
                    "INSERT INTO sqlite_sequence VALUES ('events', ?)", (last + 1000,)
                )
        for form in ("jsonl", "csv"):
            content = written(home / "tracker.db", form)
            import_here(home / f"{form}.db", READERS[form](io.BytesIO(content)))
            assert written(home / f"{form}.db", form) == content
            assert contents(home / f"{form}.db") == contents(home / "tracker.db")


def to_plain(body: Any) -> Any:
    """Integers past 64 bits as what orjson reads them as."""
    if isinstance(body, dict):
        return {name: to_plain(value) for name, value in body.items()}
    if isinstance(body, list):
        return [to_plain(value) for value in body]
    if isinstance(body, int) and not -(2**63) <= body < 2**64:
        return float(body)
    return body


# --- What a file may say.


def real_records() -> Records:
    """An export of all that there is to one, made by the store itself."""
    basic = {"project": "p", "task": "T", "task_id": "t", "agent": "a", "error_type": "E",
             "error_message": "m", "metadata": {"a": [1, {"b": None}]}}  # fmt: skip
    with folder() as home:
        with closing(open_writer(home / "tracker.db", "off")) as connection:  # type: ignore[arg-type]
            for number, (kind, fields) in enumerate([
                (Kind.START, {}),
                (Kind.STATUS, {"progress": 50, "message": "half"}),
                (Kind.ERROR, {"stack_trace": "trace"}),
                (Kind.FINISH, {"result": "fine", "duration_seconds": 1.5}),
                (Kind.STATUS, {"status": "pending", "progress": 7}),  # late
                (Kind.START, {"task_id": "u", "session": "s",
                              "usage": {"model": "m", "cost_usd": 1}}),
            ]):  # fmt: skip
                with connection:
                    submission = WriteRequest(to_report(kind, basic | fields))
                    record(connection, NOW + number, [submission])
        lines = io.StringIO()
        write_jsonl(lines, export(home / "tracker.db", None, lambda _done, _total: None, {}))
    return [orjson.loads(line) for line in lines.getvalue().splitlines()]


RECORDS = real_records()
PLACES = [
    (number, path)
    for number, fields in enumerate(RECORDS)
    for name, value in [*fields.items(), ("unknown", None)]
    for path in [(name,), *((name, inner) for inner in (value if type(value) is dict else ()))]
]
NUMBERS = st.sampled_from([
    *(0, 1, -1, 2, 5, 6, 7, 100, 101, 2**31, 2**52 - 1, 2**53, 2**60, 2**63 - 1, 2**63, 2**64 - 1),
    *(NOW, -NOW, 1.5, -0.0, 1e300, 253_402_214_400_000, 253_402_300_800_000, True, None),
])  # fmt: skip
VALUES = NUMBERS | JSON | st.sampled_from([
    *("p", "t", "u", "running", "pending", "completed", "failed", "2024-01-15T10:00:00.000Z"),
    *("task_started", "task_error", "9999-12-31T23:59:59.999Z", "0000-00-00T00:00:00.000Z"),
    *([[1, 1]], [[7, 9]], [[1, 2**52]], [], {}, "export", "event", "end"),
])  # fmt: skip


@settings(thorough, max_examples=120)
@example(change=[((0, ("last_id",)), 2**52 - 1)])
@example(change=[((0, ("last_id",)), 2**63 - 1)])
@example(change=[((1, ("created_at",)), 2**60)])
@example(change=[((2, ("duration_ms",)), 2**63 - 1)])
@example(change=[((2, ("started_at",)), -(10**11))])
@given(change=st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=2))
def test_what_is_taken_can_be_served(change: list[tuple[tuple[int, tuple[str, ...]], Any]]) -> None:
    records = copy.deepcopy(RECORDS)
    for (number, (*outer, name)), value in change:
        place = records[number]
        for step in outer:
            place = place.get(step) if isinstance(place, dict) else None  # type: ignore[assignment]
        if isinstance(place, dict):
            place[name] = to_plain(value)
    with folder() as home:
        database = home / "new.db"
        try:
            import_here(database, READERS["jsonl"](io.BytesIO(as_jsonl(records))))
        except ConfigError:
            assert not database.exists()
            return
        serve(database)
        content = written(database, "csv")
        import_here(home / "again.db", READERS["csv"](io.BytesIO(content)))
        assert contents(home / "again.db") == contents(database)
        report_to(database)
        serve(database)


def serve(database: Path) -> None:
    """Everything that the API asks a database."""
    contents(database)
    with closing(open_existing(database)) as connection:
        page = events.after(connection, only(), 0, EventFilter(), 100, 10**6)
        assert page.bounds.pruned <= page.bounds.last < 2**53
        for event in page.events:
            assert b"\n" not in event.message
            message = orjson.loads(event.message)
            DATA[message["type"]].model_validate(message["data"])
            assert (message["id"], message["data"]["project"]) == (event.id, event.project)
        orjson.dumps(responses.overall_stats(stats.overall(connection, only())))
        orjson.dumps(responses.now(dashboard.now(connection, only(), NOW, 10, 10, UTC)))
        for session in agent_sessions.page(connection, NOW, only(), SessionQuery()).sessions:
            orjson.dumps(responses.agent_session(session))
        orjson.dumps(responses.trends(dashboard.trends(connection, only(), 3660)))
        query = ProjectQuery(50, 0, "name", descending=False, activity_days=100)
        for project in projects.page(connection, only(), query).projects:
            orjson.dumps(responses.project(project))
            figures = stats.of_project(connection, project.name, 3660)
            assert figures is not None
            orjson.dumps(responses.project_stats(figures))
            for task in task_pages.of_project(connection, 0, project.id, TaskQuery()).tasks:
                detail = task_reads.one(connection, 0, project.name, task.task_id)
                assert detail is not None
                orjson.dumps(responses.task_with_history(detail))


def report_to(database: Path) -> None:
    """The next of each kind of report is recorded."""
    body = {"project": "p", "task": "T", "task_id": "t", "agent": "a", "error_type": "E",
            "error_message": "m", "metadata": {"more": 1}}  # fmt: skip
    with closing(open_writer(database, "off")) as connection:  # type: ignore[arg-type]
        events.repair_marks(connection)
        last = events.last_id(connection)
        for number, kind in enumerate(Kind, start=1):
            with connection:
                (done,) = record(connection, NOW, [WriteRequest(to_report(kind, body))])
            assert done.event_id == last + number


def test_what_nothing_was_changed_in_is_taken() -> None:
    with folder() as home:
        import_here(home / "new.db", READERS["jsonl"](io.BytesIO(as_jsonl(RECORDS))))
        serve(home / "new.db")


@pytest.mark.parametrize("text", ["=1", "\r", "a,b", "\ufeff", "'", " x "])
def test_a_csv_of_one_odd_text(text: str) -> None:
    """The first cells of a line, and the only text of a row."""
    with folder() as home:
        body = {"project": text, "task": text, "task_id": text, "agent": text}
        with closing(open_writer(home / "tracker.db", "off")) as connection, connection:  # type: ignore[arg-type]
            record(connection, NOW, [WriteRequest(to_report(Kind.START, body))])
        content = written(home / "tracker.db", "csv")
        import_here(home / "new.db", READERS["csv"](io.BytesIO(content)))
        assert contents(home / "new.db") == contents(home / "tracker.db")
