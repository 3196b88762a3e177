"""Copies of the limits and of the lists of words, where there have to be copies, say the same."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import closing
from typing import get_args

import apsw
import pytest

from agent_task_tracker import client as sdk
from agent_task_tracker import fields, trimming
from tests.support.markdown import ROOT, Document
from tracker.api import answers
from tracker.domain import limits
from tracker.domain.messages import DATA, Event
from tracker.domain.tasks import (
    ACTIVE,
    DELETIONS,
    ENDED,
    EVENT_TYPES,
    NO_REPORTS,
    EventType,
    Kind,
    Status,
)
from tracker.domain.usage import Source
from tracker.store.sqlite.connection import open_writer

APP = ROOT / "tracker" / "web" / "app"

WORDS = re.compile(r"'(\w+)'")


@pytest.fixture(scope="module")
def schema() -> Iterator[apsw.Connection]:
    """The newest, as a new database has it."""
    with closing(open_writer(None, "full")) as connection:
        yield connection


def table(schema: apsw.Connection, name: str) -> str:
    sql = schema.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).get
    return " ".join(sql.split())


def words_in(sql: str, pattern: str) -> list[str]:
    """The words of the one list that stands in `pattern`, in its place `LIST`."""
    (found,) = re.findall(re.escape(pattern).replace("LIST", "([^()]+)"), sql)
    return WORDS.findall(found)


def test_the_schema_takes_the_words_there_are(schema: apsw.Connection) -> None:
    tasks, events = table(schema, "tasks"), table(schema, "events")
    assert words_in(tasks, "CHECK (status IN (LIST))") == list(Status)
    ended = words_in(tasks, "CHECK ((status IN (LIST)) = (finished_at IS NOT NULL))")
    assert set(ended) == ENDED
    assert words_in(events, "CHECK (type IN (LIST))") == list(DATA)
    assert words_in(table(schema, "usage"), "CHECK (source IN (LIST))") == list(Source)


def test_the_schema_takes_texts_as_long_as_they_may_be(schema: apsw.Connection) -> None:
    tables = ("projects", "tasks", "idempotency")
    checked = {
        (name, *found)
        for name in tables
        for found in re.findall(r"length\((\w+)\) BETWEEN 1 AND (\d+)", table(schema, name))
    }
    assert checked == {
        ("projects", "name", str(limits.MAX_NAME)),
        ("tasks", "task_id", str(limits.MAX_NAME)),
        ("tasks", "agent", str(limits.MAX_NAME)),
        ("tasks", "title", str(limits.MAX_TITLE)),
        ("tasks", "session", str(limits.MAX_NAME)),
        ("tasks", "parent_task_id", str(limits.MAX_NAME)),
        ("idempotency", "key", str(limits.MAX_IDEMPOTENCY_KEY)),
    }


def test_the_schema_counts_by_status(schema: apsw.Connection) -> None:
    def columns(name: str) -> set[str]:
        return {row[1] for row in schema.execute(f"PRAGMA table_info({name})")}

    assert set(Status) <= columns("projects")
    for name in ("agents", "days"):
        assert columns(name) & set(Status) == ENDED
    triggers = schema.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    for name, sql in triggers.fetchall():
        named = set(re.findall(r"\.status = '(\w+)'", sql))
        assert named in (set(), ENDED, set(Status)), name


def test_every_status_has_ended_or_not() -> None:
    assert {*ACTIVE, *ENDED} == set(Status)
    assert len(ACTIVE) + len(ENDED) == len(Status)


def test_every_kind_has_its_event_and_every_event_its_shape() -> None:
    assert list(EVENT_TYPES) == list(Kind)
    assert [*EVENT_TYPES.values(), *NO_REPORTS] == list(DATA)
    assert [*DATA, *DELETIONS] == list(EventType)
    shapes = get_args(get_args(Event.__value__)[0])
    assert [get_args(shape.model_fields["type"].annotation) for shape in shapes] == [
        (type_,) for type_ in EventType
    ]


def test_the_sdk_knows_the_server_s_limits() -> None:
    assert trimming.MAX_STACK_TRACE_BYTES == limits.MAX_STACK_TRACE_BYTES
    assert (fields.MAX_NAME, fields.MAX_TITLE) == (limits.MAX_NAME, limits.MAX_TITLE)
    assert (fields.MAX_MESSAGE, fields.MAX_DURATION) == (
        limits.MAX_MESSAGE,
        limits.MAX_DURATION_SECONDS,
    )
    assert list(fields.STATUSES) == list(Status)
    assert (fields.MAX_MODELS, fields.MAX_TOKENS, fields.MAX_COST_USD) == (
        limits.MAX_MODELS,
        limits.MAX_TOKENS,
        limits.MAX_COST_USD,
    )
    assert (sdk._PAGE, sdk._EVENT_PAGE) == (limits.MAX_PAGE, limits.MAX_EVENTS_PAGE)
    assert sdk._BEYOND_ANY_EVENT == limits.MAX_INTEGER


def test_the_sdk_has_a_method_for_each_kind() -> None:
    assert all(inspect.isfunction(getattr(sdk.Client, kind)) for kind in Kind)
    parameters = inspect.signature(sdk.Client.status).parameters
    assert parameters["status"].default == Status.RUNNING
    said = inspect.getdoc(sdk.Client.status)
    assert said
    assert all(status in said for status in Status)


def test_the_dashboard_knows_the_words() -> None:
    def listed(module: str, pattern: str) -> list[str]:
        (found,) = re.findall(pattern, (APP / module).read_text("utf-8"))
        return re.findall(r'"(\w+)"', found)

    assert listed("data/store.js", r"const STATUSES = \[(.+)\];") == list(Status)
    assert set(listed("data/store.js", r"const ENDED = new Set\(\[(.+)\]\);")) == ENDED
    assert listed("views/events.js", r"const TYPES = \[(.+)\];") == list(EventType)


def test_answers_tell_where_texts_are_cut() -> None:
    assert f"cut after {limits.MAX_LINE_TEXT} characters" in (
        inspect.getdoc(answers.TaskLine) or ""
    )


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("docs/api.md", f"names {limits.MAX_NAME} characters, `task` {limits.MAX_TITLE}, "),
        ("docs/api.md", f"`message` {limits.MAX_MESSAGE:,}, "),
        ("docs/api.md", f"`stack_trace` {limits.MAX_STACK_TRACE_BYTES:,} bytes of UTF-8"),
        ("docs/api.md", f"the body {limits.MAX_BODY_BYTES:,} bytes and {limits.MAX_DEPTH} levels"),
        ("docs/api.md", f"of up to {limits.MAX_IDEMPOTENCY_KEY} characters"),
        ("docs/api.md", f", up to {limits.MAX_BATCH_REPORTS}, each with `kind`"),
        ("docs/api.md", f"`limit` is 1 to {limits.MAX_PAGE}, "),
        ("docs/api.md", f"`limit` (100, at most {limits.MAX_EVENTS_PAGE})"),
        ("docs/contract.md", f"at most {limits.MAX_NAME} "),
        ("docs/contract.md", f"a header of 1 to {limits.MAX_IDEMPOTENCY_KEY} characters"),
        ("docs/contract.md", f"takes up to {limits.MAX_BATCH_REPORTS} reports"),
        ("docs/contract.md", f"`limit` is 1 to {limits.MAX_PAGE}, "),
        ("docs/contract.md", f"over {limits.MAX_BODY_BYTES:,} bytes is 413"),
    ],
)
def test_documents_tell_the_limits(document: str, said: str) -> None:
    assert said in " ".join(Document(document).text.split())
