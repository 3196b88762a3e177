"""The Python SDK, and pytest's plugin: what users' code imports.

    import agent_task_tracker

    with agent_task_tracker.task("Evaluate", project="my-project") as task:
        task.progress(40, "half")

reports in the background, and never raises into the job or holds it up. `Client` is for those who
want the server's answers:

    from agent_task_tracker import Client, ClientError, Refused, Unreachable

Standard library only, and nothing of `tracker`: a project's own `tracker.py` may have that name.
"""

from __future__ import annotations

from agent_task_tracker.errors import (
    ClientError,
    NoTracker,
    Refused,
    TooLarge,
    Unreachable,
    Unverified,
)
from agent_task_tracker.light_typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent_task_tracker.client import Client
    from agent_task_tracker.handler import TaskHandler
    from agent_task_tracker.reporter import Closed
    from agent_task_tracker.running import Task, current_task
    from agent_task_tracker.simple import flush, task
    from agent_task_tracker.tracking import Tracker
else:
    _HOMES = {
        "Client": "client",
        "Closed": "reporter",
        "Task": "running",
        "TaskHandler": "handler",
        "Tracker": "tracking",
        "current_task": "running",
        "flush": "simple",
        "task": "simple",
    }

    def __getattr__(name: str) -> Any:
        """Import the rest on first use: every run of pytest loads the plugin, few need it."""
        from importlib import import_module  # noqa: PLC0415 - hooks do without

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found


__all__ = [
    "Client",
    "ClientError",
    "Closed",
    "NoTracker",
    "Refused",
    "Task",
    "TaskHandler",
    "TooLarge",
    "Tracker",
    "Unreachable",
    "Unverified",
    "current_task",
    "flush",
    "task",
]
