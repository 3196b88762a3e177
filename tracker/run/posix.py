"""Runs a command on Linux and macOS: between its streams and ours, and nothing of it changed."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn

from tracker.run.child import CannotRun, end_like, spawn
from tracker.run.copying import Copy
from tracker.run.outcome import Outcome, Watcher
from tracker.run.signals import Child, give_back, stop_ourselves, take
from tracker.run.tail import Tail
from tracker.run.terminal import OutputTerminal, Terminal, is_in_foreground

# Seconds that the last report waits for a reader of our output who is slow.
_PATIENCE: Final = 0.5


class _Channel(NamedTuple):
    """A way for output: the command writes at `entry`, we read at `exit`, what comes goes to
    `sink`."""

    entry: int
    exit: int
    sink: int


class _Started(NamedTuple):
    child: Child
    channels: list[_Channel]
    terminal: Terminal | None


def run(
    command: list[str],
    watch: Callable[[Sequence[Tail], float], Watcher],
    *,
    closed: frozenset[int] = frozenset(),
) -> NoReturn:
    """Run a command to its end, have it watched, and end as it ended. `watch`: takes the outputs,
    and the time of the start in seconds since 1970; `closed`: the standard streams that we were
    started without."""
    mask = take()
    began, start = time.time(), time.monotonic()
    try:
        started = _start(command, closed, mask)
    except CannotRun as failure:
        _say(failure)
        watcher = watch([], began)
        watcher.end(Outcome(failure.code, time.monotonic() - start, problem=str(failure)))
        _wait_for(watcher)
        os._exit(failure.code)
    tails = [Tail() for _ in started.channels]
    ended, end = os.pipe()
    copies = [
        Copy(channel.exit, channel.sink, ended, tail)
        for channel, tail in zip(started.channels, tails, strict=True)
    ]
    for copy in copies:
        copy.start()
    if started.terminal:
        started.terminal.type(ended)
    watcher = watch(tails, began)
    status = started.child.wait()
    seconds = time.monotonic() - start
    os.close(end)
    for copy in copies:
        copy.join(_PATIENCE)
    watcher.end(_outcome(status, seconds))
    if started.terminal:
        started.terminal.give_back()
    _wait_for(watcher)  # signals come too late for the command, and shall not keep us from this
    if any(copy.is_alive() for copy in copies):
        give_back(mask)  # somebody reads slowly: as if the command itself was still writing
    for copy in copies:
        copy.join()
        copy.leave_to_others(mask)
        if copy.failure:
            _say(f"standard output: {copy.failure.strerror}")
    end_like(status)


def _start(command: list[str], closed: frozenset[int], mask: frozenset[int]) -> _Started:
    streams: list[int | None] = [None if number in closed else number for number in range(3)]
    if not closed and _is_one_terminal() and is_in_foreground():
        with suppress(OSError):  # there is no further terminal
            return _start_on_terminal(command, mask)
    channels: list[_Channel] = []
    resizes: list[Callable[[], bool]] = []
    for number in (1, 2):
        if number in closed or not _is_writable(number):
            continue
        if not (number == 2 and channels and _is_same(1, 2)):
            try:
                channel, resize = _channel(number)
            except OSError:  # there are no descriptors, or no terminals, any more
                continue
            channels.append(channel)
            resizes.append(resize)
        # Two ways would not keep the order of what is written to one place.
        streams[number] = channels[-1].entry
    pid = spawn(command, streams, mask)
    for channel in channels:
        os.close(channel.entry)
    child = Child(
        *(pid, pid),
        is_apart=False,
        resized=lambda: sum(resize() for resize in resizes) > 0,  # each of them
        suspend=stop_ourselves,
    )
    return _Started(child, channels, None)


def _start_on_terminal(command: list[str], mask: frozenset[int]) -> _Started:
    terminal = Terminal()
    channels = [_Channel(-1, terminal.master, 1)]
    errors = None
    if not _is_same(1, 2) and _is_writable(2):
        channels.append(_pipe(2))
        errors = channels[-1].entry
    leader, pid = terminal.start(command, errors, mask)
    if errors is not None:
        os.close(errors)
    child = Child(leader, pid, is_apart=True, resized=terminal.resize, suspend=terminal.suspend)
    return _Started(child, channels, terminal)


def _wait_for(watcher: Watcher) -> None:
    watcher.join()
    if watcher.problem and os.isatty(2):  # elsewhere it would be taken for the command's own
        _say(f"reports are lost: {watcher.problem}")


def _say(text: object) -> None:
    from tracker.text import printable  # noqa: PLC0415 - hardly ever needed

    with suppress(OSError):
        os.write(2, f"tracker: {printable(text)}\n".encode("utf-8", "replace"))


def _outcome(status: int, seconds: float) -> Outcome:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return Outcome(code, seconds)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return Outcome(128 - code, seconds, name)


def _channel(sink: int) -> tuple[_Channel, Callable[[], bool]]:
    """Like the sink: a terminal if that is one. And what follows the sink's size."""
    if not os.isatty(sink):
        return _pipe(sink), lambda: False
    terminal = OutputTerminal(sink)
    return _Channel(terminal.slave, terminal.master, sink), terminal.resize


def _pipe(sink: int) -> _Channel:
    exit_, entry = os.pipe()
    return _Channel(entry, exit_, sink)


def _is_writable(number: int) -> bool:
    return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def _is_same(one: int, other: int) -> bool:
    return os.path.samestat(os.fstat(one), os.fstat(other))


def _is_one_terminal() -> bool:
    return os.isatty(0) and os.isatty(1) and _is_same(0, 1)
