"""What is told of a command: that it runs, its last line, how it ended."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from agent_task_tracker.defaults import project_name
from agent_task_tracker.masking import Masking
from agent_task_tracker.naming import id_of
from tracker.run.arguments import Job
from tracker.run.outcome import Outcome
from tracker.run.tail import Tail
from tracker.run.words import Words, cut

# Seconds between two reports of the last line.
_INTERVAL: Final = 1.0

# Seconds that the end of a command may be held up by the last report: a server that has not
# answered since the command began gets less.
_PATIENCE: Final = 1.0
_LITTLE_PATIENCE: Final = 0.1

_MAX_TITLE: Final = 1000
_MAX_COMMAND: Final = 10_000


class Closed(Protocol):
    """What became of reports: refused by the server, neither sent nor kept, and why."""

    @property
    def rejected(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def problem(self) -> str | None: ...


class Reporter(Protocol):
    """Hands reports over, and never fails; see `agent_task_tracker.reporter`."""

    def report(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Hand a report over, at once."""

    def flush(self, seconds: float) -> bool:
        """Whether all of them are with the server, within `seconds`."""

    def close(self, seconds: float = ...) -> Closed:
        """Send what is left within `seconds`, keep the rest for later. What became of it."""


class Reports(threading.Thread):
    """Tells of one command in a thread of its own. `find` makes the reporter, which takes longer
    than the command's start should: the command runs meanwhile.

    `problem`: why reports are lost. Those that wait for their server are not.
    """

    def __init__(
        self,
        job: Job,
        environment: Mapping[str, str],
        outputs: Sequence[Tail],
        find: Callable[[], Reporter],
        began: float,
    ) -> None:
        """`outputs`: standard output and, if it is another, standard error; `began`: the time of
        the command's start, in seconds since 1970."""
        super().__init__(daemon=True)
        self._job = job
        self._environment = environment
        self._masking = Masking(environment)
        self._words = Words([] if job.is_private else outputs, self._masking, job.progress)
        self._find = find
        self._began = began
        self._ended = threading.Event()
        self._outcome: Outcome | None = None
        self._told = 0.0  # on the monotonic clock, when the reporter was told of the start
        self.problem: str | None = None

    def end(self, outcome: Outcome) -> None:
        """The command has ended, and its output is complete."""
        self._outcome = outcome
        self._ended.set()

    def run(self) -> None:
        """See threading.Thread. Whatever fails here is none of the command's business."""
        try:
            self._tell(self._find())
        except Exception as error:  # noqa: BLE001
            self.problem = str(error)

    def _tell(self, reporter: Reporter) -> None:
        job, words = self._job, self._words
        shown = Path(job.command[0]).name if job.is_private else self._masking.command(job.command)
        title = job.task or shown
        names = {
            "project": job.project or project_name(self._environment),
            "task": cut(title, _MAX_TITLE),
            "task_id": job.task_id or id_of(title),
            "agent": job.agent,
            "session": job.session,
            "parent_task_id": job.parent,
            "stale_after_seconds": job.stale_after,
        }
        known = {"command": cut(shown, _MAX_COMMAND), "host": socket.gethostname()}
        start = {"metadata": None if job.is_private else known, "occurred_at": _iso(self._began)}
        reporter.report("start", {**names, **start})
        self._told = time.monotonic()
        while not self._ended.wait(_INTERVAL):
            if words.look():
                now = {"message": words.message, "progress": words.progress}
                reporter.report("status", {**names, **now})
        assert self._outcome is not None  # noqa: S101 - it is set before the event
        kind, end = self._end_of(self._outcome)
        reporter.report(kind, {**names, **end})
        self._close(reporter)

    def _end_of(self, outcome: Outcome) -> tuple[str, dict[str, Any]]:
        """The kind of the last report, and what it says."""
        self._words.look(is_end=True)
        seconds = round(outcome.seconds, 3)
        at = {"occurred_at": _iso(self._began + outcome.seconds)}
        metadata: dict[str, Any] = {"exit_code": outcome.exit_code}
        if outcome.exit_code == 0:
            result = {"result": self._words.message, "duration_seconds": seconds}
            return "finish", {"metadata": metadata, **at, **result}
        metadata["duration_seconds"] = seconds  # reports of errors have no place of their own
        happened = outcome.problem or f"exit code {outcome.exit_code}"
        if outcome.signal:
            metadata["signal"] = outcome.signal
            happened = f"ended by {outcome.signal}"
        complaint = self._words.complaint
        error = {
            "error_type": "NotStarted" if outcome.problem else outcome.signal or "ExitCode",
            "error_message": f"{happened}: {complaint}" if complaint else happened,
            "stack_trace": self._words.trace(),
        }
        return "error", {"metadata": metadata, **at, **error}

    def _close(self, reporter: Reporter) -> None:
        is_new = time.monotonic() - self._told < _PATIENCE
        answers = is_new or reporter.flush(_LITTLE_PATIENCE)
        closed = reporter.close(_PATIENCE if answers else _LITTLE_PATIENCE)
        if closed.lost or closed.rejected:
            self.problem = closed.problem


def _iso(seconds: float) -> str:
    whole, fraction = divmod(round(seconds * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{fraction:03}Z"
