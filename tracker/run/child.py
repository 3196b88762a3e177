"""A command as a child process that cannot tell it from a start by the shell, and an end of our own
that nobody can tell from the command's. Not on Windows."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NoReturn

# A shell's exit codes for what it cannot run.
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126

# Added to a signal's number where a process cannot end by it.
_BY_SIGNAL: Final = 128

# What Python ignores from its start on, and programs do not expect to be ignored.
IGNORED_BY_PYTHON: Final = frozenset({signal.SIGPIPE, signal.SIGXFSZ})

# Python sets LC_CTYPE to one of these where the locale is C (PEP 538).
_COERCED: Final = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})

_LIBRARY_PATHS: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")


class CannotRun(Exception):
    """The command did not start. `number`: of the system's error; `code`: what a shell would exit
    with."""

    def __init__(self, name: str, number: int) -> None:
        reason = "command not found" if number == errno.ENOENT else os.strerror(number)
        super().__init__(f"{name}: {reason}")
        self.number = number
        self.code = _NOT_FOUND if number == errno.ENOENT else _NOT_EXECUTABLE


def spawn(command: list[str], streams: Sequence[int | None], mask: Iterable[int]) -> int:
    """Start a command; its process id. `streams`: its descriptors 0, 1 and 2 among ours; None: it
    is closed. `mask`: the signals that it has blocked.

    Raises:
        CannotRun: there is no such command, or the system refuses it.
    """
    actions: list[tuple[int, int] | tuple[int, int, int]] = []
    for number, stream in enumerate(streams):
        if stream is None:
            actions.append((os.POSIX_SPAWN_CLOSE, number))
        elif stream != number:
            actions.append((os.POSIX_SPAWN_DUP2, stream, number))

    def start(words: list[str]) -> int:
        return os.posix_spawnp(
            words[0],
            words,
            environment(),
            file_actions=actions,
            setsigmask=mask,
            setsigdef=IGNORED_BY_PYTHON,
        )

    return _as_shells_do(command, start)


def become(command: list[str], mask: Iterable[int]) -> NoReturn:
    """The same in this process, whose streams are right already. Raises CannotRun."""
    for ignored in IGNORED_BY_PYTHON:
        signal.signal(ignored, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _as_shells_do(command, lambda words: os.execvpe(words[0], words, environment()))  # noqa: S606
    raise AssertionError("exec returned")


def _as_shells_do(command: list[str], start: Callable[[list[str]], int]) -> int:
    """What has no `#!` line is a script for sh."""
    try:
        try:
            return start(command)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            return start(["/bin/sh", _path_of(command[0]), *command[1:]])
    except OSError as error:
        raise CannotRun(command[0], error.errno or errno.EACCES) from None
    except ValueError:  # a NUL, or no name at all
        raise CannotRun(command[0], errno.ENOENT) from None


def _path_of(name: str) -> str:
    from shutil import which  # noqa: PLC0415 - hardly ever needed

    return which(name) or name


def environment() -> dict[str, str]:
    """The variables that we were started with, without those that Python or PyInstaller added."""
    variables = dict(os.environ)
    if variables.get("LC_CTYPE") in _COERCED and not _was_given(b"LC_CTYPE"):
        del variables["LC_CTYPE"]
    if getattr(sys, "frozen", False):
        for name in _LIBRARY_PATHS:
            variables.pop(name, None)
            if f"{name}_ORIG" in variables:
                variables[name] = variables.pop(f"{name}_ORIG")
        for name in [name for name in variables if name.startswith(("_PYI_", "_MEIPASS"))]:
            del variables[name]
    return variables


def _was_given(name: bytes) -> bool:
    try:
        given = Path("/proc/self/environ").read_bytes()
    except OSError:  # no Linux: nobody can tell
        return True
    return any(line.startswith(name + b"=") for line in given.split(b"\0"))


def end_like(status: int) -> NoReturn:
    """End this process as the child with that status (of `os.waitpid`) ended, with its exit code or
    by the same signal: whoever waits for us sees what it would have seen of the child."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))  # the child's core is there, if any
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        os.kill(os.getpid(), number)
        os._exit(
            _BY_SIGNAL + number
        )  # process 1 of a container does not end by a signal of its own
    os._exit(os.waitstatus_to_exitcode(status))
