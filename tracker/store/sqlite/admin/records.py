"""Models of an export's records: they accept what reports can produce, and no more.

Imported by `tracker.store.sqlite.admin.importing` alone: importing Pydantic takes a while.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tracker.clock import MS_PER_DAY
from tracker.domain import tasks, usage
from tracker.domain.fields import (
    AttentionText,
    EventType,
    Message,
    Name,
    NameOrEmpty,
    Progress,
    StackTrace,
    Status,
    Text,
    Title,
    Tokens,
    issues_of,
    set_once_ended,
)
from tracker.domain.limits import (
    EARLIEST_START,
    MAX_ATTEMPT,
    MAX_CLEARED_REQUESTS,
    MAX_COST_USD,
    MAX_DURATION,
    MAX_ID,
    MAX_OPEN_REQUESTS,
    MAX_STALE_AFTER_SECONDS,
    MAX_TIME,
    MAX_USAGE_SUM,
)
from tracker.domain.messages import DATA
from tracker.domain.usage import MICROS, NOTHING, Amounts, Source, Told
from tracker.errors import Issue, ValidationFailed
from tracker.store.sqlite.admin.export import VERSION

_Id = Annotated[int, Field(ge=1, le=MAX_ID)]
_Mark = Annotated[int, Field(ge=0, le=MAX_ID)]
_Count = Annotated[int, Field(ge=0)]
_Time = Annotated[int, Field(ge=0, le=MAX_TIME)]
_MAX_REQUESTS: Final = MAX_OPEN_REQUESTS + MAX_CLEARED_REQUESTS
_Range = Annotated[list[_Id], Field(min_length=2, max_length=2)]


class _Record(BaseModel):
    # The content of an unknown field would be lost.
    model_config = ConfigDict(extra="forbid", strict=True, validate_default=True)


class Head(_Record):
    record: Literal["export"]
    version: Literal[1]
    last_id: _Mark
    pruned: _Mark
    # Each page of the log is read with all of them.
    gaps: Annotated[list[_Range], Field(max_length=10_000)] = []

    @field_validator("pruned")
    @classmethod
    def _within_the_log(cls, pruned: int, info: ValidationInfo) -> int:
        if pruned > info.data.get("last_id", MAX_ID):
            raise ValueError("more was pruned than there was: this is greater than last_id")
        return pruned

    @field_validator("gaps")
    @classmethod
    def _one_after_the_other(cls, gaps: list[list[int]], info: ValidationInfo) -> list[list[int]]:
        numbers = [number for gap in gaps for number in gap]
        if any(first > last for first, last in gaps) or any(
            before[1] >= after[0] for before, after in pairwise(gaps)
        ):
            raise ValueError("expected ranges of numbers, one after the other")
        if numbers and numbers[-1] > info.data.get("last_id", MAX_ID):
            raise ValueError("a gap goes on after last_id")
        return gaps


class Project(_Record):
    record: Literal["project"]
    id: _Id
    project: Name
    created_at: _Time
    updated_at: _Time


class Request(_Record):
    id: NameOrEmpty
    text: AttentionText | None
    since: Annotated[int, Field(ge=EARLIEST_START, le=MAX_TIME)]
    told_at: Annotated[int, Field(ge=EARLIEST_START, le=MAX_TIME)]


_Amount = Annotated[int, Field(ge=0, le=MAX_USAGE_SUM)]
_Tokens = Tokens | None
_Cost = Annotated[int, Field(ge=0, le=MAX_COST_USD * MICROS)] | None


class UsageTold(_Record):
    """What a source has told of an attempt."""

    attempt: Annotated[int, Field(ge=1, le=MAX_ATTEMPT)]
    source: Annotated[Source, Field(strict=False)]
    model: NameOrEmpty
    input_tokens: _Tokens
    output_tokens: _Tokens
    cache_read_tokens: _Tokens
    cache_write_tokens: _Tokens
    cost_micros: _Cost
    estimated_micros: _Cost = None  # files of before it have none


class UsageAdded(_Record):
    """What the task has added to the sums of a day (counted from the epoch)."""

    day: Annotated[int, Field(ge=0, le=MAX_TIME // MS_PER_DAY)]
    agent: Name
    model: NameOrEmpty
    input_tokens: _Amount
    output_tokens: _Amount
    cache_read_tokens: _Amount
    cache_write_tokens: _Amount
    cost_micros: _Amount
    estimated_micros: _Amount = 0


class Usage(_Record):
    told: list[UsageTold]
    added: list[UsageAdded]

    @property
    def attempts(self) -> dict[int, usage.Attempt]:
        """What was told, by the attempt's number."""
        attempts: dict[int, usage.Attempt] = {}
        for told in self.told:
            totals = Told._make(getattr(told, name) for name in Told._fields)
            attempt = attempts.setdefault(told.attempt, {})
            attempt.setdefault(told.source, {})[told.model] = totals
        return attempts

    @property
    def shares(self) -> dict[tuple[str, int, str], Amounts]:
        """What was added, by model, day and agent."""
        return {
            (added.model, added.day, added.agent): Amounts._make(
                getattr(added, name) for name in Amounts._fields
            )
            for added in self.added
        }

    @field_validator("told", "added")
    @classmethod
    def _nothing_twice(cls, items: list[_Record]) -> list[_Record]:
        names = ("attempt", "source", "day", "agent", "model")
        keys = [tuple(getattr(item, name, None) for name in names) for item in items]
        if len(set(keys)) != len(keys):
            raise ValueError("something is told twice")
        return items

    @model_validator(mode="after")
    def _add_up(self) -> Usage:
        """What was added is what of the told counts."""
        told: dict[str, Amounts] = {}
        for attempt in self.attempts.values():
            for model, amounts in usage.counts(attempt).items():
                told[model] = told.get(model, NOTHING).plus(amounts)
        added: dict[str, Amounts] = {}
        for (model, _, _), amounts in self.shares.items():
            added[model] = added.get(model, NOTHING).plus(amounts)
        if {of: amounts for of, amounts in told.items() if any(amounts)} != added:
            raise ValueError("what was added to the sums is not what was told")
        return self


