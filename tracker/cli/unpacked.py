"""The folder that the executable in one file has unpacked itself into, beside those of other runs.

A run that is killed leaves its folder, 40 MB, in the directory for temporary files. What is left is
recognised by the mark that is in it, and as nobody's by a lock that each run holds on its own
folder; systemd-tmpfiles leaves what is locked like this alone, however old it becomes.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from typing import Final

if sys.platform != "win32":
    import fcntl

    _FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY

# In the folder, by tracker.spec: other programs of PyInstaller name theirs alike.
MARK: Final = "agent-task-tracker.unpacked"

_PREFIX: Final = "_MEI"

# Younger, it may belong to a run that has not come to its lock yet.
_SECONDS: Final = 3600


def hold(folder: str) -> None:
    """Lock the folder until this process ends, and remove what killed runs of this user have left
    beside it, an hour ago or longer. Does nothing on Windows, nor in a folder that is not ours."""
    if sys.platform == "win32" or not os.path.exists(os.path.join(folder, MARK)):
        return
    with contextlib.suppress(OSError):  # no locks in this file system: then nobody removes any
        fcntl.flock(os.open(folder, _FLAGS), fcntl.LOCK_SH | fcntl.LOCK_NB)
        parent = os.open(os.path.dirname(folder), _FLAGS)
        try:
            for name in os.listdir(parent):
                if name.startswith(_PREFIX):
                    with contextlib.suppress(OSError):
                        _remove(name, parent)
        finally:
            os.close(parent)


def _remove(name: str, parent: int) -> None:
    """Raises OSError, BlockingIOError too: it is in use."""
    descriptor = os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=parent)
    try:
        found = os.fstat(descriptor)
        is_ours = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
        if is_ours and time.time() - found.st_mtime > _SECONDS and _is_marked(descriptor):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            from shutil import rmtree  # much, and seldom needed

            rmtree(name, dir_fd=parent)
    finally:
        os.close(descriptor)


def _is_marked(folder: int) -> bool:
    found = os.stat(MARK, dir_fd=folder, follow_symlinks=False)
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
