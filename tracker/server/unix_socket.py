"""A listening Unix socket that only its owner may connect to."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tracker.errors import ConfigError, InUse
from tracker.files import identity

# Seconds to wait for the lock on the folder, and between two tries.
_LOCK_TIMEOUT: Final = 5.0
_LOCK_INTERVAL: Final = 0.01

_BACKLOG: Final = 2048


@contextlib.contextmanager
def listening(name: str) -> Iterator[socket.socket]:
    """A socket that listens on the path, and is removed afterwards. A dead server's is replaced,
    nothing else.

    Raises:
        InUse: a server listens there.
        ConfigError: it cannot.
    """
    if not hasattr(socket, "AF_UNIX") or os.name == "nt":
        raise ConfigError("--unix-socket: not on this system; leave it out")
    path = Path(name).absolute()
    if not name or not path.parent.is_dir():
        raise ConfigError(f"{path if name else '--unix-socket'}: its folder does not exist")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        with _telling(path), _locked(path.parent):
            _remove_dead(path)
            _bind(listener, path)
            listener.listen(_BACKLOG)
            bound = identity(path)
        try:
            yield listener
        finally:
            _remove(path, bound)


def _remove_dead(path: Path) -> None:
    """Raises InUse, ConfigError, OSError."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(f"{path}: is there, and no socket; choose another --unix-socket")
    except FileNotFoundError:
        return
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # its backlog is full
            pass
    raise InUse(f"{path}: a server listens there; choose another --unix-socket")


def _bind(listener: socket.socket, path: Path) -> None:
    """Raises OSError."""
    mask = os.umask(0o177)  # chmod would come too late: others might have connected
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)


def _remove(path: Path, bound: tuple[int, int, int]) -> None:
    """Unless another server has replaced it by now, since this one does not accept any more."""
    with contextlib.suppress(OSError, InUse), _locked(path.parent):
        if identity(path) == bound:
            path.unlink()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Excludes other servers: of two that find a dead socket, the second would remove the new one
    of the first. Raises InUse, OSError."""
    import fcntl  # noqa: PLC0415 - not on Windows

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + _LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InUse(f"{folder}: another program holds a lock on it") from None
                time.sleep(_LOCK_INTERVAL)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{path}: cannot be used as --unix-socket: {reason}") from None
