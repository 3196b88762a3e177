"""Runs the commands as a user would: in a process, and on a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from click.testing import CliRunner

from tests.support import processes
from tests.support.processes import Process
from tests.support.server import COMMAND, KEY, Server, environment

EXIT_SECONDS = 60


def run(
    *arguments: str,
    home: Path,
    server: Server | None = None,
    stdin: bytes = b"",
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end. `server`: the one that its variables lead to."""
    return processes.run(
        [*COMMAND, *arguments],
        cwd=home,
        env=_environment(home, server, variables),
        stdin=stdin,
        seconds=EXIT_SECONDS,
    )


class Done(NamedTuple):
    """The outcome of a command that was run in this process."""

    code: int
    stdout: str
    stderr: str


def run_here(*arguments: str, home: Path | None = None, **variables: str) -> Done:
    """Run a command in this process, which is faster. `home` None: the environment says it."""
    from tracker.cli.group import run as run_command

    given = variables
    if home is not None:
        given = {"HOME": str(home), "TRACKER_DB": str(home / "tracker.db"), **variables}
    with (
        CliRunner(env=given).isolation() as (stdout, stderr, _),
        mock.patch.object(sys, "argv", ["tracker", *arguments]),
    ):
        code = 0
        try:
            run_command()
        except SystemExit as end:
            code = int(end.code or 0)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return Done(code, stdout.getvalue().decode(), stderr.getvalue().decode())


def package_environment(home: Path, **variables: str) -> dict[str, str]:
    """An environment for tests of the package, also when the executable is under test."""
    return environment(home, PYTHONPATH=str(Path(__file__).parents[2]), **variables)


def json_lines(output: bytes) -> list[dict[str, Any]]:
    """What a command printed with --json."""
    return [json.loads(line) for line in output.decode("utf-8").splitlines()]


class Terminal:
    """A command on a terminal of its own, so many `columns` wide. Not on Windows."""

    def __init__(
        self,
        *arguments: str,
        home: Path,
        server: Server | None = None,
        variables: Mapping[str, str] | None = None,
        columns: int = 120,
    ) -> None:
        import pty
        import termios

        self._descriptor, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (40, columns))
        self.process = Process(
            [*COMMAND, *arguments],
            cwd=home,
            env={"TERM": "xterm-256color", **_environment(home, server, variables)},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self.output = ""

    def read_until(self, text: str) -> str:
        """Everything so far, once `text` was printed."""
        while text not in self.output:
            if not self._read():
                raise AssertionError(f"ended without {text!r}:\n{self.output}")
        return self.output

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self._descriptor, keys.encode())

    def read_all(self) -> str:
        """Everything, once the command has ended."""
        while self._read():
            pass
        self.process.wait(EXIT_SECONDS)
        return self.output

    def close(self) -> None:
        """End the command if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(EXIT_SECONDS)
        os.close(self._descriptor)

    def _read(self) -> bool:
        try:
            part = os.read(self._descriptor, 65_536)
        except OSError:  # how Linux reports the end of a terminal
            return False
        self.output += part.decode("utf-8", "replace")
        return bool(part)


def _environment(
    home: Path, server: Server | None, variables: Mapping[str, str] | None
) -> dict[str, str]:
    found = {} if server is None else {"TRACKER_URL": server.url, "API_KEY": KEY}
    return environment(home, **{**found, **(variables or {})})
