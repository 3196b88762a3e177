"""Progress bars that people have already: they are looked at, and left as they are.

tqdm's has `n`, `total` and `desc`; rich's `Progress` has `tasks`, each with `completed`, `total`
and `description`. Nothing of either is imported.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from agent_task_tracker.iterating import Count


class _Shown(NamedTuple):
    done: float | None
    total: float | None
    words: str | None


class Follower:
    """Reports what a bar shows whenever that has changed, until it is stopped."""

    def __init__(self, bar: Any, every: float, count: Count) -> None:
        self._bar = bar
        self._every = every
        self._count = count
        self._stopping = threading.Event()
        self._told: _Shown | None = None

    def start(self) -> None:
        """Look at it from now on, every so many seconds."""
        thread = threading.Thread(target=self._run, name="agent-task-tracker-bar", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there are too many, or the interpreter ends
            self._look()

    def stop(self) -> None:
        """Look at it once more, and no more."""
        self._stopping.set()
        self._look()

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            self._look()

    def _look(self) -> None:
        try:
            shown = _of_rich(self._bar) if hasattr(self._bar, "tasks") else _of_tqdm(self._bar)
        except Exception:  # noqa: BLE001 - theirs
            return
        if shown != self._told:
            self._told = shown
            self._count(*shown)


def _of_tqdm(bar: Any) -> _Shown:
    done, total = float(bar.n), bar.total
    numbers = f"{done:g}/{total:g}" if total else f"{done:g}"
    words = str(getattr(bar, "desc", "") or "").removesuffix(": ")
    return _Shown(done, total and float(total), f"{words}: {numbers}" if words else numbers)


def _of_rich(progress: Any) -> _Shown:
    """Of several bars in one all steps count; the words are those of the first that goes on."""
    tasks = list(progress.tasks)
    totals = [task.total for task in tasks]
    total = None if None in totals or not totals else float(sum(totals))
    going = [task for task in tasks if not task.finished] or tasks[-1:]
    words = str(going[0].description) if going else None
    return _Shown(float(sum(task.completed for task in tasks)), total, words)
