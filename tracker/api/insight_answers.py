"""The shapes of answers of what looks at many tasks at once: see `tracker.api.answers`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from tracker.api.answers import Amounts, Count, Date, Status, TaskStats
from tracker.domain.messages import Duration, Percent, Timestamp


class Track(TypedDict):
    task_stats: Annotated[
        TaskStats,
        Field(description="Of the tasks that were under way in the range: their present states."),
    ]
    running: Annotated[
        list[int],
        Field(description="By bin: how many ran at some time in it. Pending ones do not run."),
    ]
    completed: Annotated[list[int], Field(description="By bin: how many ended so in it.")]
    failed: list[int]


class AgentTrack(Track):
    agent: str


class OtherTracks(Track):
    agents: Annotated[Count, Field(description="How many.")]


class Interval(TypedDict):
    id: int
    project: str
    task_id: str
    title: str
    agent: str
    status: Status
    attempt: int
    started_at: Timestamp
    finished_at: Timestamp | None
    parent_task_id: Annotated[str | None, Field(description="The task that started this one.")]
    session: str | None


# `from` is a word of Python's.
Timeline = TypedDict(
    "Timeline",
    {
        "from": Timestamp,
        "to": Timestamp,
        "bin_seconds": Annotated[
            Duration, Field(description="How long a bin is; the last may reach past `to`.")
        ],
        "total": Annotated[Count, Field(description="How many tasks were under way in the range.")],
        "agents": Annotated[
            list[AgentTrack], Field(description="The hundred with the most tasks, these first.")
        ],
        "others": Annotated[OtherTracks, Field(description="All other agents together.")],
        "intervals": Annotated[
            list[Interval] | None,
            Field(description="Each task, in order of start; null: more than 500."),
        ],
        "left_out": Annotated[
            Count,
            Field(description="Tasks in `total` alone: of those that ended 300,000 are looked at."),
        ],
    },
)


class EndedFigures(TypedDict):
    """Of tasks that ended."""

    completed: Count
    failed: Count
    finished_success_rate: Annotated[
        Percent, Field(description="Completed of those that ended; 0 without any.")
    ]
    average_duration: Duration
    median_duration: Duration
    usage: Annotated[Amounts, Field(description="All that these tasks have used.")]


class DayFigures(EndedFigures):
    date: Date


class ProjectFigures(EndedFigures):
    project: str


class AgentFigures(EndedFigures):
    agent: str


class ModelFigures(EndedFigures):
    model: Annotated[str | None, Field(description="Null: not told. `usage` is this model's own.")]


class TitleFigures(EndedFigures):
    project: str
    title: str


class Kinds(TypedDict):
    """How many there are in all; the lists have a hundred."""

    projects: Count
    agents: Count
    models: Count
    titles: Count


# `from` is a word of Python's.
Insights = TypedDict(
    "Insights",
    {
        "tz": Annotated[str, Field(description="As it was given.")],
        "from": Annotated[Timestamp, Field(description="When the first of the days begins.")],
        "to": Annotated[Timestamp, Field(description="When today ends.")],
        "total": Annotated[Count, Field(description="How many tasks ended in these days.")],
        "complete": Annotated[
            bool, Field(description="Whether all of them are in the figures; else the last 10,000.")
        ],
        "overall": EndedFigures,
        "days": Annotated[
            list[DayFigures], Field(description="Every day, oldest first, by when tasks ended.")
        ],
        "projects": Annotated[
            list[ProjectFigures],
            Field(description="With the highest cost first, then with the most tasks; so in all."),
        ],
        "agents": list[AgentFigures],
        "models": list[ModelFigures],
        "titles": list[TitleFigures],
        "kinds": Kinds,
    },
)


class FailedTask(TypedDict):
    task_id: str
    agent: str
    finished_at: Timestamp


class FailuresOfAgent(TypedDict):
    agent: str
    count: Count


class FailureGroup(TypedDict):
    """Failures with the same type and message, but for numbers, paths and the like."""

    project: str
    error_type: str | None
    message: Annotated[str, Field(description="With placeholders, as `<n>` and `<path>`; cut.")]
    example: Annotated[str | None, Field(description="The last one's message, its begin.")]
    count: Count
    first_seen: Annotated[Timestamp, Field(description="In the range that was asked for.")]
    last_seen: Timestamp
    tasks: Annotated[list[FailedTask], Field(description="The last ten.")]
    agents: Annotated[
        list[FailuresOfAgent], Field(description="Those with the most failures, up to ten.")
    ]


class Failures(TypedDict):
    total: Annotated[Count, Field(description="How many tasks failed in the range.")]
    complete: Annotated[
        bool, Field(description="Whether all of them are in groups; else the last 10,000.")
    ]
    kinds: Annotated[Count, Field(description="How many groups there are in all.")]
    groups: Annotated[
        list[FailureGroup],
        Field(description="Those with the most failures first; at most 200."),
    ]
