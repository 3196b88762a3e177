"""A project that no report has named is the same to every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import run_here
from tests.support.server import KEY, Server

SAID = "There is no project 'none'; a project appears with its first report."


@pytest.mark.parametrize(
    "command",
    [
        *("ls none", "stats none", "tail --project none", "report --project none"),
        *("export --project none", "prune --older-than 1d --project none"),
    ],
)
def test_it_is_1_and_the_same_line(shared_server: Server, command: str, tmp_path: Path) -> None:
    done = run_here(
        *command.split(),
        home=tmp_path,
        TRACKER_URL=shared_server.url,
        API_KEY=KEY,
        TRACKER_DB=str(shared_server.database),
    )
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(f"tracker: {SAID}")
