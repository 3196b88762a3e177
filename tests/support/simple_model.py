"""A reference model of the server, written from docs/contract.md in the plainest way.

Nothing here is taken from `tracker`. It holds everything, scans all of it for each query, and takes
the time from the server's responses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]

EVENT_TYPES = {
    "start": "task_started",
    "status": "task_status_updated",
    "finish": "task_finished",
    "error": "task_error",
}
ENDED = ("completed", "failed")
FORGOTTEN_BY_A_NEW_ATTEMPT = (
    *("finished_at", "duration_seconds", "message", "result"),
    *("error_type", "error_message", "stack_trace"),
)
MS_PER_DAY = 86_400_000
# Its agents tell of none.
NO_USAGE = {
    **{"input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0},
    **{"cost_usd": 0, "estimated_cost_usd": 0},
}


def seconds(ms: float) -> float:
    return round(ms / 1000, 3)


def percent(part: int, of: int) -> float:
    return round(part / of * 100, 1) if of else 0.0


@dataclass
class Project:
    created_at: int
    updated_at: int


@dataclass
class SimpleModel:
    """Times are milliseconds, as are durations, whatever the fields are called."""

    projects: dict[str, Project] = field(default_factory=dict)
    tasks: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def report(self, kind: str, body: Body, event_id: int, now: int) -> dict[str, Any]:
        """Take a report that became this event at this time; the task after it."""
        name = (body["project"], body["task_id"])
        task = self.tasks.get(name)
        created = task is None
        if task is None:
            ago = round((body.get("duration_seconds") or 0) * 1000)
            task = self.tasks[name] = {
                "status": "new",
                "progress": 0,
                "attempt": 1,
                "metadata": {},
                "started_at": now - ago,
                "created_at": now,
                "first_event": event_id,
                **dict.fromkeys(FORGOTTEN_BY_A_NEW_ATTEMPT),
            }
        late = kind == "status" and task["status"] in ENDED
        if not late:
            self._change(task, kind, body, now)
            project = self.projects.setdefault(body["project"], Project(now, now))
            project.updated_at = now
        self.events.append(
            {
                "id": event_id,
                "type": EVENT_TYPES[kind],
                "project": body["project"],
                "task_id": body["task_id"],
                "status": task["status"],
                "progress": task["progress"],
                "attempt": task["attempt"],
                "metadata": body.get("metadata") or {},
                "at": now,
            }
        )
        return {**task, "created": created}

    def _change(self, task: dict[str, Any], kind: str, body: Body, now: int) -> None:
        task["title"] = body["task"] or task.get("title", body["task_id"])
        task["agent"] = body["agent"]
        task["metadata"] = {**task["metadata"], **(body.get("metadata") or {})}
        task["updated_at"] = now
        if kind == "start":
            self._start(task, now)
            return
        wanted = {"finish": "completed", "error": "failed"}.get(kind)
        if kind == "status":
            wanted = body.get("status") or "running"
            for name in ("progress", "message"):
                if body.get(name) is not None:
                    task[name] = body[name]
        if wanted == "running" and task["status"] == "pending":
            task["started_at"] = now
        if wanted in ENDED:
            self._end(task, wanted, body, now)
        else:
            task["status"] = wanted

    @staticmethod
    def _start(task: dict[str, Any], now: int) -> None:
        if task["status"] == "pending":
            task["started_at"] = now
        elif task["status"] in ENDED:
            task["attempt"] += 1
            task["progress"] = 0
            task["started_at"] = now
            task.update(dict.fromkeys(FORGOTTEN_BY_A_NEW_ATTEMPT))
        task["status"] = "running"

    @staticmethod
    def _end(task: dict[str, Any], wanted: str, body: Body, now: int) -> None:
        if task["status"] != wanted:  # else it is the same end over again
            task["finished_at"] = now
            task["duration_seconds"] = now - task["started_at"]
        if body.get("duration_seconds") is not None:
            task["duration_seconds"] = round(body["duration_seconds"] * 1000)
        task["status"] = wanted
        if wanted == "completed":
            task["progress"] = 100
            if body.get("result") is not None:
                task["result"] = body["result"]
        else:
            task["result"] = None
        for name in ("error_type", "error_message", "stack_trace"):
            task[name] = body.get(name) if wanted == "failed" else None

    def delete_task(self, project: str, task_id: str) -> bool:
        found = self.tasks.pop((project, task_id), None)
        self.events = [
            event
            for event in self.events
            if (event["project"], event["task_id"]) != (project, task_id)
        ]
        return found is not None

    def delete_project(self, project: str) -> bool:
        for _, task_id in self.tasks_of(project):
            self.delete_task(project, task_id)
        return self.projects.pop(project, None) is not None

    def tasks_of(self, project: str | None) -> list[tuple[str, str]]:
        """The tasks' names, of one project or all, newest start first, ties by age."""
        names = [name for name in self.tasks if project in (None, name[0])]
        order = {
            name: (self.tasks[name]["started_at"], self.tasks[name]["first_event"])
            for name in names
        }
        return sorted(names, key=order.__getitem__, reverse=True)

    def counts(self, project: str | None) -> dict[str, int]:
        found = [self.tasks[name]["status"] for name in self.tasks_of(project)]
        states = ("pending", "running", "completed", "failed")
        return {"total": len(found), **{state: found.count(state) for state in states}}

    def performance(self, tasks: list[dict[str, Any]]) -> dict[str, float]:
        completed = sum(task["status"] == "completed" for task in tasks)
        durations = [task["duration_seconds"] for task in tasks if task["status"] in ENDED]
        return {
            "average_duration": seconds(sum(durations) / len(durations)) if durations else 0,
            "success_rate": percent(completed, len(tasks)),
            "finished_success_rate": percent(completed, len(durations)),
        }

    def project_stats(self, project: str, dates: Any) -> dict[str, Any]:
        """`dates` turns a day, counted from the epoch, into what the API calls it."""
        tasks = [self.tasks[name] for name in self.tasks_of(project)]
        ends = [(t["finished_at"] // MS_PER_DAY, t["status"]) for t in tasks if t["finished_at"]]
        return {
            "project": project,
            "task_stats": self.counts(project),
            "performance": self.performance(tasks),
            "timeline": [
                {"date": dates(day), **{state: ends.count((day, state)) for state in ENDED}}
                for day in sorted({day for day, _ in ends})
            ],
            "usage": {**NO_USAGE, "models": [], "days": []},
        }

    def stats(self, times: Any) -> dict[str, Any]:
        """`times` turns milliseconds into what the API writes."""
        tasks = list(self.tasks.values())
        counts = self.counts(None)
        agents = {
            agent: [task for task in tasks if task["agent"] == agent]
            for agent in {task["agent"] for task in tasks}
        }
        return {
            "overview": {
                "total_projects": len(self.projects),
                "total_tasks": counts["total"],
                "active_tasks": counts["pending"] + counts["running"],
                "completed_tasks": counts["completed"],
                "failed_tasks": counts["failed"],
            },
            "performance": {
                **self.performance(tasks),
                "total_duration": seconds(
                    sum(task["duration_seconds"] for task in tasks if task["status"] in ENDED)
                ),
            },
            "agents": [
                {
                    **{"name": agent, "task_count": len(of_agent)},
                    **self.performance(of_agent),
                    "usage": NO_USAGE,
                }
                for agent, of_agent in sorted(
                    agents.items(), key=lambda item: (-len(item[1]), item[0])
                )
            ],
            "recent_activity": [
                {
                    "project": event["project"],
                    "task_id": event["task_id"],
                    "status": event["status"],
                    "timestamp": times(event["at"]),
                }
                for event in self.events[:-11:-1]
            ],
            "usage": {**NO_USAGE, "models": []},
        }
