"""Progress of what may take a while: a bar on a terminal, few lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tracker.cli.output import print_text
from tracker.cli.signals import tidy_end

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much; a total of 0 is not known."""

# Seconds before anything is shown, between two changes of the bar, and between two lines of a log.
_PATIENCE: Final = 1.0
_REFRESH: Final = 0.1
_LOG_INTERVAL: Final = 30.0


@contextmanager
def progress(what: str, unit: str = "", *, hidden: bool = False) -> Iterator[Progress]:
    """Shows how far the block has come, on standard error, once it has lasted a second: with rate
    and time left. `unit`: what is counted, such as tasks; `hidden`: it would stand amidst output.
    Signals end it tidily."""
    shown = _Bar(what, unit) if sys.stderr.isatty() else _Log(what, unit)
    try:
        with tidy_end():
            yield (lambda _done, _total: None) if hidden else shown.show
    finally:
        shown.close()


class _Log:
    def __init__(self, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._began = time.monotonic()
        self._due = self._began + _LOG_INTERVAL

    def show(self, done: int, total: int) -> None:
        """See Progress."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _LOG_INTERVAL
        seconds = now - self._began
        if not done:
            print_text(f"{self._what}: {seconds:.0f} s so far", err=True)
            return
        of = f" of {total:,}" if total else ""
        left = f", {(total - done) * seconds / done:.0f} s left" if total else ""
        print_text(f"{self._what}: {done:,}{of} {self._unit}{left}", err=True)

    def close(self) -> None:
        """Nothing to clean up."""


class _Bar:
    """By rich, but not refreshed by a thread of its own: what takes a while holds the interpreter,
    and a failed write there would print a traceback."""

    def __init__(self, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._due = time.monotonic() + _PATIENCE
        self._bar: _Rich | None = None

    def show(self, done: int, total: int) -> None:
        """See Progress."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _REFRESH
        if self._bar is None:
            self._bar = _Rich(self._what, self._unit)
        self._bar.show(done, total)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


class _Rich:
    def __init__(self, what: str, unit: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True, markup=False),
            transient=True,
            auto_refresh=False,
            get_time=time.monotonic,
        )
        self._what = what
        self._unit = unit
        self._total = 0
        self._bar = self._progress.add_task(what, total=None, rate="")
        self._progress.start()

    def show(self, done: int, total: int) -> None:
        if total != self._total or done < self._progress.tasks[0].completed:  # another stage
            self._progress.remove_task(self._bar)
            self._bar = self._progress.add_task(self._what, total=total or None, rate="")
            self._total = total
        speed = self._progress.tasks[0].speed
        rate = f"{speed:,.0f} {self._unit}/s" if speed and self._unit else ""
        if not total and done:
            rate = f"{done:,} {self._unit}, {rate}".removesuffix(", ")
        self._progress.update(self._bar, completed=done, rate=rate)
        self._progress.refresh()

    def close(self) -> None:
        self._progress.stop()
