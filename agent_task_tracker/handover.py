"""Where a job's threads leave reports, and the sending thread takes them."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from agent_task_tracker.complaints import Complaints
from agent_task_tracker.destination import Destination
from agent_task_tracker.journal import Journal
from agent_task_tracker.report import Report
from agent_task_tracker.spool import Spool
from agent_task_tracker.spool_files import LIMIT

# So much waits in memory. What is more the sending thread reads from the journal, once it gets to
# it; if there is none (a full disk) statuses beyond it are lost.
_MOST: Final = 20_000
_MOST_BYTES: Final = 16 * 1024 * 1024

# Seconds until a disk is tried again that took nothing.
_DISK_INTERVAL: Final = 1.0


class Item(NamedTuple):
    """A report that was handed over. `in_journal`: it is on the disk already."""

    report: Report
    destination: Destination
    in_journal: bool


class Flush:
    """Asks the sending thread to say when all that was handed over before is with the server."""

    def __init__(self, position: int) -> None:
        """`position`: how many reports that is."""
        self.position = position
        self.is_done = False
        self.answered = threading.Event()


class Handover:
    """Hold `lock` while a report is made and put, so that it is put in the order of its name."""

    def __init__(self, spool: Spool, complaints: Complaints, limit: int = LIMIT) -> None:
        """`limit`: bytes of a journal; statuses beyond it are lost."""
        self._spool = spool
        self._limit = limit
        self._complaints = complaints
        self._journal = Journal(spool)
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self.flushes: deque[Flush] = deque()
        self.lock = threading.RLock()  # a signal handler may report while its own thread does
        self.overflowed = False
        """Whether there are reports in the journal that are not in the queue: see `spill`."""
        self.lost = 0
        self._put = self._taken = 0  # bytes
        self._count = 0
        self.settled = 0
        """How many reports went on, from the first on."""
        self._no_disk_until = 0.0

    def put(self, report: Report, destination: Destination) -> None:
        """Hand it over: to the journal, so that it is on the disk, and to the sending thread."""
        if self._journal.bytes > self._limit and report.kind == "status":
            self._lose("reports come faster than they can be kept: statuses are lost")
            return
        is_full = self._queue.qsize() >= _MOST or self._put - self._taken >= _MOST_BYTES
        noted, unnoted = Item(report, destination, True), Item(report, destination, False)
        size, is_status, enqueue = len(report.content), report.kind == "status", self._queue.put
        try:
            self._note(report, destination)
        finally:
            # Also if a signal handler raises: what is in the journal is counted, and in the queue.
            # It could raise after each call, so nothing is called here before that.
            in_journal = self._journal.last == report.name
            if in_journal and (self.overflowed or is_full):
                self._count += 1
                self.overflowed = True
            elif is_full and is_status:
                self._lose("disk and memory are full: statuses are lost")
            else:
                self._count += 1
                self._put += size
                enqueue(noted if in_journal else unnoted)

    def ask(self) -> Flush:
        """See `Flush`."""
        flush = Flush(self._count)
        self.flushes.append(flush)
        self.wake()
        return flush

    def wake(self) -> None:
        """End the sending thread's waiting."""
        self._queue.put(None)

    def take(self, wait: float | None, most: int) -> list[Item]:
        """What was handed over, at most so much: waits for it so many seconds, or for ever."""
        taken: list[Item] = []
        try:
            while len(taken) < most:
                item = self._queue.get(block=wait != 0, timeout=wait)
                wait = 0
                if item is not None:
                    taken.append(item)
                    self._taken += len(item.report.content)
        except queue.Empty:
            pass
        return taken

    def settle(self, items: Sequence[Item]) -> None:
        """These, the first that were not settled yet, are with the server or in the spool."""
        self.settled += len(items)
        self._journal.settle(sum(item.in_journal for item in items))
        if self._journal.wants_segment:
            self._begin_segment()

    def spill(self, held: deque[Item], make_room: Callable[[], None]) -> None:
        """After an overflow: put all that is in the journal into the spool. `held`: what was taken
        and is not settled; afterwards, also if this fails, what of it, and of what was not taken,
        is in no journal. `make_room`: in the spool. Raises OSError: try again later."""
        segment = self._journal.new_segment()
        with self.lock:
            self._journal.begin_segment(segment)
            held.extend(self._queued())
            self._taken = self._put
            self.overflowed = False
            if not self._journal.is_there:
                self._give_up_journal(held)
        left = [item for item in held if not item.in_journal]
        held.clear()
        held.extend(left)
        try:
            for found in self._journal.unsettled():
                if found is not None and self._spool.put(*found):
                    make_room()
                self.settled += 1
                self._journal.settle(1)
        except OSError:
            self.overflowed = True
            raise

    def _queued(self) -> list[Item]:
        items = []
        while not self._queue.empty():
            item = self._queue.get()
            if item is not None:
                items.append(item)
        return items

    def _give_up_journal(self, held: deque[Item]) -> None:
        """Somebody removed it: what is in memory is all there is."""
        gone = self._journal.unsettled_count
        lost = gone - sum(item.in_journal for item in held)
        self._journal.settle(gone)
        self.settled += lost
        self.lost += lost
        for _ in range(len(held)):
            held.append(held.popleft()._replace(in_journal=False))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to take."""
        return self._queue.empty() and not self.overflowed

    def close(self) -> int:
        """Let go of the journal; how many reports in it are for others to deliver. Those that are
        in none are lost."""
        with self.lock:
            self.lost += sum(not item.in_journal for item in self._queued())
            unsettled = self._journal.unsettled_count
            self._journal.close()
        return unsettled

    def forget(self) -> None:
        """In a forked child: all of it is the parent's."""
        self._journal.forget()

    def _lose(self, why: str) -> None:
        self.lost += 1
        self._complaints.say_once("lost", why)

    def _note(self, report: Report, destination: Destination) -> None:
        if self._no_disk_until and time.monotonic() < self._no_disk_until:
            return
        try:
            self._journal.append(report, destination)
        except OSError as error:
            complain_of_disk(self._complaints, self._spool, error)
            self._no_disk_until = time.monotonic() + _DISK_INTERVAL
        else:
            self._no_disk_until = 0.0

    def _begin_segment(self) -> None:
        try:
            segment = self._journal.new_segment()
        except OSError as error:
            complain_of_disk(self._complaints, self._spool, error)
            return
        with self.lock:
            self._journal.begin_segment(segment)


def complain_of_disk(complaints: Complaints, spool: Spool, error: OSError) -> None:
    """Say once that nothing can be kept."""
    complaints.say_once(
        "disk",
        f"{spool.folder}: reports cannot be kept there ({error.strerror or error}); those that the "
        "server does not take at once may be lost",
    )
