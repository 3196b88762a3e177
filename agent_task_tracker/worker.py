"""The sending thread: what it does with reports that were handed over.

While the server answers and nothing waits in the spool, reports go straight to it. Otherwise they
go into the spool behind those that wait, so that the order stays, and all are delivered from there.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

from agent_task_tracker.address import Address
from agent_task_tracker.complaints import Complaints
from agent_task_tracker.courier import Courier, Kept, Verdict
from agent_task_tracker.finding import Whereabouts
from agent_task_tracker.handover import Flush, Handover, Item, complain_of_disk
from agent_task_tracker.journal import recover
from agent_task_tracker.report import MAX_REPORTS
from agent_task_tracker.sender import BATCH_BYTES, Delivery, Sender
from agent_task_tracker.spool import Spool

# Seconds in which more may come that goes into the same request.
_GATHER: Final = 0.01

# Seconds until a server that did not answer is tried again: twice as long each time.
_FIRST_PAUSE: Final = 0.2
_MAX_PAUSE: Final = 15.0

# Seconds until a disk is tried again that took nothing.
_WITHOUT_DISK: Final = 1.0

# Seconds until the spool is looked at again that another process is delivering.
_WHILE_ANOTHER_SENDS: Final = 0.1


class Worker:
    """Sends what is handed over, until it is told to end."""

    def __init__(
        self,
        handover: Handover,
        spool: Spool,
        whereabouts: Whereabouts,
        timeout: float,
        complaints: Complaints,
    ) -> None:
        """See `Reporter`."""
        self._handover = handover
        self._spool = spool
        self._whereabouts = whereabouts
        self._timeout = timeout
        self._complaints = complaints
        self._held: deque[Item] = deque()
        self._flushes: list[Flush] = []
        self._courier: Courier | None = None
        self._pause = _FIRST_PAUSE
        self._retry_at: float | None = None
        self._has_recovered = False
        self._another_sends = False
        self._disk_fails = False
        self._hurry = threading.Event()
        self._end: float | None = None
        self.is_stuck = False
        """Whether the last try left something that only time may help: no server, or one that does
        not take it now."""
        self.rejected = 0
        self.problem: str | None = None

    def run(self) -> None:
        """The thread."""
        while True:
            try:
                self._take()
                self._work()
                self._complaints.speak()
                self._answer_flushes()
                if self._is_finished():
                    break
            except Exception as error:  # noqa: BLE001 - whatever it is, later reports are still sent
                self._fail(f"{type(error).__name__}: {error}", 0.0)
                if self._end is not None:  # what is not settled stays in the journal
                    break
        if self._courier is not None:
            self._courier.close()

    def hurry(self) -> None:
        """Make no pauses: somebody waits for a flush."""
        self._hurry.set()

    def end_at(self, end: float) -> None:
        """End when all is sent, or cannot be, or at that time of the monotonic clock."""
        self._end = end
        self._hurry.set()
        self._handover.wake()

    def leave(self) -> int:
        """Nobody waits for the thread any longer. How many reports it leaves that are nowhere."""
        for flush in (*self._flushes, *self._handover.flushes):
            flush.answered.set()
        return sum(not item.in_journal for item in self._held)

    def disown(self) -> None:
        """In a forked child: the connection is the parent's."""
        if self._courier is not None:
            self._courier.close()

    def _take(self) -> None:
        wait, room = self._wait(), MAX_REPORTS - len(self._held)
        if room:
            self._held.extend(self._handover.take(wait, room))
        else:  # neither server nor disk take anything
            self._hurry.wait(wait)
        if self._held and not self._hurry.wait(_GATHER):
            self._held.extend(self._handover.take(0, MAX_REPORTS - len(self._held)))
        if self._handover.flushes and not self._flushes:  # somebody waits: try at once
            self._retry_at = None
            self.is_stuck = False
        while self._handover.flushes:
            self._flushes.append(self._handover.flushes.popleft())

    def _wait(self) -> float | None:
        """How long to wait for reports; None: there is nothing else to do."""
        if self._end is not None:
            return 0
        if self._retry_at is not None and not self._handover.flushes:
            return max(0.0, self._retry_at - time.monotonic())
        # A flush may have been asked for while reports were taken elsewhere: nothing wakes us then.
        is_asked = self._flushes or self._handover.flushes
        return 0 if self._held or is_asked or self._handover.overflowed else None

    def _work(self) -> None:
        if not self._has_recovered:
            self._has_recovered = True
            self._recover()
        if self._handover.overflowed and not self._spill():
            return
        if self.is_stuck and self._retry_at is not None and time.monotonic() < self._retry_at:
            self._file_held()
            return
        sender = self._sender()
        if self._whereabouts.problem is not None:
            self._fail(self._whereabouts.problem, 0.0)
            self._file_held()
        elif sender.is_needed():  # what was handed over before goes first
            self._file_held()
            self._deliver(sender)
        elif not self._held:
            self._succeed()
        if self._held and not self.is_stuck:
            self._send_held(sender.courier)

    def _sender(self) -> Sender:
        if self._courier is None or self.is_stuck:
            self.disown()
            self._whereabouts.look_again()
            found = self._whereabouts.found
            address = Address(found.url, found.ca_file)
            self._courier = Courier(address, found.credentials, self._timeout)
        return Sender(self._spool, self._courier, *self._whereabouts.destinations)

    def _recover(self) -> None:
        """Deliver what processes left that died, too."""
        try:
            if self._spool.is_there():
                recover(self._spool)
        except OSError as error:
            self._complain_of_disk(error)

    def _spill(self) -> bool:
        try:
            self._handover.spill(self._held, self._make_room)
        except OSError as error:
            self._complain_of_disk(error)
            self._retry_at = time.monotonic() + _WITHOUT_DISK
            return False
        return True

    def _file_held(self) -> None:
        """Put what is held into the spool; what it does not take goes on being held."""
        filed, is_large = [], False
        try:
            for item in self._held:
                is_large |= self._spool.put(item.report, item.destination)
                filed.append(item)
            self._disk_fails = False
        except OSError as error:
            self._complain_of_disk(error)
        self._settle(filed)
        if is_large:
            self._make_room()

    def _make_room(self) -> None:
        try:
            removed = self._spool.make_room()
        except OSError as error:
            self._complain_of_disk(error)
            return
        if removed:
            self._complaints.say_once(
                "room",
                f"{self._spool.folder}: so much waits there that the oldest reports are removed, "
                "statuses first; start the server that they are for",
            )

    def _deliver(self, sender: Sender) -> None:
        """Deliver what is in the spool, and what comes in the meantime."""
        self._another_sends = False
        try:
            with sender.delivery() as delivery:
                if delivery is None:
                    self._another_sends = True
                    self._retry_at = time.monotonic() + _WHILE_ANOTHER_SENDS
                    return
                while not self._is_over() and delivery.step():
                    self._succeed()
                    self._take_and_file()
                    self._pause_if_asked(sender.courier)
                self._tell_of(delivery)
        except Kept as kept:
            self._fail(str(kept), kept.retry_after)
        except OSError as error:
            self._complain_of_disk(error)

    def _take_and_file(self) -> None:
        self._held.extend(self._handover.take(0, MAX_REPORTS - len(self._held)))
        self._file_held()

    def _tell_of(self, delivery: Delivery) -> None:
        if delivery.problem is not None:
            self.problem = delivery.problem
            what = "kept" if delivery.kept else "put aside"
            self._complaints.say("refused", f"reports are {what}: {delivery.problem}")
        self.rejected += delivery.rejected
        if delivery.kept:  # not for want of a server: what comes next is tried at once
            pause = _FIRST_PAUSE if delivery.is_soon else _MAX_PAUSE
            self._retry_at = time.monotonic() + pause

    def _send_held(self, courier: Courier) -> None:
        """Straight to the server."""
        batch: list[Item] = []
        size = 0
        for item in self._held:
            size += len(item.report.content)
            if batch and size > BATCH_BYTES:
                break
            batch.append(item)
        try:
            verdicts = courier.send([item.report for item in batch])
        except Kept as kept:
            self._fail(str(kept), kept.retry_after)
            self._file_held()
            return
        self._succeed()
        for item, verdict in zip(batch, verdicts, strict=True):
            self._note(item, verdict)
        self._settle(batch)  # only now: what the server did not take is in the spool
        self._pause_if_asked(courier)

    def _note(self, item: Item, verdict: Verdict) -> None:
        if verdict.reason is None:
            return
        self.problem = verdict.reason
        self._complaints.say("refused", f"a report was not taken: {verdict.reason}")
        try:
            if verdict.is_final:
                self.rejected += 1
                self._spool.reject(item.report, item.destination, verdict.reason)
            else:
                self._spool.put(item.report, item.destination)
        except OSError as error:
            self._complain_of_disk(error)

    def _settle(self, items: list[Item]) -> None:
        self._handover.settle(items)
        for _ in items:
            self._held.popleft()

    def _succeed(self) -> None:
        self.is_stuck = False
        self._retry_at = None
        self._pause = _FIRST_PAUSE

    def _fail(self, reason: str, retry_after: float) -> None:
        self.problem = reason
        self.is_stuck = True
        self._retry_at = time.monotonic() + max(self._pause, retry_after)
        self._pause = min(2 * self._pause, _MAX_PAUSE)
        self._complaints.say("send", f"reports are kept in {self._spool.folder}: {reason}")

    def _pause_if_asked(self, courier: Courier) -> None:
        """Let the server's limit last, unless somebody waits."""
        if courier.pause:
            self._hurry.wait(courier.pause)

    def _answer_flushes(self) -> None:
        if not self._flushes:
            return
        is_stopped = self._is_stopped() and not self._another_sends
        is_sent = not self.is_stuck and not self._sender().is_needed()
        left = []
        for flush in self._flushes:
            flush.is_done = is_sent and self._handover.settled >= flush.position
            if flush.is_done or is_stopped:
                flush.answered.set()
            else:
                left.append(flush)
        self._flushes = left
        if not left:
            self._another_sends = False
            if self._end is None:
                self._hurry.clear()

    def _is_all_sent(self) -> bool:
        return not self._held and not self.is_stuck and not self._sender().is_needed()

    def _is_stopped(self) -> bool:
        """Whether nothing more can be done now: what is held, if anything, has no place to go."""
        has_paused = self.is_stuck or self._retry_at is not None
        return has_paused and (not self._held or self._disk_fails)

    def _is_finished(self) -> bool:
        if self._end is None:
            return False
        if self._is_over():
            return True
        if self._is_stopped():
            return self._handover.is_empty or self._disk_fails
        return self._handover.is_empty and self._is_all_sent()

    def _is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def _complain_of_disk(self, error: OSError) -> None:
        self._disk_fails = True
        complain_of_disk(self._complaints, self._spool, error)
