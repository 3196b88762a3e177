"""A terminal of the command's own, between it and ours, so that it behaves as at ours: colours,
progress bars, full screens, passwords.

The command is in a session of its own, whose leader, a process of ours, does nothing but wait for
it: a process can be stopped from its terminal (Ctrl-Z) only if its parent is in its session. The
leader stops when the command stops, and ends as it ends.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import termios
import threading
import tty
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, NamedTuple, NoReturn

from tracker.run.child import CannotRun, become, end_like

_CHUNK: Final = 4096

# Seconds between two looks at whether we are in the foreground.
_INTERVAL: Final = 0.5

# What the new processes tell us, each before a number: the command's id, the system's error.
_PROCESS: Final = b"p"
_ERROR: Final = b"e"


class Started(NamedTuple):
    """The leader of the session, and the command."""

    leader: int
    command: int


class Terminal:
    """Ours, as the standard input, and a new one, whose other end (`master`) we have. What is
    between the two hands everything on as it comes."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        self._modes = termios.tcgetattr(0)
        termios.tcsetattr(self._slave, termios.TCSANOW, self._modes)
        self.resize()

    def start(self, command: list[str], errors: int | None, mask: Iterable[int]) -> Started:
        """Start a command on the new terminal. `errors`: its standard error, if that is not the
        terminal. Before any thread is started; until `give_back` ours does nothing by itself.

        Raises:
            CannotRun: see `tracker.run.child`.
            OSError: there is no room for another process.
        """
        self._make_raw()  # first: what the command prints has been made up for a terminal
        try:
            return self._fork(command, errors, mask)
        except (CannotRun, OSError):
            self.give_back()
            raise

    def type(self, ended: int) -> None:
        """Take what is typed to the command, until it ends: `ended` is hung up then."""
        threading.Thread(target=self._type, args=(ended,), daemon=True).start()

    def _fork(self, command: list[str], errors: int | None, mask: Iterable[int]) -> Started:
        told, tell = os.pipe()
        leader = os.fork()
        if leader == 0:
            os.close(told)
            os.close(self.master)
            _lead(command, self._slave, errors, tell, mask)
        os.close(tell)
        os.close(self._slave)
        with os.fdopen(told, "rb") as pipe:
            # The two may come in any order.
            words = {word[:1]: int(word[1:]) for word in pipe.read().split()}
        if _PROCESS not in words or _ERROR in words:
            os.waitpid(leader, 0)
            raise CannotRun(command[0], words.get(_ERROR, errno.EAGAIN))
        return Started(leader, words[_PROCESS])

    def give_back(self) -> None:
        """Our terminal has the modes from now on that the command left at its own, and does again
        what is to be done to line breaks, those of processes left behind too."""
        with suppress(termios.error):
            self._modes = termios.tcgetattr(self.master)
            termios.tcsetattr(self.master, termios.TCSANOW, _without_line_breaks(self._modes))
        if is_in_foreground():
            _set_modes(self._modes)

    def suspend(self) -> None:
        """The command was stopped: stop our process group, as a terminal would have, until somebody
        continues it."""
        if is_in_foreground():
            _set_modes(self._modes)
        os.killpg(0, signal.SIGTSTP)
        self._make_raw()
        self.resize()

    def resize(self) -> bool:
        """The new terminal has our terminal's size; the system tells those who use it."""
        _resize(self.master, 0)
        return False

    def _make_raw(self) -> None:
        if is_in_foreground():
            with suppress(termios.error):
                tty.setraw(0, termios.TCSANOW)

    def _type(self, ended: int) -> None:
        poll = select.poll()
        poll.register(ended, 0)
        poll.register(0, select.POLLIN)
        waiting = select.poll()
        waiting.register(ended, 0)
        with suppress(OSError):  # either terminal is gone
            while True:
                if not is_in_foreground():  # what is typed is not for us
                    if waiting.poll(_INTERVAL * 1000):
                        return
                    continue
                if any(descriptor == ended for descriptor, _ in poll.poll()):
                    return
                data = os.read(0, _CHUNK)
                if not data:
                    return
                while data:
                    data = data[os.write(self.master, data) :]


class OutputTerminal:
    """A new terminal for the output alone, where the input is none, or not ours to take: the
    command stays in our session, and under the control of our terminal."""

    def __init__(self, like: int) -> None:
        self.master, self.slave = os.openpty()
        self._like = like
        # Our terminal does what is to be done to line breaks.
        modes = _without_line_breaks(termios.tcgetattr(like))
        termios.tcsetattr(self.slave, termios.TCSANOW, modes)
        self.resize()

    def resize(self) -> bool:
        """Likewise; whether the command has to be told, which is not in this terminal's session."""
        return _resize(self.master, self._like)


def _resize(terminal: int, like: int) -> bool:
    """Whether the size was another."""
    with suppress(termios.error, OSError):
        size = termios.tcgetwinsize(like)
        if termios.tcgetwinsize(terminal) != size:
            termios.tcsetwinsize(terminal, size)
            return True
    return False


def is_in_foreground() -> bool:
    """Whether the standard input is our terminal, and what is typed there is for us."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _without_line_breaks(modes: list[Any]) -> list[Any]:
    """These modes, but that output is handed on as it comes."""
    return [modes[0], modes[1] & ~termios.OPOST, *modes[2:]]


def _set_modes(modes: list[Any]) -> None:
    with suppress(termios.error):
        termios.tcsetattr(0, termios.TCSADRAIN, modes)


def _lead(
    command: list[str],
    terminal: int,
    errors: int | None,
    tell: int,
    mask: Iterable[int],
) -> NoReturn:
    """The process that leads the session."""
    try:
        os.login_tty(terminal)
        if errors is not None:
            os.dup2(errors, 2)
        # What is typed is no business of this process.
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals() - {signal.SIGHUP})
        child = os.fork()
        if child == 0:
            _run(command, tell, mask)
        # If the terminal goes, this is the process that hears of it.
        signal.signal(signal.SIGHUP, lambda *_: os.killpg(child, signal.SIGHUP))
        os.write(tell, b"%s%d\n" % (_PROCESS, child))
        os.close(tell)
        _wait(child)
    finally:
        os._exit(1)


def _run(command: list[str], tell: int, mask: Iterable[int]) -> NoReturn:
    """The process that becomes the command."""
    number = errno.EIO
    try:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        become(command, mask)
    except CannotRun as failure:
        number = failure.number
    finally:
        os.write(tell, b"%s%d\n" % (_ERROR, number))
        os._exit(1)


def _wait(child: int) -> NoReturn:
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        os.kill(os.getpid(), signal.SIGSTOP)
        os.killpg(child, signal.SIGCONT)
    # When the leader of a session ends, the group in the foreground is hung up: that shall be
    # nobody but us. Processes that the command left behind live on, as without us.
    os.tcsetpgrp(0, os.getpgrp())
    end_like(status)
