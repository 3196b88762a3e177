"""Reading of files whose names others chose."""

from __future__ import annotations

import errno
import os
import stat

from agent_task_tracker.light_typing import Final

MAX_READY_FILE_BYTES: Final = 64 * 1024


def read_regular(path: str | os.PathLike[str], limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes. Under a name that others chose may be
    a pipe, which blocks, or a device without end.

    Raises:
        OSError: also if it is no regular file, or larger.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # before opening, which has effects on devices
        raise OSError(errno.EINVAL, "this is no regular file", str(path))
    flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, os.O_RDONLY | flags)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "this is no regular file", str(path))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"this is larger than {limit} bytes", str(path))
    return content
