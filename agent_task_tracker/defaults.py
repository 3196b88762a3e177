"""What a job is called, and which server it reports to, if nobody says otherwise."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_task_tracker.tracking import Tracker

# Of a `.git` file, which leads to the repository that a worktree belongs to.
_MAX_LINK_BYTES = 4096


def project_name(environment: Mapping[str, str]) -> str:
    """TRACKER_PROJECT, else the name of the repository's folder (of a worktree: of the main one),
    else that of the working directory."""
    given = environment.get("TRACKER_PROJECT")
    if given:
        return given
    try:
        folder = Path.cwd()
        for candidate in (folder, *folder.parents):
            git = candidate / ".git"
            if git.is_dir():
                return candidate.name or "root"
            if git.is_file():
                return _main_worktree(git).name or candidate.name
    except OSError:  # it was removed, or may not be read
        return "unnamed"
    return folder.name or "root"


def agent_name(environment: Mapping[str, str]) -> str:
    """TRACKER_AGENT, else the name of the program."""
    given = environment.get("TRACKER_AGENT")
    program = sys.argv[0] if sys.argv else ""
    if Path(program).name == "__main__.py":  # python -m package
        program = str(Path(program).parent)
    return given or Path(program).stem.lstrip("-") or "python"


@functools.cache
def tracker() -> Tracker:
    """The one that `agent_task_tracker.task` reports by: what the environment says."""
    from agent_task_tracker.tracking import Tracker  # noqa: PLC0415 - it imports this module

    return Tracker()


def _main_worktree(git: Path) -> Path:
    """The folder that `.git/worktrees/NAME` of it names."""
    with contextlib.suppress(OSError, ValueError), git.open("rb") as file:
        text = file.read(_MAX_LINK_BYTES).decode("utf-8", "replace")
        target = Path(text.partition("gitdir:")[2].strip())
        if target.parent.name == "worktrees" and target.parent.parent.name == ".git":
            return target.parent.parent.parent
    return git.parent
