"""How a report becomes a file of the spool, for `spool` and for hooks.

A hook puts one report and ends, while an agent waits: little is imported here, and paths are
strings.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from itertools import islice

from agent_task_tracker.destination import Destination
from agent_task_tracker.light_typing import Final
from agent_task_tracker.locks import let_go, try_lock
from agent_task_tracker.report import MAX_BYTES, Report, is_name, kind_of

LIMIT: Final = 64 * 1024 * 1024
"""Bytes that wait, of all destinations together."""

VERSION: Final = 1
PART: Final = ".part-"
LOCK: Final = ".lock"
"""Whoever sends what waits for a destination holds it."""

SENDER: Final = ".sender"
"""A hook's sender in the background holds it, also between two tries."""

UNIT: Final = 64
"""Bytes for which `.usage` has one."""

_MAX_FILE: Final = 2 * MAX_BYTES
NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Damaged(Exception):
    """A file of the spool holds no report, as after a power cut."""


class Unusable(OSError):
    """A folder of the spool cannot be trusted; the text says why."""


def put(spool: str, report: Report, destination: Destination) -> int:
    """Keep the report in the spool of that folder. Returns how many bytes wait in it, at least.
    Raises OSError."""
    folder = private_folder(spool, destination.folder_name)
    content = seal(report, destination)
    write(f"{folder}{os.sep}{report.name}", content)
    return count(spool, len(content))


def seal(report: Report, destination: Destination) -> bytes:
    """The content of a report's file."""
    return b'{"version":%d,"to":%s,"key_id":%s,"report":%s}' % (
        VERSION,
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
        is_ours = whole["version"] == VERSION and report["kind"] == kind_of(name)
        item = json.dumps(report, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Damaged from None
    return Report(name, str(project), str(task_id), item), to if is_ours else None


def names(folder: str, most: int | None = None) -> list[str]:
    """The reports in a destination's folder, or so many of them, in no order."""
    try:
        with os.scandir(folder) as entries:
            return list(islice((entry.name for entry in entries if is_name(entry.name)), most))
    except (FileNotFoundError, NotADirectoryError):
        return []


def private_folder(spool: str, name: str) -> str:
    """The folder of that name in the spool, made if need be. Raises OSError."""
    folder = f"{spool}{os.sep}{name}"
    with contextlib.suppress(FileNotFoundError):
        if _is_private(check(spool)) and _is_private(check(folder)):
            return folder
    os.makedirs(os.path.dirname(spool), mode=0o700, exist_ok=True)
    _make_private(spool)
    _make_private(folder)
    return folder


def _make_private(path: str) -> None:
    """Make the folder, unless it is there and is ours. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, mode=0o700)
    if not _is_private(check(path)):
        os.chmod(path, 0o700)


def check(path: str) -> os.stat_result:
    """Raises OSError: it is no folder of ours."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise Unusable(errno.ENOTDIR, "a link or a file where the spool's folder is", path)
    if is_foreign(found):
        raise Unusable(errno.EPERM, "another user's folder where the spool's is", path)
    return found


def _is_private(found: os.stat_result) -> bool:
    return os.name != "posix" or stat.S_IMODE(found.st_mode) == 0o700


def is_foreign(found: os.stat_result) -> bool:
    """Whether it is another user's."""
    return hasattr(os, "geteuid") and found.st_uid != os.geteuid()


def write(path: str, content: bytes) -> None:
    """Make the file: it is whole, or not there. Raises OSError."""
    folder, _, name = path.rpartition(os.sep)
    part = f"{folder}{os.sep}{PART}{name}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_LINK, 0o600)
    try:
        try:
            if os.write(descriptor, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        finally:
            os.close(descriptor)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def count(spool: str, size: int) -> int:
    """Add to what is in the spool, and return how much that is: at least, for what is removed is
    not counted before `Spool.make_room`."""
    descriptor = open_usage(spool)
    try:
        os.write(descriptor, b"." * (size // UNIT + 1))
        return os.fstat(descriptor).st_size * UNIT
    finally:
        os.close(descriptor)


def open_usage(spool: str) -> int:
    """The file that is as long as the spool is large, in units. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_LINK
    return os.open(f"{spool}{os.sep}.usage", flags, 0o600)


def lock_file(folder: str, name: str = LOCK) -> tuple[int, bool]:
    """The descriptor of a lock in a destination's folder, and whether it is held by it now: nobody
    else held it. Close it by `locks.let_go`. Raises OSError."""
    flags = os.O_RDWR | os.O_CREAT | NO_LINK
    descriptor = os.open(f"{folder}{os.sep}{name}", flags, 0o600)
    return descriptor, try_lock(descriptor)


def has_sender(folder: str) -> bool:
    """Whether a sender in the background is at work for that destination. Raises OSError."""
    descriptor, is_free = lock_file(folder, SENDER)
    let_go(descriptor)
    return not is_free


def read(path: str) -> bytes:
    """The content of a regular file of this user's. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | NO_LINK | getattr(os, "O_NONBLOCK", 0))
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or is_foreign(found):
            raise Unusable(errno.EPERM, "no regular file of this user's", path)
        parts = []
        while part := os.read(descriptor, _MAX_FILE):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
