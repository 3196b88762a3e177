"""Delivers what waits in the spool: in order for each task, each report once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from agent_task_tracker.courier import Courier, Kept, Verdict
from agent_task_tracker.destination import Destination
from agent_task_tracker.journal import recover
from agent_task_tracker.report import HOOK, MAX_REPORTS, Report
from agent_task_tracker.spool import Spool, Waiting

# Seconds until a report is sent again for which the server had no time.
_SOON: Final = 0.5

# Bytes of reports in one request.
BATCH_BYTES: Final = 512 * 1024


class Delivery:
    """One pass over what waits for a server. What is kept is not tried again in it, nor is anything
    of the same task that was handed over later."""

    def __init__(self, spool: Spool, destinations: Sequence[Destination], courier: Courier) -> None:
        self._spool = spool
        self._destinations = destinations
        self._courier = courier
        self._waiting: Iterator[Waiting] = iter(())
        self._following: tuple[Waiting, Report] | None = None
        self._kept: set[str] = set()
        self._blocked: set[tuple[bool, str, str]] = set()
        self.sent = 0
        self.rejected = 0
        self.problem: str | None = None
        self.is_soon = False
        """Whether some of what is kept may be taken in a moment."""

    @property
    def kept(self) -> int:
        """How many are not delivered although they were looked at."""
        return len(self._kept)

    def look_again(self) -> None:
        """Begin another pass: what was kept is tried again."""
        self._kept.clear()
        self._blocked.clear()
        self.problem, self.is_soon = None, False

    def step(self) -> bool:
        """Send one request; whether there may be more to send. Raises Kept, OSError."""
        batch = self._next_batch()
        if not batch:
            return False
        verdicts = self._courier.send([report for _, report in batch])
        for (waiting, report), verdict in zip(batch, verdicts, strict=True):
            self._settle(waiting, report, verdict)
        return True

    def _settle(self, waiting: Waiting, report: Report, verdict: Verdict) -> None:
        if not verdict.is_final:
            self._keep(waiting, report)
            self.problem = verdict.reason
            self.is_soon |= verdict.is_soon
            return
        try:
            if verdict.reason is None:
                self.sent += 1
                self._spool.remove(waiting)
            else:
                self.rejected += 1
                self.problem = verdict.reason
                self._spool.reject(report, waiting.destination, verdict.reason)
        except OSError:  # a full or read-only disk: it stays, and its server knows it next time
            self._kept.add(waiting.name)

    def _keep(self, waiting: Waiting, report: Report) -> None:
        self._kept.add(waiting.name)
        self._blocked.add(report.task)

    def _next_batch(self) -> list[tuple[Waiting, Report]]:
        batch: list[tuple[Waiting, Report]] = []
        size = 0
        while len(batch) < MAX_REPORTS:
            following = self._following or self._next(again=not batch)
            if following is None:
                break
            self._following = following
            report = following[1]
            size += len(report.content)
            if batch and (size > BATCH_BYTES or report.kind == HOOK):
                break
            batch.append(following)
            self._following = None
            if report.kind == HOOK:  # goes alone
                break
        return batch

    def _next(self, *, again: bool) -> tuple[Waiting, Report] | None:
        """What may be sent next. `again`: read the folder once more when its end is reached."""
        for waiting in self._waiting:
            report = self._read(waiting)
            if report is not None:
                return waiting, report
        if not again:
            return None
        found = self._spool.waiting(*self._destinations)
        self._waiting = iter([waiting for waiting in found if waiting.name not in self._kept])
        return self._next(again=False)

    def _read(self, waiting: Waiting) -> Report | None:
        try:
            report = self._spool.read(waiting)
        except OSError:
            report = None
        if report is None:
            self._kept.add(waiting.name)
        elif report.task in self._blocked:
            self._keep(waiting, report)
            return None
        return report


class Sender:
    """Sends what waits in the spool for a server, unless another process does."""

    def __init__(self, spool: Spool, courier: Courier, *destinations: Destination) -> None:
        """`destinations`: what the server is called in the spool, of the first of which the lock is
        that keeps others out."""
        self._spool = spool
        self.courier = courier
        self._destinations = destinations

    def is_needed(self) -> bool:
        """Whether anything waits for the server."""
        return not all(map(self._spool.is_empty, self._destinations))

    @contextlib.contextmanager
    def delivery(self) -> Iterator[Delivery | None]:
        """A delivery; None: another process is at it. Raises OSError."""
        with self._spool.locked(self._destinations[0]) as is_ours:
            yield self._new_delivery() if is_ours else None

    def deliver(self, wait: Callable[[float], bool]) -> Delivery | None:
        """Deliver all there is; None: another process is at it. `wait`: pause for so many seconds,
        and say whether to go on. Raises OSError."""
        if not self._spool.is_there():
            return self._new_delivery()
        self._spool.tidy()
        recover(self._spool)
        if not self.is_needed():
            return self._new_delivery()
        with self.delivery() as delivery:
            while delivery is not None:
                try:
                    if delivery.step():
                        goes_on = wait(self.courier.pause)
                    else:
                        goes_on = delivery.is_soon and wait(_SOON)
                        if goes_on:
                            delivery.look_again()
                    if not goes_on:
                        break
                except Kept as kept:
                    delivery.problem = str(kept)
                    if not kept.retry_after or not wait(kept.retry_after):
                        break
        return delivery

    def _new_delivery(self) -> Delivery:
        return Delivery(self._spool, self._destinations, self.courier)


def patient(seconds: float) -> Callable[[float], bool]:
    """Waiting that takes no longer than that in all, for `Sender.deliver`."""
    left = seconds

    def wait(pause: float) -> bool:
        nonlocal left
        if pause > left:
            return False
        left -= pause
        time.sleep(pause)
        return True

    return wait
