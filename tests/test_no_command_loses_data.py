"""No command can lose data: backup, restore, export, import, prune and upgrades, each attacked.

The order is that of docs/reliability.md. What is found after a kill at each step of a command is in
`test_kill_points.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.full import FULL, NOBODY_READS, PRINTING, needs_full, printing_to
from tests.server import Server

# --- Restore.


# --- Files that a command writes: never onto a database, never through a link.


# --- Import: every row is looked at as the API would, or nothing is taken.


# --- Numbers after a restore.


# --- A full disk.


@needs_full
@pytest.mark.parametrize("command", PRINTING)
def test_a_full_disk_under_standard_output_is_one_line(
    shared_server: Server, command: str, tmp_path: Path
) -> None:
    ended = printing_to(FULL, command, server=shared_server, home=tmp_path)
    assert ended == (1, "tracker: standard output: No space left on device")


@needs_full
@pytest.mark.parametrize("command", PRINTING)
def test_a_reader_that_has_gone_ends_a_command_quietly(
    shared_server: Server, command: str, tmp_path: Path
) -> None:
    assert printing_to(NOBODY_READS, command, server=shared_server, home=tmp_path) == (141, "")


@needs_full
@pytest.mark.parametrize("kind", ["start", "status", "finish", "error"])
def test_a_report_is_recorded_though_its_answer_cannot_be_printed(
    shared_server: Server, project: str, kind: str, tmp_path: Path
) -> None:
    message = " --message m" if kind == "error" else ""
    command = f"{kind} --project '{project}' --task t{message}"
    ended = printing_to(FULL, command, server=shared_server, home=tmp_path)
    event = shared_server.task(project, "t")["events"][-1]["id"]
    assert ended == (
        1,
        "tracker: standard output: No space left on device; "
        f"the report was recorded as event {event}",
    )


# --- Two servers, one database.


# --- Who may read the files.


# --- Upgrades.
