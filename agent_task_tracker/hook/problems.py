"""What went wrong in a hook, of which its agent is told nothing."""

from __future__ import annotations

import contextlib
import os
import time

from agent_task_tracker.light_typing import Final

PROBLEM: Final = ".hook-problem"
"""In the spool: the last one, as JSON with `at` and `error`."""


def note(error: BaseException) -> None:
    """Keep it for whoever asks, if there is a place for it."""
    from agent_task_tracker import user_folders
    from agent_task_tracker.hook_request import encode
    from agent_task_tracker.report import iso
    from agent_task_tracker.spool_files import check, write

    with contextlib.suppress(OSError):
        folder = user_folders.spool(os.environ)
        check(folder)
        content = {"at": iso(time.time_ns()), "error": f"{type(error).__name__}: {error}"[:1000]}
        write(f"{folder}{os.sep}{PROBLEM}", encode(content))
