"""Commands whose standard output or standard error cannot be written."""

from __future__ import annotations

import os
import shlex
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support import processes
from tests.support.cli import EXIT_SECONDS
from tests.support.server import COMMAND, KEY, Server, environment

FULL = ">/dev/full"
_FULL_STREAMS = {FULL: "stdout", "2>/dev/full": "stderr"}  # without a shell
BROKEN_PIPE = ""  # its reader has gone before the command starts

# Whatever a command prints on standard output, with what the fixture's server has.
PRINTING = (
    *("ls", "ls --json", "ls p", "show p t", "show p t --json", "stats", "stats p --json"),
    *("tail", "tail --json", "tail -f", "tail -f --json", "report", "report --format junit"),
    *("report --format json", "export", "export --format csv", "doctor", "doctor --json"),
    *("key list", "key list --json", "audit", "audit --json", "key --help"),
    *("agents", "agents --json"),
    *("licenses", "licenses --texts", "licenses --json", "completion bash", "ls --help"),
    *("serve --help", "--help", "--version", "--help --help", "--version --version"),
)

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux'")


class Ended(NamedTuple):
    """Exit code, and standard error without the last line break."""

    code: int
    errors: str


def printing_to(where: str, command: str, *, server: Server, home: Path) -> Ended:
    """Run a command with its standard output as `where` says to a shell, one of the server's
    tasks being `t` of project `p`, one of its keys `k`. Without redirection it is a broken pipe."""
    assert server.report("finish", "p", "t").is_success
    server.http.post("/api/keys", json={"name": "k", "role": "read"})
    given = {"TRACKER_URL": server.url, "API_KEY": KEY, "TRACKER_DB": str(server.database)}
    words = [*COMMAND, *shlex.split(command)]
    with ExitStack() as opened:
        streams: dict[str, Any] = {"stdout": _broken_pipe(opened), "stderr": subprocess.PIPE}
        if where in _FULL_STREAMS:
            full = opened.enter_context(Path("/dev/full").open("wb"))
            streams[_FULL_STREAMS[where]] = full
        elif where:
            words = ["sh", "-c", f"exec {shlex.join(words)} {where}"]
        ended = processes.run(
            words,
            cwd=home,
            env=environment(home, **given),
            text=True,
            seconds=EXIT_SECONDS,
            **streams,
        )
    return Ended(ended.returncode, (ended.stderr or "").removesuffix("\n"))


def _broken_pipe(opened: ExitStack) -> int:
    read, write = os.pipe()
    os.close(read)
    opened.callback(os.close, write)
    return write


def run_with_file_limit(
    size: int, *arguments: str, home: Path
) -> subprocess.CompletedProcess[bytes]:
    """A command whose files may not grow beyond that size."""
    import resource

    return subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        cwd=home,
        env=environment(home),
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
