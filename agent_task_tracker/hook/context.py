"""What the server cannot see by itself: when and where it happened, in the header
`Tracker-Context`."""

from __future__ import annotations

import os

from agent_task_tracker.hook.git import git_facts
from agent_task_tracker.hook.process import Process, boot_id, pid_namespace
from agent_task_tracker.light_typing import Any, Final
from agent_task_tracker.masking import Masking
from agent_task_tracker.report import iso

VERSION: Final = 1

# Of a text, in characters, each of which may become six bytes; all of them fit in a header.
_MAX_TEXT: Final = 1024


def context(
    started_ns: int, folder: str, process: Process | None, masking: Masking
) -> dict[str, Any]:
    """The context of an event. `started_ns`: when, in nanoseconds since 1970; `folder`: where the
    agent works, if it says so."""
    if not os.path.isabs(folder):
        folder = _working_directory()
    git = git_facts(folder) if folder else None
    texts = {
        "host": _host(),
        "boot_id": boot_id(),
        "pid_namespace": pid_namespace(),
        "cwd": folder,
        **(git._asdict() if git else {}),
    }
    found: dict[str, Any] = {"version": VERSION, "at": iso(started_ns)}
    for name, text in texts.items():
        if text and len(text) <= _MAX_TEXT:  # half a path is none
            found[name] = masking.text(text.encode("utf-8", "replace").decode())
    if process is not None:
        found |= {"pid": process.pid, "started": process.started}
    return found


def _host() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it is gone
        return ""
