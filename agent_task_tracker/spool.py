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
import errno
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent_task_tracker.destination import Destination
from agent_task_tracker.locks import let_go, try_lock
from agent_task_tracker.report import MAX_BYTES, Report, is_name, kind_of

LIMIT: Final = 64 * 1024 * 1024
"""Bytes that wait, of all destinations together."""

REJECTED: Final = "rejected"
HANDOVER: Final = "handover"

_VERSION: Final = 1
_UNIT: Final = 64  # bytes

# Past the limit so much is freed at once, so that it need not be counted again for each report.
_ROOM: Final = 1 / 8

# Bytes of rejected reports, which come on top.
_REJECTED_LIMIT: Final = 8 * 1024 * 1024

_MAX_FILE: Final = 2 * MAX_BYTES

# Seconds after which an unfinished file is a killed process's.
_ABANDONED: Final = 600.0

_PART: Final = ".part-"
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Unusable(OSError):
    """A folder of the spool cannot be trusted; the text says why."""


class Damaged(Exception):
    """A file of the spool holds no report, as after a power cut."""


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
        self._made: set[Path] = set()

    def is_there(self) -> bool:
        """Whether there is a spool. Raises OSError: in its place is what is not this user's."""
        try:
            _check(self.folder)
        except FileNotFoundError:
            return False
        return True

    def put(self, report: Report, destination: Destination) -> bool:
        """Keep the report. Returns whether the spool is too large by now, see `make_room`. Raises
        OSError."""
        content = seal(report, destination)
        self._write(self._folder_of(destination) / report.name, content)
        return self._count(len(content)) > self._limit

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
            content = _read(path)
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
        self._write(folder / report.name, content + b',"rejected":' + why + b"}")
        self.remove(Waiting(report.name, destination))
        _shrink(_sizes(folder), _REJECTED_LIMIT)

    @contextlib.contextmanager
    def locked(self, destination: Destination) -> Iterator[bool]:
        """Whether nobody else sends what waits for the destination, until the block ends. Raises
        OSError."""
        path = self._folder_of(destination) / ".lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
        try:
            yield try_lock(descriptor)
        finally:
            let_go(descriptor)

    def make_room(self) -> int:
        """Count what there is, and if it is too large remove the oldest, statuses first. Returns
        how many were removed. Raises OSError."""
        sizes = [item for folder in self._destinations() for item in _sizes(folder)]
        total = sum(size for _, size in sizes)
        removed = 0
        if total > self._limit:
            statuses_first = sorted(sizes, key=lambda item: (_is_vital(item[0]), item[0].name))
            removed = _shrink(statuses_first, int(self._limit * (1 - _ROOM)))
            total = min(total, int(self._limit * (1 - _ROOM)))
        descriptor = self._open_usage()
        try:
            os.ftruncate(descriptor, total // _UNIT)
        finally:
            os.close(descriptor)
        return removed

    def tidy(self) -> None:
        """Remove what killed processes left unfinished. Raises OSError."""
        for folder in (*self._destinations(), self.folder / REJECTED):
            for entry in _entries(folder):
                if entry.name.startswith(_PART):
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
                content = json.loads(_read(path))
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

    def _folder_of(self, destination: Destination) -> Path:
        return self._folder(destination.folder_name)

    def _folder(self, name: str) -> Path:
        path = self.folder / name
        if path in self._made:  # somebody may have removed it meanwhile, or put a link in its place
            with contextlib.suppress(FileNotFoundError):
                _check(self.folder)
                _check(path)
                return path
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(self.folder)
        _make_private(path)
        self._made.add(path)
        return path

    def _write(self, path: Path, content: bytes) -> None:
        part = f"{path.parent}{os.sep}{_PART}{path.name}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINK, 0o600)
        try:
            try:
                if os.write(descriptor, content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            finally:
                os.close(descriptor)
            os.replace(part, path)  # noqa: PTH105 - half the time of Path's
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)  # noqa: PTH108
            raise

    def _count(self, size: int) -> int:
        """Add to what is in the spool, and return how much that is: at least, for what is removed
        is not counted before `make_room`."""
        descriptor = self._open_usage()
        try:
            os.write(descriptor, b"." * (size // _UNIT + 1))
            return os.fstat(descriptor).st_size * _UNIT
        finally:
            os.close(descriptor)

    def _open_usage(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK
        return os.open(self.folder / ".usage", flags, 0o600)


def seal(report: Report, destination: Destination) -> bytes:
    """The content of a report's file."""
    return b'{"version":%d,"to":%s,"key_id":%s,"report":%s}' % (
        _VERSION,
        json.dumps(destination.address).encode(),
        json.dumps(destination.key_id).encode(),
        report.content,
    )


def unseal(name: str, content: bytes) -> tuple[Report, Destination | None]:
    """The report in a file's content, and for whom it is; None: for a newer program to send. Raises
    Damaged."""
    try:
        whole = json.loads(content)
        report, to = whole["report"], Destination(whole["to"], whole["key_id"])
        project, task_id = report["project"], report["task_id"]
        is_ours = whole["version"] == _VERSION and report["kind"] == kind_of(name)
        item = json.dumps(report, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Damaged from None
    return Report(name, str(project), str(task_id), item), to if is_ours else None


def _destination_in(path: Path) -> Destination | None:
    try:
        content = json.loads(_read(path))
        return Destination(str(content["to"]), str(content["key_id"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0))
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or _is_foreign(found):
            raise Unusable(errno.EPERM, "no regular file of this user's", str(path))
        parts = []
        while part := os.read(descriptor, _MAX_FILE):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _make_private(path: Path) -> None:
    """Make the folder, unless it is there and is ours. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if os.name == "posix" and stat.S_IMODE(_check(path).st_mode) != 0o700:
        path.chmod(0o700)


def _check(path: Path) -> os.stat_result:
    """Raises OSError: it is no folder of ours."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise Unusable(errno.ENOTDIR, "a link or a file where the spool's folder is", str(path))
    if _is_foreign(found):
        raise Unusable(errno.EPERM, "another user's folder where the spool's is", str(path))
    return found


def _is_foreign(found: os.stat_result) -> bool:
    return hasattr(os, "geteuid") and found.st_uid != os.geteuid()


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


def _is_vital(path: Path) -> bool:
    """Whether it is a start or an end, without which a task's other reports say little."""
    return kind_of(path.name) != "status"
