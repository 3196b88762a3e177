"""The journal of a running process: what it has handed over, until that is with the server or in a
file of its own.

Handing over is one write to a file, some microseconds, so that nothing is lost however the process
ends the next moment: `os._exit`, kill -9. Its owner holds a lock on each file. One that nobody
holds was left by a process that died: whoever sends next puts its reports into the spool
(`recover`).

A file begins with a line that says how many of the reports in it are settled; each line that
follows is a report's name, and what its own file in the spool would hold.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from agent_task_tracker.destination import Destination
from agent_task_tracker.locks import let_go, try_lock
from agent_task_tracker.report import Report, is_name
from agent_task_tracker.spool import HANDOVER, Spool
from agent_task_tracker.spool_files import Damaged, seal, unseal

_SUFFIX: Final = ".journal"

# A segment that is larger is followed by another, so that the first can be removed.
_SEGMENT_BYTES: Final = 1024 * 1024

_HEADER: Final = b"%016d\n"
_HEADER_BYTES: Final = 17

_FLAGS: Final = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass
class Segment:
    """A file of a journal. `descriptor` appends, `header` writes how many are settled."""

    path: Path
    descriptor: int
    header: int
    appended: int = 0
    settled: int = 0
    bytes: int = 0
    is_closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_settled(self) -> bool:
        """Whether no report in it is needed any more."""
        return self.settled == self.appended

    def settle(self, count: int) -> None:
        """So many more are settled. If that cannot be noted, they are sent again after a crash,
        which the server recognises."""
        with self.lock:  # once it is closed, another file may have its descriptor
            self.settled += count
            if not self.is_closed:
                with contextlib.suppress(OSError):
                    _note_settled(self.header, self.settled)

    def close(self) -> None:
        """Let go of the file, and remove it if it is not needed."""
        with self.lock:
            self.is_closed = True
            for descriptor in (self.descriptor, self.header):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        if self.is_settled:
            with contextlib.suppress(OSError):
                self.path.unlink()


class Journal:
    """The journal of one process. Its owner locks around the calls of `append`, and of all that
    changes the segment that is appended to."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._segments: deque[Segment] = deque()
        # Counted apart, for two threads do.
        self._appended = self._removed = 0
        self.last: str | None = None
        """The name of the report that was noted last."""

    def append(self, report: Report, destination: Destination) -> None:
        """Note the report, in the order in which they are settled. Raises OSError."""
        if not self._segments:
            self._segments.append(self.new_segment())
        segment = self._segments[-1]
        line = b"%s %s\n" % (report.name.encode(), seal(report, destination))
        size = written = len(line)
        try:
            written = os.write(segment.descriptor, line)
        except BaseException:  # perhaps a signal handler's, after it was written
            written = os.fstat(segment.descriptor).st_size - segment.bytes
            raise
        finally:
            if written >= size:  # no calls here: between these no signal handler can raise
                segment.appended += 1
                segment.bytes += size
                self._appended += size
                self.last = report.name
        if written != size:  # a full disk
            os.ftruncate(segment.descriptor, segment.bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(segment.path))

    @property
    def wants_segment(self) -> bool:
        """Whether it is time for `begin_segment`."""
        return bool(self._segments) and self._segments[-1].bytes > _SEGMENT_BYTES

    def new_segment(self) -> Segment:
        """A file to append to, for `begin_segment`. Raises OSError."""
        folder = self._spool.handover_folder()
        while True:
            path = folder / f"{os.getpid()}-{secrets.token_hex(8)}{_SUFFIX}"
            header = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            # Another process may take it for abandoned before the lock, and remove it.
            if try_lock(header) and path.exists():
                break
            os.close(header)
        try:
            os.write(header, _HEADER % 0)
            return Segment(path, os.open(path, _FLAGS | os.O_APPEND), header, bytes=_HEADER_BYTES)
        except BaseException:
            os.close(header)
            path.unlink(missing_ok=True)
            raise

    def begin_segment(self, segment: Segment) -> None:
        """Append to this one from now on."""
        self._segments.append(segment)

    def settle(self, count: int) -> None:
        """The first `count` reports that are not settled yet are with the server, or elsewhere on
        the disk."""
        while count and self._segments:
            segment = self._segments[0]
            taken = min(count, segment.appended - segment.settled)
            segment.settle(taken)
            count -= taken
            if len(self._segments) == 1:
                break
            if segment.is_settled:
                self._segments.popleft().close()
                self._removed += segment.bytes - _HEADER_BYTES

    def unsettled(self) -> Iterator[tuple[Report, Destination] | None]:
        """The reports that are not settled, from all files but the last; None: a damaged one."""
        for segment in list(self._segments)[:-1]:
            yield from islice(_reports_in(segment.path), segment.settled, segment.appended)

    @property
    def is_there(self) -> bool:
        """Whether nobody has removed its files."""
        return all(segment.path.exists() for segment in self._segments)

    @property
    def bytes(self) -> int:
        """How large its files are."""
        return self._appended - self._removed

    @property
    def unsettled_count(self) -> int:
        """How many reports are not settled."""
        return sum(segment.appended - segment.settled for segment in self._segments)

    def close(self) -> None:
        """Let go of all files; what is in them and not settled is for others to deliver."""
        while self._segments:
            self._segments.popleft().close()

    def forget(self) -> None:
        """In a forked child: these are its parent's."""
        while self._segments:
            segment = self._segments.popleft()
            segment.appended = segment.settled + 1  # it stays
            segment.lock = threading.Lock()  # a thread of the parent's may have held it
            segment.close()


def recover(spool: Spool) -> int:
    """Put into the spool what processes that died had handed over; how many reports. Raises
    OSError."""
    count, is_large = 0, False
    for path in sorted((spool.folder / HANDOVER).glob(f"*{_SUFFIX}")):
        try:
            descriptor = os.open(path, _FLAGS)
        except OSError:  # gone, a link, or on Windows another process's
            continue
        try:
            if not try_lock(descriptor):
                continue
            settled = _settled_in(path)
            for number, found in enumerate(_reports_in(path), start=1):
                if number > settled:
                    if found is not None:
                        is_large |= spool.put(*found)
                        count += 1
                    _note_settled(descriptor, number)
        finally:
            let_go(descriptor)
        path.unlink(missing_ok=True)
    if is_large:
        spool.make_room()
    return count


def _reports_in(path: Path) -> Iterator[tuple[Report, Destination] | None]:
    """Of each whole line, in order; None: it is damaged."""
    with path.open("rb") as file:
        file.readline()
        for line in file:
            name, _, content = line.partition(b" ")
            if not line.endswith(b"\n") or not is_name(name.decode("ascii", "replace")):
                yield None
                continue
            try:
                report, destination = unseal(name.decode(), content)
            except Damaged:
                yield None
            else:
                yield None if destination is None else (report, destination)


def _settled_in(path: Path) -> int:
    with path.open("rb") as file:
        header = file.readline(_HEADER_BYTES)
    return int(header) if header.strip().isdigit() else 0


def _note_settled(descriptor: int, count: int) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, _HEADER % count)
