"""Locks of the operating system: whoever holds one lets go of it when it dies, however."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

from agent_task_tracker.light_typing import Final

_HELD: Final = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)

if sys.platform == "win32":
    import msvcrt

    # Far behind any content, which stays readable.
    _OFFSET: Final = 2**30

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        # Not `lockf`: its locks end when the process closes any descriptor of the file.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def try_lock(descriptor: int) -> bool:
    """Lock the file until the descriptor is closed, unless another descriptor has locked it. A file
    system without locks has none: what they are for is then left to idempotency keys."""
    try:
        _lock(descriptor)
    except OSError as error:
        return error.errno not in _HELD
    return True


def let_go(descriptor: int) -> None:
    """Close the file, and its lock, if there is one, is nobody's. By closing alone it would go on
    being held by the children that were forked meanwhile, which have the descriptor too."""
    with contextlib.suppress(OSError):
        _unlock(descriptor)
    os.close(descriptor)
