"""Runs a command on Windows. It has our console and streams: what passes there is not seen, so only
how it ended is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from shutil import which
from typing import Final, NoReturn

from tracker.run.outcome import Outcome, Watcher
from tracker.run.tail import Tail
from tracker.text import printable

# cmd.exe's exit code for what it does not find.
_NOT_FOUND: Final = 9009


def run(command: list[str], watch: Callable[[Sequence[Tail], float], Watcher]) -> NoReturn:
    """Run a command to its end, have it watched, and end with its exit code. `watch`: see
    `tracker.run.posix`."""
    # Ctrl-C goes to every process of the console: what comes of it, the command decides.
    signal.signal(signal.SIGINT, lambda *_: None)
    began, start = time.time(), time.monotonic()
    problem = None
    try:
        # By its suffix too: npm is npm.cmd.
        process = subprocess.Popen([which(command[0]) or command[0], *command[1:]])  # noqa: S603
    except OSError as error:
        problem = f"{command[0]}: {error.strerror or error}"
        sys.stderr.write(f"tracker: {printable(problem)}\n")
    watcher = watch([], began)
    code = _NOT_FOUND if problem else _wait(process)
    watcher.end(Outcome(code, time.monotonic() - start, problem=problem))
    watcher.join()
    os._exit(code)


def _wait(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait(1)  # without a timeout Ctrl-C would not be looked at
        except subprocess.TimeoutExpired:
            continue
