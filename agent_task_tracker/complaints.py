"""What went wrong while reporting, for the log: each once a minute, never more.

Nothing is logged where it is noticed: a job's threads may hold locks of their own handlers.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

# Seconds.
_INTERVAL: Final = 60.0

# Of fields so many things are told apart; what there is beyond them is not told.
_MAX_KINDS: Final = 100


class Complaints:
    """Logs to the logger `agent_task_tracker`. Where nobody has set logging up nothing is printed:
    what a job prints is its own."""

    def __init__(
        self,
        logger: logging.Logger | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger or logging.getLogger("agent_task_tracker")
        if not self._logger.handlers:
            self._logger.addHandler(logging.NullHandler())
        self._monotonic = monotonic
        self._said: dict[str, float] = {}
        self._unsaid: deque[str] = deque()

    def say(self, kind: str, text: str, interval: float = _INTERVAL) -> None:
        """Have it logged, unless something of its kind was within the interval, in seconds."""
        now = self._monotonic()
        if now < self._said.get(kind, 0.0):
            return
        self._said[kind] = now + interval
        self._unsaid.append(text)

    def say_once(self, kind: str, text: str) -> None:
        """Have it logged, unless something of its kind ever was."""
        self.say(kind, text, float("inf"))

    def speak(self) -> None:
        """Log what there is to say: in the sending thread, which holds no lock."""
        while self._unsaid:
            with contextlib.suppress(Exception):  # a handler of theirs that fails
                self._logger.warning("%s", self._unsaid.popleft())

    def note(self, text: str) -> None:
        """Something about a report's field: see `fields.clean`."""
        if text in self._said or len(self._said) < _MAX_KINDS:
            self.say(text, f"a report's {text}")
