"""The shapes of answers of what looks at many tasks at once: see `tracker.api.answers`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from tracker.api.answers import Count, Status, TaskStats
from tracker.domain.messages import Duration, Timestamp


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
