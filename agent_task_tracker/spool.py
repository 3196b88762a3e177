"""The spool: reports that wait for their server, a file each.

    spool/DESTINATION/NAME      a report; names sort by when it was handed over
    spool/DESTINATION/.lock     whoever sends them holds it
    spool/rejected/NAME         a report that its server can never take, and why
    spool/handover/NAME         journals of running processes, see `journal`
    spool/.usage                as long as the spool is large, in units of 64 bytes

Folders are 0700, files 0600; links are not followed, and a folder of somebody else's is not used.
A report is written under another name and renamed: whenever a process dies, it is whole or not
there. It is not flushed to the disk, which would hold up the job; what a power cut leaves
half-written is recognised, and thrown away.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent_task_tracker.destination import Destination
from agent_task_tracker.locks import let_go
from agent_task_tracker.report import Report, is_name, is_vital
from agent_task_tracker.spool_files import (
    LIMIT,
    PART,
    UNIT,
    Damaged,
    check,
    lock_file,
    open_usage,
    private_folder,
    put,
    read,
    seal,
    unseal,
    write,
)

REJECTED: Final = "rejected"
HANDOVER: Final = "handover"

# Past the limit so much is freed at once, so that it need not be counted again for each report.
_ROOM: Final = 1 / 8

# Bytes of rejected reports, which come on top.
_REJECTED_LIMIT: Final = 8 * 1024 * 1024

# Seconds after which an unfinished file is a killed process's.
_ABANDONED: Final = 600.0


class Waiting(NamedTuple):
    """A report that waits: its name, and for whom."""

    name: str
    destination: Destination


class Contents(NamedTuple):
    """What is in the spool for one destination."""

    destination: Destination
    reports: int
    bytes: int


class Spool:
    """The spool in one folder. Any thread may use it, and any number of processes at once."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder = folder
        self._limit = limit

    def is_there(self) -> bool:
        """Whether there is a spool. Raises OSError: in its place is what is not this user's."""
        try:
            check(str(self.folder))
        except FileNotFoundError:
            return False
        return True

    def put(self, report: Report, destination: Destination) -> bool:
        """Keep the report. Returns whether the spool is too large by now, see `make_room`. Raises
        OSError."""
        return put(str(self.folder), report, destination) > self._limit

    def is_empty(self, destination: Destination) -> bool:
        """Whether nothing waits for the destination."""
        return next(self._names(destination), None) is None

    def waiting(self, *destinations: Destination) -> list[Waiting]:
        """What waits for the destinations, in the order in which it was handed over."""
        found = (Waiting(name, to) for to in destinations for name in self._names(to))
        return sorted(found)

    def read(self, waiting: Waiting) -> Report | None:
        """The report; None: it is gone, or damaged and thrown away, or for a newer program. Raises
        OSError."""
        path = self._path(waiting)
        try:
            content = read(str(path))
        except FileNotFoundError:
            return None
        try:
            report, destination = unseal(waiting.name, content)
        except Damaged:
            path.unlink(missing_ok=True)
            return None
        return report if destination == waiting.destination else None

    def remove(self, waiting: Waiting) -> None:
        """The report has been delivered. Raises OSError."""
        self._path(waiting).unlink(missing_ok=True)

    def reject(self, report: Report, destination: Destination, reason: str) -> None:
        """Put the report aside: its server can never take it. Raises OSError."""
        folder = self._folder(REJECTED)
        content = seal(report, destination)[:-1]
        why = json.dumps({"at": int(time.time()), "reason": reason}).encode()
        write(str(folder / report.name), content + b',"rejected":' + why + b"}")
        self.remove(Waiting(report.name, destination))
        _shrink(_sizes(folder), _REJECTED_LIMIT)

    @contextlib.contextmanager
    def locked(self, destination: Destination) -> Iterator[bool]:
        """Whether nobody else sends what waits for the destination, until the block ends. Raises
        OSError."""
        descriptor, is_ours = lock_file(str(self._folder(destination.folder_name)))
        try:
            yield is_ours
        finally:
            let_go(descriptor)

    def make_room(self) -> int:
        """Count what there is, and if it is too large remove the oldest, statuses first. Returns
        how many were removed. Raises OSError."""
        sizes = [item for folder in self._destinations() for item in _sizes(folder)]
        total = sum(size for _, size in sizes)
        removed = 0
        if total > self._limit:
            statuses_first = sorted(sizes, key=lambda item: (is_vital(item[0].name), item[0].name))
            removed = _shrink(statuses_first, int(self._limit * (1 - _ROOM)))
            total = min(total, int(self._limit * (1 - _ROOM)))
        descriptor = open_usage(str(self.folder))
        try:
            os.ftruncate(descriptor, total // UNIT)
        finally:
            os.close(descriptor)
        return removed

    def tidy(self) -> None:
        """Remove what killed processes left unfinished. Raises OSError."""
        for folder in (*self._destinations(), self.folder / REJECTED):
            for entry in _entries(folder):
                if entry.name.startswith(PART):
                    with contextlib.suppress(FileNotFoundError):
                        if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED:
                            Path(entry.path).unlink()

    def contents(self) -> list[Contents]:
        """What waits, by destination."""
        found = []
        for folder in self._destinations():
            sizes = sorted(_sizes(folder))
            destinations = (_destination_in(path) for path, _ in sizes)
            first = next((to for to in destinations if to is not None), None)
            if first is not None:
                found.append(Contents(first, len(sizes), sum(size for _, size in sizes)))
        return sorted(found)

    def rejected(self) -> list[dict[str, Any]]:
        """What was put aside: each as `to`, `report` and `rejected` with `at` and `reason`."""
        found = []
        for path, _ in sorted(_sizes(self.folder / REJECTED)):
            with contextlib.suppress(OSError, ValueError):
                content = json.loads(read(str(path)))
                if isinstance(content, dict):
                    found.append(content)
        return found

    def handover_folder(self) -> Path:
        """The folder of journals, which is made if need be. Raises OSError."""
        return self._folder(HANDOVER)

    def _names(self, destination: Destination) -> Iterator[str]:
        folder = self.folder / destination.folder_name
        return (entry.name for entry in _entries(folder) if is_name(entry.name))

    def _path(self, waiting: Waiting) -> Path:
        return self.folder / waiting.destination.folder_name / waiting.name

    def _destinations(self) -> list[Path]:
        return [
            Path(entry.path)
            for entry in _entries(self.folder)
            if entry.name not in (REJECTED, HANDOVER) and entry.is_dir(follow_symlinks=False)
        ]

    def _folder(self, name: str) -> Path:
        return Path(private_folder(str(self.folder), name))


def _destination_in(path: Path) -> Destination | None:
    try:
        content = json.loads(read(str(path)))
        return Destination(str(content["to"]), str(content["key_id"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return


def _sizes(folder: Path) -> list[tuple[Path, int]]:
    found = []
    for entry in _entries(folder):
        if is_name(entry.name):
            with contextlib.suppress(FileNotFoundError):
                found.append((Path(entry.path), entry.stat(follow_symlinks=False).st_size))
    return found


def _shrink(sizes: list[tuple[Path, int]], limit: int) -> int:
    """Remove the first until the rest fits; how many those were."""
    total, removed = sum(size for _, size in sizes), 0
    for path, size in sizes:
        if total <= limit:
            break
        path.unlink(missing_ok=True)
        total -= size
        removed += 1
    return removed
