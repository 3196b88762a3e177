"""CONTRIBUTING's recipes, "Where a change goes": few files each, and none is forgotten.

For a field of a report and for a status, each file that its recipe names is asked what it knows; a
place where something is missing that others have is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import Any, NamedTuple, get_type_hints

import apsw
import orjson
import pytest

from agent_task_tracker import shapes
from agent_task_tracker.client import Client
from agent_task_tracker.transport import Transport
from tests.support.markdown import ROOT
from tests.support.recipes import RECIPES, compare, words_in
from tracker.api import answers, responses
from tracker.api.openapi.document import document
from tracker.api.schemas import BODIES, to_report
from tracker.cli import marks, webhooks
from tracker.domain.attention import Attention
from tracker.domain.messages import DATA, event_data
from tracker.domain.records import ProjectStats, StatusCounts, TaskDetail
from tracker.domain.rules import apply
from tracker.domain.tasks import (
    ACTIVE,
    ENDED,
    EVENT_TYPES,
    EventType,
    Kind,
    Report,
    Status,
    Task,
    TaskSummary,
)
from tracker.store.sqlite import columns
from tracker.store.sqlite.admin import export, records
from tracker.store.sqlite.connection import open_writer

FIELD = "A field of a report"
CLIENT = "A field in the client"
STATUS = "A status"
DASHBOARD = "A status in the dashboard"

MOST_FILES = 8
NOW = 1_705_312_800_000


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_names_few_files_and_each_exists(recipe: str) -> None:
    assert len(RECIPES[recipe]) <= MOST_FILES
    for path in RECIPES[recipe]:
        assert (ROOT / path).exists(), path


def test_there_are_recipes_for_what_comes_again_and_again() -> None:
    assert {FIELD, CLIENT, STATUS, DASHBOARD, "An endpoint", "An engine"} <= RECIPES.keys()


@pytest.fixture(scope="module")
def schema() -> Iterator[apsw.Connection]:
    """The newest, as a new database has it."""
    with closing(open_writer(None, "full")) as connection:
        yield connection


def columns_of(schema: apsw.Connection, table: str) -> set[str]:
    return {row[1] for row in schema.execute(f"PRAGMA table_info({table})")}


@pytest.fixture(scope="module")
def described() -> Any:
    """The schemas of `/openapi.json`."""
    return orjson.loads(document("", ""))["components"]["schemas"]


# A field of a report.

# What bodies and answers call otherwise than tasks.
ALIASES = {
    "task": "title",
    "duration_seconds": "duration_ms",
    "stale_after_seconds": "stale_after_ms",
    "attention": "requests",
}

# What no report says, and what it says to be found rather than kept.
OTHERS = {
    *("id", "record", "project", "project_id", "task_id", "kind", "events", "attempt"),
    *("started_at", "finished_at", "created_at", "updated_at"),
    *("late", "reported_status", "reported_progress"),
    *("occurred_at", "clock_adjusted", "reported_at", "silent_since"),
    *("overdue", "blocked", "truncated", "metadata_truncated"),
    *("attention_id", "attention_since"),
    *("usage", "usage_total", "usage_of", "usage_added"),  # in tables of its own
    *("acknowledged_at", "snoozed_until", "by"),  # what people did about a task, by acts
}

# Too large for lists: one task is answered with it.
OF_ONE_TASK = {"stack_trace"}


def fields(names: Iterable[str]) -> set[str]:
    """Those that reports say and tasks keep, by their names in `Task`."""
    return {ALIASES.get(name, name) for name in names} - OTHERS


class Sample(NamedTuple):
    """A report that says all that its kind can, and the body of its webhook."""

    report: Report
    body: dict[str, Any]

    @property
    def task(self) -> Task:
        """The task that it makes."""
        return apply(None, self.report, NOW)


def sample(kind: Kind) -> Sample:
    hints = get_type_hints(Report)
    given = {
        "status": Status.RUNNING,
        "metadata": {"a": 1},
        "duration_ms": 5000,
        "stale_after_ms": 9000,
    }
    said = {
        name: given.get(name, f"its {name}" if hints[name] in (str, str | None) else 50)
        for name in fields(BODIES[kind].model_fields) & hints.keys()
    }
    named = {"project": "p", "task_id": "t"}
    body = {
        **named,
        **said,
        "task": said["title"],
        "duration_seconds": 5,
        "stale_after_seconds": 9,
        "attention": "its attention",
        "attention_id": "",
        "occurred_at": "2024-01-15T10:00:00Z",
        "usage": {"input_tokens": 1},
    }
    body = {name: value for name, value in body.items() if name in BODIES[kind].model_fields}
    attention = Attention("", "its attention")
    return Sample(Report(kind, **named, **said, attention=attention, occurred_at=NOW), body)


SAMPLES = {kind: sample(kind) for kind in Kind}


def taken() -> set[str]:
    """What bodies have and hand on."""
    found = set()
    for kind, (report, body) in SAMPLES.items():
        read = to_report(kind, body)
        same = fields(name for name in read._fields if getattr(read, name) == getattr(report, name))
        found |= fields(body) & same
    return found


def kept() -> set[str]:
    """What comes of reports into tasks."""
    found = set()
    for report, _ in SAMPLES.values():
        task = apply(None, report, NOW)._asdict()
        said = fields(name for name in report._fields if getattr(report, name) is not None)
        found |= {
            name
            for name in said & task.keys()
            if name == "requests" or task[name] == getattr(report, name)
        }
    return found


def told() -> set[str]:
    """What events say."""
    found: set[str] = set()
    for one in SAMPLES.values():
        data = orjson.loads(event_data(one.report, one.task, NOW, late=False))
        found |= {name for name, value in data.items() if value is not None}
    return fields(found)


def summary() -> TaskSummary:
    values = {
        **SAMPLES[Kind.START].task._asdict(),
        "id": 1,
        "task_id": "t",
        "metadata": "{}",
        "requests": "[]",
        "overdue": 0,
        "blocked": 0,
        "truncated": 0,
    }
    return TaskSummary(**{name: values[name] for name in TaskSummary._fields})


def test_a_field_of_a_report(schema: apsw.Connection, described: Any) -> None:
    detail = TaskDetail(summary(), "p", None, [])
    compare(
        FIELD,
        {
            "tracker/domain/tasks.py": {
                "Report": fields(Report._fields),
                "Task": fields(Task._fields),
                "TaskSummary": fields(TaskSummary._fields) | OF_ONE_TASK,
            },
            "tracker/domain/rules.py": {"apply": kept()},
            "tracker/api/schemas.py": {"the bodies": taken()},
            "tracker/domain/messages.py": {
                "the shapes": fields(chain(*(shape.model_fields for shape in DATA.values()))),
                "event_data": told(),
            },
            "tracker/store/sqlite/migrations/": {"tasks": fields(columns_of(schema, "tasks"))},
            "tracker/store/sqlite/admin/records.py": {"Task": fields(records.Task.model_fields)},
            "tracker/api/answers.py": {
                "Task": fields(answers.Task.__annotations__) | OF_ONE_TASK,
                "TaskWithHistory": fields(answers.TaskWithHistory.__annotations__),
            },
            "tracker/api/responses.py": {
                "task": fields(responses.task(summary(), None)) | OF_ONE_TASK,
                "task_with_history": fields(responses.task_with_history(detail)),
            },
        },
        {
            "the columns that are written": fields(columns.TASK),
            "the columns of exports": fields(set(export.COLUMNS) & set(Task._fields)),
            "/openapi.json": fields(described["TaskWithHistory"]["properties"]),
        },
    )


def test_a_field_that_older_exports_do_not_have_may_be_missing() -> None:
    assert Task._field_defaults.keys() <= export.OPTIONAL_COLUMNS
    for name in Task._field_defaults:
        assert not records.Task.model_fields[name].is_required()
        of_events = [
            DATA[EventType(type_)].model_fields.get(name) for type_ in EVENT_TYPES.values()
        ]
        assert not any(field.is_required() for field in of_events if field)


class Recording(Transport):
    """Keeps the body that is sent."""

    def __init__(self) -> None:
        self.body: dict[str, Any] = {}

    def post(self, path: str, body: bytes, key: str, shape: Any) -> dict[str, Any]:
        self.body = orjson.loads(body)
        return {}


@pytest.mark.parametrize("kind", Kind)
def test_a_field_in_the_client(kind: Kind) -> None:
    takes = BODIES[kind].model_fields.keys()
    sent = Recording()
    getattr(Client.over(sent), kind)(**SAMPLES[kind].body)
    assert sent.body.keys() == takes
    options = {option.name for option in getattr(webhooks, kind).params}
    called = {name.removesuffix("_") for name in options if name}
    assert called >= takes
    # What commands rely on, they are answered.
    relied_on = {name.removesuffix("?") for name in shapes.TASK}  # older servers answer less
    assert relied_on <= answers.TaskWithHistory.__annotations__.keys()


# A status.


def counted() -> set[str]:
    """The statuses whose figures are answered; each has another figure."""
    counts = StatusCounts(*(10**n for n in range(len(StatusCounts._fields))))
    figures = responses.project_stats(ProjectStats("p", counts, 0, []))["task_stats"]
    return {name for name, figure in figures.items() if getattr(counts, name) == figure} - {"total"}


# Counters of projects that are not by status.
OF_SESSIONS = ("sessions", "sessions_at_work")

TRIGGERS = (
    *("task_inserted", "task_updated", "task_deleted", "task_changed_session"),
    *(f"task_{what}_in_session" for what in ("inserted", "updated", "deleted")),
)


def test_a_status(schema: apsw.Connection, described: Any) -> None:
    sql = dict(schema.execute("SELECT name, sql FROM sqlite_schema"))
    (checked,) = re.findall(r"CHECK \(status IN \(([^()]+)\)\)", sql["tasks"])
    counters = columns_of(schema, "projects") - {"id", "name", "duration_ms"}
    compare(
        STATUS,
        {
            "tracker/domain/tasks.py": {"Status": set(Status)},
            "tracker/domain/rules.py": {},
            "tracker/store/sqlite/migrations/": {
                "the check": set(re.findall(r"\w+", checked)),
                "the counters": counters - {*("created_at", "updated_at"), *OF_SESSIONS},
                **{
                    trigger: set(re.findall(r"\.status = '(\w+)'", sql[trigger]))
                    for trigger in TRIGGERS
                },
            },
            "tracker/domain/records.py": {"StatusCounts": set(StatusCounts._fields)},
            "tracker/api/answers.py": {
                "TaskStats": answers.TaskStats.__annotations__.keys() - {"total"}
            },
            "tracker/api/responses.py": {"project_stats": counted()},
            "tracker/cli/marks.py": {"STYLES": set(marks.STYLES), "ICONS": set(marks.ICONS)},
        },
        {"/openapi.json": set(described["Status"]["enum"])},
    )
    counts = StatusCounts(*(10**n for n in range(len(StatusCounts._fields))))
    assert counts.active == sum(getattr(counts, status) for status in ACTIVE)
    assert counts.total == counts.active + sum(getattr(counts, status) for status in ENDED)


def test_a_status_in_the_dashboard() -> None:
    app = "tracker/web/app"
    # By the page: long unheard of, late, in need of a person, a session whose turn is its user's.
    added = {"silent", "overdue", "waiting", "yours"}
    word = r"^\t\t(\w+):"
    compare(
        DASHBOARD,
        {
            f"{app}/data/store.js": {
                "STATUSES": words_in(f"{app}/data/store.js", r"STATUSES = (\[.+?\]);", r'"(\w+)"')
            },
            f"{app}/lib/icons.js": {
                "PATHS": words_in(f"{app}/lib/icons.js", r"PATHS = (\{.+?\n\});", r"^\t(\w+):")
                & set(Status)
            },
            f"{app}/style/tokens.css": {
                "tones": words_in(f"{app}/style/tokens.css", "(.+)", r"^\.status-(\w+) \{ --tone:")
                - added
            },
            **{
                f"{app}/i18n/{language}.js": {
                    "status": words_in(
                        f"{app}/i18n/{language}.js", r"\n\tstatus: \{(.+?)\n\t\},", word
                    )
                    - added
                }
                for language in ("en", "ru")
            },
        },
        {"tracker/domain/tasks.py, Status": set(Status)},
    )
