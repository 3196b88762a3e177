"""The models that validate the bodies of requests, and the source of `/openapi.json`.

Field names and limits: API document and docs/contract.md, "Webhooks". Numbers are not taken from
strings, nor strings from numbers; unknown fields are ignored, so that newer clients work.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from typing_extensions import TypedDict

from tracker.api.moments import parse_moment
from tracker.domain import tasks
from tracker.domain.attention import Attention
from tracker.domain.fields import (
    AttentionText,
    CostUsd,
    Message,
    Name,
    NameOrEmpty,
    Progress,
    Seconds,
    StackTrace,
    StaleAfter,
    Status,
    Text,
    TitleOrEmpty,
    Tokens,
    issues_of,
)
from tracker.domain.limits import MAX_BATCH_REPORTS, MAX_MODELS, MAX_STACK_TRACE_BYTES
from tracker.domain.tasks import Kind, Report
from tracker.domain.usage import NOT_TOLD, ModelTold, Told, micros_of
from tracker.errors import ValidationFailed

Moment = Annotated[
    int,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class UsageBody(TypedDict, total=False):
    """What an attempt has used so far; each field that is given replaces what it was."""

    # A dictionary, which is validated in half the time of a model.

    input_tokens: Annotated[
        Tokens | None, Field(examples=[1200], description="Without those read from a cache.")
    ]
    output_tokens: Annotated[Tokens | None, Field(examples=[340])]
    cache_read_tokens: Tokens | None
    cache_write_tokens: Tokens | None
    cost_usd: Annotated[CostUsd | None, Field(examples=[0.42])]
    model: Annotated[NameOrEmpty | None, Field(examples=["claude-sonnet-4-5"])]


def _told(usage: UsageBody) -> ModelTold:
    cost = usage.get("cost_usd")
    told = Told(
        usage.get("input_tokens"),
        usage.get("output_tokens"),
        usage.get("cache_read_tokens"),
        usage.get("cache_write_tokens"),
        None if cost is None else micros_of(cost),
    )
    return ModelTold(usage.get("model") or "", told)


def _as_list(usage: Any) -> Any:
    return [usage] if isinstance(usage, dict) else usage


# That an object is taken too stands in the description: generators of clients fail on `anyOf`.
_Usage = Annotated[list[UsageBody], BeforeValidator(_as_list), Field(max_length=MAX_MODELS)]


class _ReportBody(BaseModel):
    """What all four webhooks need."""

    model_config = ConfigDict(extra="ignore")

    project: Name = Field(examples=["my-project"])
    task: TitleOrEmpty = Field(
        examples=["Разработка новой фичи"],
        description="The task's title; empty: as it was, and `task_id` for a task never seen.",
    )
    task_id: Name = Field(examples=["task-123"], description="Names the task within its project.")
    agent: Name = Field(examples=["claude-3-5-sonnet"])
    metadata: dict[str, Any] | None = Field(
        default=None,
        examples=[{"priority": "high"}],
        description="Top-level keys replace those of earlier reports; others stay.",
    )

    session: NameOrEmpty | None = Field(
        default=None,
        examples=["2f6c1a"],
        description="The conversation or run that the task belongs to, within its project.",
    )
    parent_task_id: NameOrEmpty | None = Field(
        default=None,
        examples=["task-100"],
        description="The task of the same project that started this one. It need not be known yet.",
    )
    attention: AttentionText | None = Field(
        default=None,
        examples=["Allow Bash: rm -rf build?"],
        description="What the task needs a person for. Null with an `attention_id`: no longer.",
    )
    attention_id: NameOrEmpty | None = Field(
        default=None,
        examples=["call-7"],
        description="Names the request; the next report without `attention` ends one without name.",
    )
    stale_after_seconds: StaleAfter | None = Field(
        default=None,
        examples=[3600],
        description="How long this task's silence is normal, until another is given.",
    )
    usage: _Usage | None = Field(
        default=None,
        description="Tokens and cost, one for each model; of one, the object alone will do.",
    )
    occurred_at: Moment | None = Field(
        default=None,
        examples=["2024-01-15T10:00:00.000Z"],
        description="When it happened, if that was not just now.",
    )

    @field_validator("parent_task_id")
    @classmethod
    def _no_task_is_its_own(cls, parent: str | None, info: ValidationInfo) -> str | None:
        if parent and parent == info.data.get("task_id"):
            raise ValueError("a task cannot have started itself")
        return parent

    def further_fields(self) -> dict[str, Any]:
        """The fields of `Report` that few reports have."""
        stale_after = self.stale_after_seconds
        return {
            "session": self.session or None,
            "parent_task_id": self.parent_task_id or None,
            "attention": self._attention(),
            "stale_after_ms": None if stale_after is None else max(1, round(stale_after * 1000)),
            "occurred_at": self.occurred_at,
            "usage": self._usage(),
        }

    def _usage(self) -> tuple[ModelTold, ...]:
        if not self.usage:
            return ()
        return tuple([told for told in map(_told, self.usage) if told.told != NOT_TOLD])

    def _attention(self) -> Attention | None:
        if self.attention:
            return Attention(self.attention_id or "", self.attention)
        if self.attention_id and "attention" in self.model_fields_set:
            return Attention(self.attention_id, None)
        return None

    def specific_fields(self) -> dict[str, Any]:
        """The fields of `Report` that only this kind has."""
        return {}


class StartBody(_ReportBody):
    """`POST /webhook/start`."""


class StatusBody(_ReportBody):
    """`POST /webhook/status`."""

    status: Status | None = Field(
        default=None, examples=["running"], description="running if left out."
    )
    progress: Progress | None = Field(default=None, examples=[75], description="In percent.")
    message: Message | None = Field(
        default=None, examples=["Implementing core functionality, 75% complete"]
    )

    def specific_fields(self) -> dict[str, Any]:
        """See `_ReportBody.specific_fields`."""
        status = self.status or tasks.Status.RUNNING
        return {"status": status, "progress": self.progress, "message": self.message}


class FinishBody(_ReportBody):
    """`POST /webhook/finish`."""

    result: Text | None = Field(
        default=None, examples=["Feature successfully implemented with all tests passing"]
    )
    duration_seconds: Seconds | None = Field(
        default=None, examples=[3450], description="Measured from the task's start if left out."
    )

    def specific_fields(self) -> dict[str, Any]:
        """See `_ReportBody.specific_fields`."""
        seconds = self.duration_seconds
        duration = None if seconds is None else round(seconds * 1000)
        return {"result": self.result, "duration_ms": duration}


class ErrorBody(_ReportBody):
    """`POST /webhook/error`."""

    error_type: Text = Field(examples=["RuntimeError"])
    error_message: Text = Field(examples=["Failed to connect to database"])
    stack_trace: StackTrace | None = Field(
        default=None, description=f"At most {MAX_STACK_TRACE_BYTES} bytes of UTF-8."
    )

    def specific_fields(self) -> dict[str, Any]:
        """See `_ReportBody.specific_fields`."""
        return {
            "error_type": self.error_type,
            "error_message": self.error_message,
            "stack_trace": self.stack_trace,
        }


class BatchBody(BaseModel):
    """`POST /webhook/batch`."""

    model_config = ConfigDict(extra="ignore")

    reports: list[Any] = Field(
        max_length=MAX_BATCH_REPORTS,
        description=f"Up to {MAX_BATCH_REPORTS}, each with `kind` ({', '.join(Kind)}), the "
        "fields of that webhook, and perhaps an `idempotency_key`. Each is accepted or refused by "
        "itself, in order.",
    )


BODIES: dict[Kind, type[_ReportBody]] = {
    Kind.START: StartBody,
    Kind.STATUS: StatusBody,
    Kind.FINISH: FinishBody,
    Kind.ERROR: ErrorBody,
}


# Few reports have any of these, and none should pay for them that has not.
_FURTHER_FIELDS: Final = _ReportBody.model_fields.keys() - {
    *("project", "task", "task_id", "agent", "metadata"),
}


def to_report(kind: Kind, content: dict[str, Any]) -> Report:
    """Make a report of a webhook's JSON object. Raises ValidationFailed."""
    body = validate(BODIES[kind], content)
    common = (body.project, body.task_id, body.task, body.agent, body.metadata or None)
    further = body.specific_fields()
    if not body.model_fields_set.isdisjoint(_FURTHER_FIELDS):
        further |= body.further_fields()
    return Report(kind, *common, **further)


M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], content: dict[str, Any]) -> M:
    """Validate `content`. Raises ValidationFailed, which lists every problem."""
    try:
        return cast("M", model.__pydantic_validator__.validate_python(content))
    except ValidationError as error:
        raise ValidationFailed("Invalid data format", issues_of(error)) from None
