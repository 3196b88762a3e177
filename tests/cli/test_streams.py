"""Standard output and standard error that fail in other ways than the two headline ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli import package_environment, run
from tests.support.full import FULL, PRINTING, needs_full, printing_to
from tests.support.processes import Process
from tests.support.server import COMMAND, KEY, Server, environment

pytestmark = needs_full


@pytest.mark.parametrize("command", PRINTING)
def test_closed_standard_output_is_one_line(
    shared_server: Server, command: str, tmp_path: Path
) -> None:
    ended = printing_to(">&-", command, server=shared_server, home=tmp_path)
    assert ended == (1, "tracker: standard output: Bad file descriptor")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "<&- 2>&-"])
@pytest.mark.parametrize("command", ["prune --older-than 300d", "backup copy", "doctor", "ls"])
def test_no_work_fails_because_standard_error_does(
    shared_server: Server, command: str, redirection: str, tmp_path: Path
) -> None:
    where = f">{tmp_path}/printed {redirection}"
    ended = printing_to(where, command, server=shared_server, home=tmp_path)
    assert ended == (0, "")
    assert (tmp_path / "printed").read_text()


@pytest.mark.parametrize("command", ["show p none", "ls --nonsense", "nonsense"])
def test_exit_codes_stay_when_nobody_hears_why(
    shared_server: Server, command: str, tmp_path: Path
) -> None:
    heard = printing_to("", command, server=shared_server, home=tmp_path)
    unheard = printing_to("2>/dev/full", command, server=shared_server, home=tmp_path)
    assert unheard == (heard.code, "")
    assert heard.code in (1, 2)


@pytest.mark.parametrize("command", ["prune --older-than 300d", "backup copy"])
def test_what_was_done_is_said(shared_server: Server, command: str, tmp_path: Path) -> None:
    ended = printing_to(FULL, command, server=shared_server, home=tmp_path)
    assert ended.code == 1
    last = ended.errors.splitlines()[-1]
    assert last.startswith("tracker: standard output: No space left on device; it is done")


def test_a_closed_standard_output_is_not_given_to_the_next_file(
    shared_server: Server, tmp_path: Path
) -> None:
    """Or what is printed would be written into a backup."""
    done = printing_to(">&- 2>&- <&-", "backup copy", server=shared_server, home=tmp_path)
    assert done.code == 1
    assert (tmp_path / "copy").read_bytes()[:15] == b"SQLite format 3"
    again = run("restore", str(tmp_path / "copy"), "--db", "new.db", home=tmp_path)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("command", ["tail -f", "tail -f --json"])
def test_following_ends_when_its_reader_goes(
    start_server: Callable[..., Server], command: str, tmp_path: Path
) -> None:
    server = start_server()
    server.report("start", "p", "first")
    with Process(
        [*COMMAND, *command.split()],
        cwd=tmp_path,
        env=environment(tmp_path, TRACKER_URL=server.url, API_KEY=KEY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        assert b"first" in following.stdout.readline()
        following.stdout.close()
        server.report("start", "p", "second")
        assert following.stderr.read() == b""
        assert following.wait(60) == 141


def test_a_pipe_that_does_not_wait_loses_nothing(shared_server: Server, tmp_path: Path) -> None:
    """Node.js makes its pipes so, and they are one with ours."""
    whole = run("licenses", "--json", home=tmp_path).stdout
    read, write = os.pipe()
    os.set_blocking(write, False)
    with Process(
        [*COMMAND, "licenses", "--json"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=write,
        stderr=subprocess.PIPE,
    ) as command:
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            assert pipe.read() == whole
        assert command.stderr is not None
        assert command.stderr.read() == b""
    assert len(whole) > 65_536


def test_the_line_is_said_by_python_without_buffers_too(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-u", "-m", "tracker", "--help"],
            check=False,
            cwd=tmp_path,
            env=package_environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 1
    assert re.fullmatch(rb"tracker: standard output: No space left on device\n", done.stderr)
