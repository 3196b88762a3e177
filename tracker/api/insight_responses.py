"""What the store answers of many tasks at once, as JSON: see `tracker.api.responses`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.api.responses import task_stats
from tracker.clock import iso
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
