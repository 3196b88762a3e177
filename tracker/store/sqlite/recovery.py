"""What becomes of a restore that was broken off: it is undone, or it was as good as done.

See `tracker.store.sqlite.admin.restore` for its steps. The note beside the database says how far it
may have come; whether the copy took the database's name shows in whether it still has its own.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tracker import files
from tracker.errors import ConfigError, InUse

logger = logging.getLogger(__name__)

# SQLite's files beside the database that belong to its content. The WAL's index is made anew.
COMPANIONS: Final = ("-wal", "-journal")


BEFORE: Final = ".before-restore-"
"""Between a database's name and the time at which a restore replaced it."""

# Bytes of a note.
_LONGEST: Final = 100_000


class Told(NamedTuple):
    """What a restore is about to do. `kept`: the old database's second name; None: as yet none."""

    phase: Literal["copying", "placing"]
    source: str
    kept: str | None


class Note:
    """Tells it, beside the database."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.restoring")
        self._kept = re.compile(rf"{re.escape(database.name)}{re.escape(BEFORE)}[0-9TZ.]+")

    def read(self) -> Told | None:
        """What it says; None if there is none. Raises ConfigError."""
        try:
            told = Told(**json.loads(files.read_regular(self.path, _LONGEST)))
            # It may be a stranger's, and what it names as kept is going to be removed.
            ours = told.phase in ("copying", "placing") and (
                told.kept is None or self._kept.fullmatch(told.kept)
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise ConfigError(f"{self.path}: cannot be read: {error}") from None
        if not ours:
            raise ConfigError(f"{self.path}: cannot be read: no restore wrote this")
        return told

    def write(self, told: Told) -> None:
        """Say it, durably."""
        with files.replacing(self.path, force=True) as part:
            part.write_text(json.dumps(told._asdict()), encoding="utf-8")

    def remove(self) -> None:
        """All is done, durably."""
        self.path.unlink(missing_ok=True)
        files.sync_folder(self.path.parent)


def part_of(database: Path) -> Path:
    """Where the copy is made that will take the database's name."""
    return database.with_name(f"{database.name}.restore{files.UNFINISHED}")


def recover(path: Path, *, may_be_empty: bool = False) -> None:
    """Finish or undo a restore that was broken off, and say so. The caller holds the database's
    lock.

    Raises:
        ConfigError: there was no database before it, so there is none now; unless `may_be_empty`.
    """
    path = path.resolve()
    note = Note(path)
    told = note.read()
    if told is None:
        return
    if not (may_be_empty or path.stat().st_size):
        raise ConfigError(
            f"{path}: a restore of {told.source} was broken off before there was a database; "
            f"repeat `tracker restore`, or delete {note.path} to begin with an empty one"
        )
    logger.warning(
        "A restore of %s was broken off; %s",
        told.source,
        "the database is the one from before it. Repeat `tracker restore`."
        if settle(path, note)
        else "it had come so far that the database is the restored one.",
    )


def settle(path: Path, note: Note) -> bool:
    """Leave nothing of a restore but what it has done; whether it had to be undone."""
    told = note.read()
    part = part_of(path)
    undone = told is not None and (told.phase == "copying" or part.exists())
    with files.telling(path):
        if undone and told is not None and told.kept is not None:
            _put_back(path, path.with_name(told.kept))
        # Before the copy goes: without it, this would look like a restore that was done.
        note.remove()
        for end in ("", *COMPANIONS, "-shm"):
            Path(f"{part}{end}").unlink(missing_ok=True)
    return undone


def refuse_unfinished(path: Path) -> None:
    """For whoever does not hold the lock. Raises InUse: a restore is at work, or was broken off."""
    if Note(path.resolve()).path.exists():
        raise InUse(
            f"{path}: a restore is at work, or was broken off; wait for it, repeat it, or start "
            "the server"
        )


def _put_back(path: Path, kept: Path) -> None:
    """The old database never lost its name; its companions may have."""
    for end in COMPANIONS:
        companion, second = Path(f"{path}{end}"), Path(f"{kept}{end}")
        if second.exists() and not companion.exists():
            second.replace(companion)
        second.unlink(missing_ok=True)
    kept.unlink(missing_ok=True)
    files.sync_folder(path.parent)
