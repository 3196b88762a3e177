"""Commands whose standard output or standard error cannot be written."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cli import EXIT_SECONDS
from tests.support.server import COMMAND, KEY, Server, environment

FULL = ">/dev/full"
BROKEN_PIPE = ""  # its reader has gone before the command starts

# Whatever a command prints on standard output, with what the fixture's server has.
PRINTING = (
    *("ls", "ls --json", "ls p", "show p t", "show p t --json", "stats", "stats p --json"),
    *("tail", "tail --json", "tail -f", "tail -f --json", "report", "report --format junit"),
    *("report --format json", "export", "export --format csv", "doctor", "doctor --json"),
    *("key list", "key list --json", "audit", "audit --json", "key --help"),
    *("licenses", "licenses --texts", "licenses --json", "completion bash", "ls --help"),
    *("serve --help", "--help", "--version", "--help --help", "--version --version"),
)

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux'")


class Ended(NamedTuple):
    """Exit code, and standard error without the last line break."""

    code: int
    errors: str


def printing_to(where: str, command: str, *, server: Server, home: Path) -> Ended:
    """Run a command by the shell with its standard output as `where` says, one of the server's
    tasks being `t` of project `p`, one of its keys `k`. Without redirection it is a broken pipe."""
    assert server.report("finish", "p", "t").is_success
    server.http.post("/api/keys", json={"name": "k", "role": "read"})
    given = {"TRACKER_URL": server.url, "API_KEY": KEY, "TRACKER_DB": str(server.database)}
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            ["sh", "-c", f"exec {shlex.join(COMMAND)} {command} {where}"],
            check=False,
            cwd=home,
            env=environment(home, **given),
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=EXIT_SECONDS,
        )
    finally:
        os.close(write)
    return Ended(ended.returncode, ended.stderr.removesuffix("\n"))


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
