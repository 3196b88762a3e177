"""Waits for a child, and hands on the signals that would have reached it without us."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final, NamedTuple

# Not handed on: they are about a process's own memory and code, cannot be caught, or are for job
# control, which a terminal exercises on our whole process group.
_LEFT_ALONE: Final = frozenset(
    {
        *(signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE),
        *(signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGSYS, signal.SIGPIPE),
        *(signal.SIGXFSZ, signal.SIGXCPU, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
    }
)

# Ignored by default: without a handler some systems forget them while they are blocked.
_NEED_A_HANDLER: Final = (signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG)

# Seconds within which a signal that comes from the terminal and from a process is the same one: the
# outer process of an executable in one file hands on what we have heard ourselves.
_SAME_SIGNAL: Final = 1.0


class _Signal(NamedTuple):
    """`sender` 0: the terminal, or the system."""

    number: int
    sender: int


def take() -> frozenset[int]:
    """Block the signals that are to be handed on, in this thread and those it starts; what was
    blocked before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _LEFT_ALONE)
    for number in _NEED_A_HANDLER:
        signal.signal(number, lambda *_: None)
    return frozenset(before)


def give_back(mask: frozenset[int]) -> None:
    """From now on signals do to this process what they would have done to the command."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Child:
    """A child that is waited for.

    `target`: the process that gets the signals, the child itself or one below it. `is_apart`: it is
    on a terminal of its own, so that nothing of ours reaches it by itself. `resized` is called when
    our terminal's size changes, and says whether the command has to be told; `suspend` stops this
    process when the child was stopped, and returns when it goes on.
    """

    def __init__(
        self,
        pid: int,
        target: int,
        *,
        is_apart: bool,
        resized: Callable[[], bool],
        suspend: Callable[[], None],
    ) -> None:
        self._pid = pid
        self._target = target
        self._is_apart = is_apart
        self._resized = resized
        self._suspend = suspend
        self._from_terminal: dict[int, float] = {}

    def wait(self) -> int:
        """Its status, as `os.waitpid` has it, once it has ended."""
        while True:
            received = _next()
            if received.number == signal.SIGCHLD:
                pid, status = os.waitpid(self._pid, os.WNOHANG | os.WUNTRACED)
                if pid and not os.WIFSTOPPED(status):
                    return status
                if pid:
                    self._suspend()
                    self._continue()
            elif received.number == signal.SIGCONT:
                self._continue()
                if self._resized():
                    self._send(self._target, signal.SIGWINCH)
            elif received.number == signal.SIGWINCH:
                if self._resized() or self._is_missing(received):
                    self._send(self._target, signal.SIGWINCH)
            elif self._is_missing(received):
                self._send(self._target, received.number)

    def _is_missing(self, received: _Signal) -> bool:
        """Whether the command has not got it too: a terminal sends to the whole process group."""
        if received.sender == 0:
            self._from_terminal[received.number] = time.monotonic()
            return self._is_apart
        if received.sender in (self._target, self._pid):
            return False
        heard = self._from_terminal.get(received.number)
        is_same = heard is not None and time.monotonic() - heard < _SAME_SIGNAL
        return self._is_apart or not (is_same and received.sender == os.getppid())

    def _continue(self) -> None:
        self._send(self._pid, signal.SIGCONT)
        if self._target != self._pid:
            self._send(self._target, signal.SIGCONT)

    @staticmethod
    def _send(pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):  # gone; or it has become another user
            return


def stop_ourselves() -> None:
    """Stop this process as its child was stopped; returns when somebody continues it."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _next() -> _Signal:
    """The next signal that came, or comes."""
    wanted = signal.valid_signals() - _LEFT_ALONE
    if sys.platform == "linux":
        info = signal.sigwaitinfo(wanted)
        # SI_USER, SI_QUEUE and SI_TKILL are not positive.
        return _Signal(info.si_signo, info.si_pid if info.si_code <= 0 else 0)
    number = signal.sigwait(wanted)
    # Nobody says who sent it: a terminal, if one could have.
    by_keys = number in (signal.SIGINT, signal.SIGQUIT) and _is_in_foreground()
    return _Signal(number, 0 if by_keys else -1)


def _is_in_foreground() -> bool:
    try:
        descriptor = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    finally:
        os.close(descriptor)
