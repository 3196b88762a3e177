"""`task` and `flush` by the tracker that the environment describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from agent_task_tracker import defaults
from agent_task_tracker.further import Further
from agent_task_tracker.running import Task

_P = ParamSpec("_P")
_R = TypeVar("_R")


@overload
def task(title: Callable[_P, _R], /) -> Callable[_P, _R]: ...


@overload
def task(
    title: str | None = None,
    *,
    project: str | None = None,
    task_id: str | None = None,
    agent: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    **further: Unpack[Further],
) -> Task: ...


def task(
    title: Callable[_P, _R] | str | None = None,
    *,
    project: str | None = None,
    task_id: str | None = None,
    agent: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    **further: Unpack[Further],
) -> Task | Callable[_P, _R]:
    """A task, for `with`, `async with` or as a decorator; see `Task`. Without `task_id` each run is
    a task of its own; with it, a later run is a further attempt at the same. Settings come from the
    environment, see `Tracker`."""
    made = Task(
        defaults.tracker(),
        None if callable(title) else title,
        project=project,
        task_id=task_id,
        agent=agent,
        metadata=metadata,
        **further,
    )
    return made(title) if callable(title) else made


def flush(timeout: float = 10.0) -> bool:
    """See `Tracker.flush`."""
    return defaults.tracker().flush(timeout)
