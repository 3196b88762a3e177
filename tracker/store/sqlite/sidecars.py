"""The files beside a database that belong to it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent_task_tracker.keys import kept_in
from tracker.config.paths import KEPT_SUFFIXES

SIDECARS: Final = ("-wal", "-shm", "-journal")
"""SQLite's own."""


def files_of(database: Path) -> list[Path]:
    """The files that belong to a database, whether they exist or not."""
    itself = database.resolve()  # SQLite's own lie beside what links lead to
    beside = [Path(f"{itself}{end}") for end in ("", *SIDECARS, ".lock")]
    return [*beside, *(kept_in(database, suffix) for suffix in KEPT_SUFFIXES)]
