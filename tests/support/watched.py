"""Commands under `tracker run`, beside the same without it."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support import processes
from tests.support.cli import EXIT_SECONDS
from tests.support.server import COMMAND, KEY, environment

# By its path: a shell that is told where to look for programs has its own idea of `python`.
PYTHON = sys.executable

TRACKER_RUN = shlex.join([*COMMAND, "run"])


class Ended(NamedTuple):
    """How a process ended; a signal's code is negative."""

    code: int
    stdout: bytes
    stderr: bytes


class Nowhere:
    """An address where nothing listens, for as long as it is open."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()


def spool_of(home: Path) -> Path:
    return home / "spool"


def variables_for(home: Path, url: str, **variables: str) -> dict[str, str]:
    """A user's environment that leads to that server, with a spool of the test's own."""
    named = {"TRACKER_URL": url, "API_KEY": KEY, "TRACKER_SPOOL": str(spool_of(home))}
    return environment(home, **{**named, **variables})


def run_process(
    arguments: list[str],
    home: Path,
    given: Mapping[str, str],
    *,
    stdin: bytes = b"",
    **options: object,
) -> Ended:
    """Run it to its end."""
    done = processes.run(
        arguments,
        cwd=home,
        env=dict(given),
        stdin=stdin,
        seconds=EXIT_SECONDS,
        **options,  # type: ignore[call-overload]
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def shell(script: str, home: Path, given: Mapping[str, str], **options: object) -> Ended:
    """Run a script by sh. `$RUN` in it is `tracker run`, or nothing."""
    return run_process(["sh", "-c", script], home, given, **options)  # type: ignore[arg-type]


def with_and_without(script: str, home: Path, given: Mapping[str, str]) -> tuple[Ended, Ended]:
    """A script in which `$RUN` stands before the job: as `tracker run --`, and as nothing."""
    with_it = shell(script.replace("$RUN", f"{TRACKER_RUN} --"), home, given)
    return with_it, shell(script.replace("$RUN", ""), home, given)


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
