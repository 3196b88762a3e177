"""Hands reports over in microseconds, and has them sent in the background.

What is handed over is in this process's journal on the disk at once, so it is not lost however the
process ends. A thread takes it to the server, or, while that does not answer, to the spool, from
where this process, another one or the server itself delivers it later.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from agent_task_tracker.complaints import Complaints
from agent_task_tracker.finding import Found, Whereabouts
from agent_task_tracker.handover import Handover, complain_of_disk
from agent_task_tracker.journal import recover
from agent_task_tracker.link import TIMEOUT
from agent_task_tracker.report import process_of
from agent_task_tracker.reports import Reports
from agent_task_tracker.spool import Spool
from agent_task_tracker.worker import Worker

# At the end so many reports at most are put from the journal into files: others do it with more.
_FILED_AT_THE_END: Final = 500

# Seconds that the end of a process may take, if nobody closes the reporter before.
_AT_EXIT: Final = 2.0


class Closed(NamedTuple):
    """What became of all reports. `spooled`: kept on the disk for later; `lost`: neither sent nor
    kept; `problem`: why something was not sent, in one line."""

    sent: int
    spooled: int
    rejected: int
    lost: int
    problem: str | None


class Reporter:
    """Reports to one server. Nothing here raises or waits, but for `flush` and `close`, which say
    for how long. Any thread may use it, and a signal handler; after a fork the child has a sender
    of its own, and what the parent handed over stays the parent's."""

    def __init__(
        self,
        look: Callable[[], Found],
        spool: Spool,
        *,
        timeout: float = TIMEOUT,
        complaints: Complaints | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """`look` finds the server, and is asked again while that does not answer; it may raise
        ClientError. `timeout`: seconds that the server may be silent."""
        self._spool = spool
        self._timeout = timeout
        self._complaints = complaints or Complaints()
        self._whereabouts = Whereabouts(look, environment)
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._handed = self._lost = self._spooled = 0
        self._begin()
        if hasattr(os, "register_at_fork"):
            reference = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: _call(reference))

    def report(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Report a start, status, finish or error. `fields`: as the webhook takes them. Takes some
        microseconds, and never raises: what cannot be taken is converted or left out."""
        try:
            with self._handover.lock:
                made = self._reports.make(kind, fields, self._complaints.note)
                self._handed += 1
                if self._is_closed:
                    self._spool.put(made, self._whereabouts.destination)
                    self._spooled += 1
                    return
                self._handover.put(made, self._whereabouts.destination)
                if self._thread is None:
                    self._start()
        except OSError as error:
            self._lost += 1
            complain_of_disk(self._complaints, self._spool, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job goes on
            self._lost += 1
            self._complaints.say("report", f"a report was lost: {type(error).__name__}: {error}")

    def flush(self, seconds: float) -> bool:
        """Wait until all that was handed over is with the server: at most so long, and less if it
        does not answer. Whether it is."""
        if self._thread is None or not self._thread.is_alive():
            return not self._handed
        asked = self._handover.ask()
        self._worker.hurry()
        asked.answered.wait(seconds)
        return asked.is_done

    def close(self, seconds: float = _AT_EXIT) -> Closed:
        """Send what can be sent in so many seconds, keep the rest on the disk, and end. Later
        reports are only kept."""
        if not self._is_closed:
            try:
                self._is_closed = True
                self._worker.end_at(time.monotonic() + seconds)
                if self._thread is not None and self._thread.is_alive():
                    self._thread.join(seconds)
            finally:
                self._let_go()
                atexit.unregister(self._close_at_exit)
        rejected, lost = self._worker.rejected, self._lost
        sent = max(0, self._handed - self._spooled - rejected - lost)
        return Closed(sent, self._spooled, rejected, lost, self._worker.problem)

    def _begin(self) -> None:
        self._reports = Reports()
        self._handover = Handover(self._spool, self._complaints)
        self._worker = Worker(
            *(self._handover, self._spool, self._whereabouts),
            *(self._timeout, self._complaints),
        )
        self._thread = None
        self._is_closed = False
        self._handed = self._lost = self._spooled = 0

    def _start(self) -> None:
        self._thread = threading.Thread(
            target=self._worker.run, name="agent-task-tracker", daemon=True
        )
        with contextlib.suppress(RuntimeError):  # the interpreter ends: the journal has it all
            self._thread.start()
        atexit.register(self._close_at_exit)
        processes = sys.modules.get("multiprocessing.process")
        if processes is not None and processes.parent_process() is not None:
            # Such a child ends by `os._exit`, after what is registered there.
            from multiprocessing.util import Finalize  # noqa: PLC0415 - it is there already

            Finalize(None, self._close_at_exit, exitpriority=10)

    def _close_at_exit(self) -> None:
        with contextlib.suppress(KeyboardInterrupt):  # another Ctrl-C: do not wait, then
            self.close()

    def _let_go(self) -> None:
        """Leave to others what is not settled, in files if that is quick."""
        unsettled = self._handover.close()
        self._lost += self._worker.leave() + self._handover.lost
        try:
            if 0 < unsettled <= _FILED_AT_THE_END:
                recover(self._spool)
                unsettled = 0
            waiting = self._spool.waiting(*self._whereabouts.destinations)
        except OSError as error:
            complain_of_disk(self._complaints, self._spool, error)
            waiting = []
        self._complaints.speak()
        process = os.getpid()
        own = sum(process_of(name) == process for name, _ in waiting)
        self._spooled = min(self._spooled + unsettled + own, self._handed)

    def _after_fork(self) -> None:
        self._handover.forget()
        self._worker.disown()
        self._begin()


def _call(reference: weakref.WeakMethod[Callable[[], None]]) -> None:
    method = reference()
    if method is not None:
        method()
