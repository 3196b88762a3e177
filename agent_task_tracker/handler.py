"""`TaskHandler`: what a job logs, as messages of its task."""

from __future__ import annotations

import logging
from typing import Final

from agent_task_tracker.running import Task, current_task

# What this package logs would be reported, fail, and be logged again.
_OWN: Final = "agent_task_tracker"


class TaskHandler(logging.Handler):
    """Reports log records as messages of the running task: the one that was given, else the
    innermost `with` of the thread or asyncio task that logs. Without one they are not reported.

    >>> import logging, agent_task_tracker
    >>> logging.getLogger("demo").addHandler(agent_task_tracker.TaskHandler(logging.INFO))
    """

    def __init__(self, level: int | str = logging.INFO, task: Task | None = None) -> None:
        super().__init__(level)
        self._task = task

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler. A record that cannot be formatted is left out."""
        task = self._task or current_task()
        if task is None or record.name.split(".")[0] == _OWN:
            return
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - what does not fit its format, or raises; the job goes on
            return
        task.message(text)
