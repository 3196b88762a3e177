"""Queries to a store: which tasks, projects and events; and how long it keeps them."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from tracker.domain.limits import EARLIEST_START

TaskSort = Literal["started_at", "finished_at", "updated_at", "duration_seconds", "title"]
ProjectSort = Literal["name", "created_at", "updated_at"]

_TASK_FILTERS: Final = (
    *("status", "agent", "session", "task_id", "date_from", "date_to", "q", "since", "model"),
    *("cost_min", "attention", "silent", "overdue", "attempt", "attempt_min", "parent"),
    "title",
)


class Since(NamedTuple):
    """A time in milliseconds: since the epoch, or before now."""

    ms: int
    is_ago: bool = False

    def at(self, now: int) -> int:
        """Since the epoch; no task began earlier."""
        return max(now - self.ms, EARLIEST_START) if self.is_ago else self.ms


class TaskQuery(NamedTuple):
    """A page of tasks. None, or empty: not filtered by it; dates in milliseconds.

    `projects`: some of those that may be seen, where no other is named already; `status`: any of
    these; `agent`, `model`: of that name or, where there is none, those whose name holds it, in any
    case; `date_from`: started then or later; `date_to`: ended then or earlier; `since`: under way
    then or later; `q`: words, each of which is in the task's texts, at least as the beginning of a
    word. `cost_min`: told to have cost that much, in millionths of a dollar. `attention`: needs a
    person; `attempt_min`: started at least so often; `parent`: the task that started it;
    `title`: called exactly so. `figures`: whether those of all that match are wanted.
    """

    limit: int = 20
    offset: int = 0
    status: tuple[str, ...] = ()
    agent: str | None = None
    session: str | None = None
    date_from: int | None = None
    date_to: int | None = None
    q: str | None = None
    sort_by: TaskSort = "started_at"
    descending: bool = True
    projects: tuple[str, ...] = ()
    task_id: str | None = None
    since: Since | None = None
    model: str | None = None
    cost_min: int | None = None
    attention: bool | None = None
    silent: bool | None = None
    overdue: bool | None = None
    attempt: int | None = None
    attempt_min: int | None = None
    parent: str | None = None
    title: str | None = None
    figures: bool = False

    @property
    def filters(self) -> dict[str, Any]:
        """The filters of tasks that were given, by name."""
        filters = {name: getattr(self, name) for name in _TASK_FILTERS}
        return {name: value for name, value in filters.items() if value not in (None, ())}


class SessionQuery(NamedTuple):
    """A page of agents' sessions. `active`: with a task that has not ended, or without; None:
    either. `host`: the machine that an agent's hook has told."""

    project: str | None = None
    active: bool | None = None
    host: str | None = None
    limit: int = 50
    offset: int = 0


class ProjectQuery(NamedTuple):
    """A page of projects, each with its latest `activity_days` active days."""

    limit: int = 50
    offset: int = 0
    sort_by: ProjectSort = "updated_at"
    descending: bool = True
    activity_days: int = 0


class EventFilter(NamedTuple):
    """Which events; None means all."""

    project: str | None = None
    task_id: str | None = None
    type: str | None = None


class RetentionPolicy(NamedTuple):
    """How long ended tasks are kept, in days, and how large the database may grow, in bytes; how
    long the audit log is kept, and the messages of agents that are plugged in once their task has
    ended, in days; 0: no limit."""

    days: float = 0
    max_bytes: int = 0
    audit_days: float = 0
    message_days: float = 0


UNLIMITED: Final = RetentionPolicy()
