"""What the store answers of many tasks at once, as JSON: see `tracker.api.responses`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.api import usage_responses
from tracker.api.responses import performance, task_stats
from tracker.clock import iso
from tracker.domain.failures import Failures, Group
from tracker.domain.insights import Figures, Insights
from tracker.domain.tasks import seconds
from tracker.domain.timeline import Interval, Timeline, Track

if TYPE_CHECKING:
    from tracker.api import insight_answers as answers


def timeline(found: Timeline) -> answers.Timeline:
    """`/api/timeline`."""
    query = found.query
    agents, others = found.others
    tracks: list[answers.AgentTrack] = [
        {"agent": name, **_track(track)} for name, track in found.tracks
    ]
    told = sum(track["task_stats"]["total"] for track in tracks) + others.tasks.total
    return {
        "from": iso(query.begin),
        "to": iso(query.end),
        "bin_seconds": seconds(query.width),
        "total": told + found.left_out,
        "agents": tracks,
        "others": {"agents": agents, **_track(others)},
        "intervals": None
        if found.intervals is None
        else [_interval(interval) for interval in found.intervals],
        "left_out": found.left_out,
    }


def _track(track: Track) -> answers.Track:
    return {
        "task_stats": task_stats(track.tasks),
        "running": [*track.running],
        "completed": [*track.completed],
        "failed": [*track.failed],
    }


def _interval(task: Interval) -> answers.Interval:
    return {
        "id": task.id,
        "project": task.project,
        "task_id": task.task_id,
        "title": task.title,
        "agent": task.agent,
        "status": task.status,
        "attempt": task.attempt,
        "started_at": iso(task.started_at),
        "finished_at": None if task.finished_at is None else iso(task.finished_at),
        "parent_task_id": task.parent_task_id,
        "session": task.session,
    }


def insights(found: Insights, zone: str) -> answers.Insights:
    """`/api/stats/insights`; `zone`: as it was given."""
    overall = found.overall
    return {
        "tz": zone,
        "from": iso(found.begin),
        "to": iso(found.end),
        "total": found.total,
        "complete": overall.completed + overall.failed == found.total,
        "overall": _figures(overall),
        "days": [{"date": day.isoformat(), **_figures(of)} for day, of in found.days],
        "projects": [
            {"project": line.name[0], **_figures(line.figures)} for line in found.projects.lines
        ],
        "agents": [
            {"agent": line.name[0], **_figures(line.figures)} for line in found.agents.lines
        ],
        "models": [
            {"model": line.name[0] or None, **_figures(line.figures)} for line in found.models.lines
        ],
        "titles": [
            {"project": line.name[0], "title": line.name[1], **_figures(line.figures)}
            for line in found.titles.lines
        ],
        "kinds": {
            "projects": found.projects.total,
            "agents": found.agents.total,
            "models": found.models.total,
            "titles": found.titles.total,
        },
    }


def _figures(of: Figures) -> answers.EndedFigures:
    ended = of.completed + of.failed
    known = performance(ended, of.completed, of.failed, of.duration_ms)
    return {
        "completed": of.completed,
        "failed": of.failed,
        "finished_success_rate": known["finished_success_rate"],
        "average_duration": known["average_duration"],
        "median_duration": seconds(of.median_ms),
        "usage": usage_responses.amounts(of.usage),
    }


def failures(found: Failures) -> answers.Failures:
    """`/api/failures`."""
    return {
        "total": found.total,
        "complete": found.looked_at == found.total,
        "kinds": found.kinds,
        "groups": [_group(group) for group in found.groups],
    }


def _group(group: Group) -> answers.FailureGroup:
    return {
        "project": group.project,
        "error_type": group.error_type,
        "message": group.message,
        "example": group.example,
        "count": group.failures,
        "first_seen": iso(group.first_at),
        "last_seen": iso(group.last_at),
        "tasks": [
            {"task_id": task.task_id, "agent": task.agent, "finished_at": iso(task.finished_at)}
            for task in group.tasks
        ],
        "agents": [{"agent": name, "count": count} for name, count in group.agents],
    }
