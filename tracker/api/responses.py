"""What the store answers, as the API document's JSON: times in ISO 8601, durations in seconds,
numbers whole where they are.

The shapes stand in `tracker.api.answers`, the words of webhooks' answers in `tracker.api.reports`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import orjson

from tracker.api import usage_responses
from tracker.clock import iso, iso_date
from tracker.domain import attention
from tracker.domain.attention import NO_REQUESTS
from tracker.domain.events import Event
from tracker.domain.limits import MAX_MODELS
from tracker.domain.messages import open_requests
from tracker.domain.records import (
    AgentSession,
    DayCount,
    Now,
    OverallStats,
    Page,
    ProjectStats,
    ProjectSummary,
    StatusCounts,
    StorageHealth,
    TaskDetail,
    TaskFigures,
    TaskLine,
    Trends,
)
from tracker.domain.tasks import TaskSummary, seconds, trim_float
from tracker.domain.usage import Usage

if TYPE_CHECKING:
    from tracker.api import answers


def project(summary: ProjectSummary) -> answers.Project:
    """An item of `/api/projects`; `activity` is missing unless it was asked for."""
    counts = summary.tasks
    content: answers.Project = {
        "id": summary.id,
        "name": summary.name,
        "created_at": iso(summary.created_at),
        "updated_at": iso(summary.updated_at),
        "task_count": counts.total,
        "active_tasks": counts.active,
        "completed_tasks": counts.completed,
        "failed_tasks": counts.failed,
    }
    if summary.activity is not None:
        content["activity"] = _timeline(summary.activity)
    return content


def task(summary: TaskSummary, usage: Usage | None) -> answers.Task:
    """An item of `/api/projects/{project_name}/tasks`."""
    return {
        "id": summary.id,
        "task_id": summary.task_id,
        "title": summary.title,
        "status": summary.status,
        "progress": trim_float(summary.progress),
        "agent": summary.agent,
        "started_at": iso(summary.started_at),
        "finished_at": None if summary.finished_at is None else iso(summary.finished_at),
        "duration_seconds": seconds(summary.duration_ms),
        "result": summary.result,
        "metadata": orjson.Fragment(summary.metadata),
        "attempt": summary.attempt,
        "message": summary.message,
        "error_type": summary.error_type,
        "error_message": summary.error_message,
        "created_at": iso(summary.created_at),
        "updated_at": iso(summary.updated_at),
        "session": summary.session,
        "parent_task_id": summary.parent_task_id,
        **_attention(summary),
        "stale_after_seconds": seconds(summary.stale_after_ms),
        "metadata_truncated": bool(summary.metadata_truncated),
        "truncated": bool(summary.truncated),
        "reported_at": iso(summary.reported_at or summary.updated_at),
        "usage": usage_responses.of_task(usage),
    }


def task_of(project: str, summary: TaskSummary, usage: Usage | None) -> answers.TaskOfProject:
    """An item of `/api/tasks`."""
    return {**task(summary, usage), "project": project}


def task_with_history(detail: TaskDetail) -> answers.TaskWithHistory:
    """`/api/projects/{project_name}/tasks/{task_id}`."""
    total = detail.usage_total
    return {
        **task(detail.summary, detail.usage),
        "usage": usage_responses.of_task(detail.usage, MAX_MODELS),
        "project": detail.project,
        "stack_trace": detail.stack_trace,
        "usage_total": None if total is None else usage_responses.amounts(total),
        "events": _messages(detail.events),
    }


def task_figures(figures: TaskFigures) -> answers.TaskFigures:
    """Of the tasks that match a filter."""
    counts = figures.tasks
    return {
        "complete": figures.is_complete,
        "sample": figures.sample,
        "task_stats": task_stats(counts),
        "performance": {
            **performance(counts.total, counts.completed, counts.failed, figures.duration_ms),
            "median_duration": seconds(figures.median_ms),
        },
        "usage": usage_responses.amounts(figures.usage),
    }


def events_page(page: Page, *, resync: bool) -> answers.EventsPage:
    """`/api/events`: `last_id` is the cursor for the next page."""
    return {
        "events": _messages(page.events),
        "last_id": page.cursor,
        "has_more": page.cursor < page.bounds.last,
        "oldest_id": page.bounds.oldest,
        "resync_required": resync,
    }


def task_line(line: TaskLine) -> answers.TaskLine:
    """An item of `/api/now` and `/api/search`."""
    return {
        "id": line.id,
        "project": line.project,
        "task_id": line.task_id,
        "title": line.title,
        "status": line.status,
        "progress": trim_float(line.progress),
        "agent": line.agent,
        "attempt": line.attempt,
        "started_at": iso(line.started_at),
        "finished_at": None if line.finished_at is None else iso(line.finished_at),
        "duration_seconds": seconds(line.duration_ms),
        "message": line.message,
        "result": line.result,
        "error_type": line.error_type,
        "error_message": line.error_message,
        "updated_at": iso(line.updated_at),
        "session": line.session,
        "parent_task_id": line.parent_task_id,
        **_attention(line),
    }


def agent_session(session: AgentSession) -> answers.AgentSession:
    """An item of `/api/sessions`."""
    state: Literal["waiting", "working", "your_turn", "ended"] = "ended"
    if session.waits:
        state = "waiting"
    elif session.tasks.active:
        state = "working"
    elif session.lives:
        state = "your_turn"
    return {
        "project": session.project,
        "session": session.name,
        "agent": session.agent,
        "host": session.host,
        "first_report_at": iso(session.first_at),
        "last_report_at": iso(session.last_at),
        "state": state,
        "tasks": task_stats(session.tasks),
        "usage": usage_responses.amounts(session.usage),
        "active": [task_line(line) for line in session.active],
        "last_task": None if session.last is None else task_line(session.last),
    }


def now(found: Now) -> answers.Now:
    """`/api/now`."""
    return {
        "today": {"completed": found.today.completed, "failed": found.today.failed},
        "active": [task_line(line) for line in found.active],
        "ended": [task_line(line) for line in found.ended],
        "last_id": found.last_id,
    }


def overall_stats(stats: OverallStats) -> answers.Stats:
    """`/api/stats`."""
    counts = stats.tasks
    return {
        "overview": {
            "total_projects": stats.projects,
            "total_tasks": counts.total,
            "active_tasks": counts.active,
            "completed_tasks": counts.completed,
            "failed_tasks": counts.failed,
        },
        "performance": {
            **performance(counts.total, counts.completed, counts.failed, stats.duration_ms),
            "total_duration": _rounded_seconds(stats.duration_ms),
        },
        "agents": [
            {
                "name": agent.name,
                "task_count": agent.tasks,
                **performance(agent.tasks, agent.completed, agent.failed, agent.duration_ms),
                "usage": usage_responses.amounts(agent.usage),
            }
            for agent in stats.agents
        ],
        "recent_activity": [
            {
                "project": activity.project,
                "task_id": activity.task_id,
                "status": activity.status,
                "timestamp": iso(activity.at),
            }
            for activity in stats.recent
        ],
        "usage": usage_responses.sums(stats.usage),
    }


def project_stats(stats: ProjectStats) -> answers.ProjectStats:
    """`/api/stats/projects/{project_name}`."""
    counts = stats.tasks
    return {
        "project": stats.project,
        "task_stats": task_stats(counts),
        "performance": performance(
            counts.total, counts.completed, counts.failed, stats.duration_ms
        ),
        "timeline": _timeline(stats.timeline),
        "usage": usage_responses.by_day(stats.usage, stats.usage_days),
    }


def trends(found: Trends) -> answers.Trends:
    """`/api/stats/trends`."""
    durations = found.durations
    return {
        "timeline": _timeline(found.timeline),
        "durations": {
            "sample": durations.sample,
            "median": seconds(durations.median_ms),
            "histogram": [
                {"up_to": seconds(bar.up_to_ms), "count": bar.tasks} for bar in durations.histogram
            ],
        },
        "agents": [
            {
                "name": agent.name,
                "sample": agent.sample,
                "median_duration": seconds(agent.median_ms),
            }
            for agent in durations.agents
        ],
    }


def storage(engine: str, health: StorageHealth) -> dict[str, Any]:
    """What `/db-check` tells of the database; sizes in bytes."""
    return {
        f"{engine}_version": health.version,
        "size_bytes": health.size_bytes,
        "wal_size_bytes": health.wal_size_bytes,
    }


def _attention(line: TaskSummary | TaskLine) -> answers.Attention:
    known = attention.load(orjson.loads(line.requests)) if line.requests else NO_REQUESTS
    oldest = known.oldest
    return {
        "attention": None if oldest is None else oldest.text,
        "attention_since": None if oldest is None else iso(oldest.since),
        "requests": open_requests(known),
        "silent_since": None if line.silent_since is None else iso(line.silent_since),
        "acknowledged_at": None if line.acknowledged_at is None else iso(line.acknowledged_at),
        "snoozed_until": None if line.snoozed_until is None else iso(line.snoozed_until),
        "overdue": bool(line.overdue),
        "blocked": bool(line.blocked),
    }


def task_stats(counts: StatusCounts) -> answers.TaskStats:
    """How many tasks are in each state."""
    return {
        "total": counts.total,
        "completed": counts.completed,
        "running": counts.running,
        "failed": counts.failed,
        "pending": counts.pending,
    }


def _messages(events: Iterable[Event]) -> list[orjson.Fragment]:
    return [orjson.Fragment(event.message) for event in events]


def _timeline(days: Iterable[DayCount]) -> list[answers.Day]:
    return [
        {"date": iso_date(day.day), "completed": day.completed, "failed": day.failed}
        for day in days
    ]


def performance(total: int, completed: int, failed: int, duration_ms: int) -> answers.Performance:
    """Rates in percent with one decimal (docs/contract.md, "Statistics"), durations in seconds."""
    ended = completed + failed
    return {
        "average_duration": _rounded_seconds(duration_ms / ended) if ended else 0,
        "success_rate": _percent(completed, total),
        "finished_success_rate": _percent(completed, ended),
    }


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _rounded_seconds(ms: float) -> float:
    """Always with a decimal, unlike `seconds`."""
    return round(ms / 1000, 3)