class Task(_Record):
    record: Literal["task"]
    id: _Id
    project: Name
    task_id: Name
    title: Title
    agent: Name
    status: Status
    progress: Progress
    attempt: Annotated[int, Field(ge=1, le=MAX_ATTEMPT)]
    started_at: Annotated[int, Field(ge=EARLIEST_START, le=MAX_TIME)]
    finished_at: _Time | None = None
    duration_ms: Annotated[int, Field(ge=0, le=MAX_DURATION)] | None = None
    message: Message | None = None
    result: Text | None = None
    error_type: Text | None = None
    error_message: Text | None = None
    stack_trace: StackTrace | None = None
    metadata: dict[str, Any]
    created_at: _Time
    updated_at: _Time
    session: Name | None = None
    parent_task_id: Name | None = None
    requests: Annotated[list[Request], Field(max_length=_MAX_REQUESTS)] | None = None
    stale_after_ms: Annotated[int, Field(ge=1, le=1000 * MAX_STALE_AFTER_SECONDS)] | None = None
    reported_at: Annotated[int, Field(ge=EARLIEST_START, le=MAX_TIME)] = 0
    silent_since: Annotated[int, Field(ge=EARLIEST_START, le=MAX_TIME)] | None = None
    metadata_truncated: Literal[0, 1] = 0
    acknowledged_at: _Time | None = None
    snoozed_until: _Time | None = None

    usage: Usage | None = None

    _ended = field_validator("finished_at", "duration_ms")(set_once_ended)

    @field_validator("usage")
    @classmethod
    def _of_attempts_there_were(cls, of: Usage | None, info: ValidationInfo) -> Usage | None:
        if of is not None and max(of.attempts, default=1) > info.data.get("attempt", MAX_ATTEMPT):
            raise ValueError("this is of an attempt that has not begun")
        return of

    @field_validator("silent_since")
    @classmethod
    def _silent_while_running(cls, since: int | None, info: ValidationInfo) -> int | None:
        if since is not None and info.data.get("status") != tasks.Status.RUNNING:
            raise ValueError("only a task that is running can be silent")
        return since


class Session(_Record):
    """What is known of an agent's session beside its tasks."""

    record: Literal["session"]
    project: Name
    session: Name
    agent: Name | None = None
    host: Text | None = None
    lives: Literal[0, 1]
    first_at: Annotated[int, Field(ge=EARLIEST_START, le=MAX_TIME)]
    last_at: Annotated[int, Field(ge=EARLIEST_START, le=MAX_TIME)]


class Event(_Record):
    record: Literal["event"]
    id: _Id
    project: Name
    task_id: Name
    type: EventType
    at: _Time
    data: dict[str, Any]


class End(_Record):
    record: Literal["end"]
    projects: _Count
    tasks: _Count
    sessions: _Count = 0
    events: _Count


R = TypeVar("R", bound=_Record)

_UNKNOWN_FIELD: Final = "this is not known here: the file is of a newer tracker, or was changed"


def read(model: type[R], fields: dict[str, Any]) -> R:
    """Validate a record. Raises ValidationFailed."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        name, issue = issues_of(error)[0]
        if name in fields and name not in model.model_fields:
            name, issue = f"{name!r:.100}", _UNKNOWN_FIELD
        raise invalid(name, issue) from None


def read_head(fields: dict[str, Any]) -> Head:
    """See `read`; the first record. Raises ValidationFailed."""
    if fields.get("record") != "export":
        raise invalid("record", "an export begins with a record that tells of it: this is none")
    version = fields.get("version")
    if type(version) is int and version > VERSION:
        raise invalid("version", "the file is of a newer tracker: import it with that one")
    return read(Head, fields)


def read_event(fields: dict[str, Any]) -> Event:
    """See `read`; the event's `data` has to match its type and its task. Raises
    ValidationFailed."""
    event = read(Event, fields)
    if event.type not in DATA:
        raise invalid("type", "only the log tells of deletions, no export")
    try:
        data = DATA[event.type].model_validate(event.data)
    except ValidationError as error:
        name, issue = issues_of(error)[0]
        raise invalid(f"data.{name}", issue) from None
    if (data.project, data.task_id) != (event.project, event.task_id):
        raise invalid("data", "this is of another task than the event")
    return event


def invalid(field: str, issue: str) -> ValidationFailed:
    """The error for an invalid record."""
    return ValidationFailed("This is not as a tracker exports it.", [Issue(field, issue)])
