"""Finishes or undoes a restore that was interrupted.

See `tracker.store.sqlite.admin.restore` for its steps. The note beside the database says how far it
may have come; if the copy no longer has its own name, it has become the database.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Final, Literal, NamedTuple

from agent_task_tracker.files import read_regular
from tracker import files
from tracker.errors import ConfigError, InUse

logger = logging.getLogger(__name__)

# SQLite's files beside the database that belong to its content. The WAL's index is made anew.
COMPANIONS: Final = ("-wal", "-journal")


KEPT_INFIX: Final = ".before-restore-"
"""Between a database's name and the time at which a restore replaced it."""

# Bytes of a note.
_MAX_NOTE_BYTES: Final = 100_000


class RestoreState(NamedTuple):
    """What a restore is about to do. `kept`: the old database's second name; None: none yet."""

    phase: Literal["copying", "placing"]
    source: str
    kept: str | None


class RestoreNote:
    """The file beside the database that holds it."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.restoring")
        self._kept = re.compile(rf"{re.escape(database.name)}{re.escape(KEPT_INFIX)}[0-9TZ.]+")

    def read(self) -> RestoreState | None:
        """The state; None if there is no note. Raises ConfigError."""
        try:
            state = RestoreState(**json.loads(read_regular(self.path, _MAX_NOTE_BYTES)))
            # It may be a stranger's, and what it names as kept is going to be removed.
            ours = state.phase in ("copying", "placing") and (
                state.kept is None or self._kept.fullmatch(state.kept)
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise ConfigError(f"{self.path}: cannot be read: {error}") from None
        if not ours:
            raise ConfigError(f"{self.path}: cannot be read: no restore wrote this")
        return state

    def write(self, state: RestoreState) -> None:
        """Write the note, durably."""
        with files.replacing(self.path, force=True) as part:
            part.write_text(json.dumps(state._asdict()), encoding="utf-8")

    def remove(self) -> None:
        """Remove the note, durably: the restore is done."""
        self.path.unlink(missing_ok=True)
        files.sync_folder(self.path.parent)


def part_path(database: Path) -> Path:
    """Where the copy is made before it takes the database's name."""
    return database.with_name(f"{database.name}.restore{files.UNFINISHED}")


def recover(path: Path, *, may_be_empty: bool = False) -> None:
    """Finish or undo a restore that was interrupted, and log it. The caller holds the database's
    lock.

    Raises:
        ConfigError: there was no database before it, so there is none now; unless `may_be_empty`.
    """
    path = path.resolve()
    note = RestoreNote(path)
    state = note.read()
    if state is None:
        return
    if not (may_be_empty or path.stat().st_size):
        raise ConfigError(
            f"{path}: a restore of {state.source} was broken off before there was a database; "
            f"repeat `tracker restore`, or delete {note.path} to begin with an empty one"
        )
    logger.warning(
        "A restore of %s was broken off; %s",
        state.source,
        "the database is the one from before it. Repeat `tracker restore`."
        if finish_or_undo(path, note)
        else "it had come so far that the database is the restored one.",
    )


def finish_or_undo(path: Path, note: RestoreNote) -> bool:
    """Finish a restore, or undo it if the copy is not in place yet; returns whether it was
    undone."""
    state = note.read()
    part = part_path(path)
    undone = state is not None and (state.phase == "copying" or part.exists())
    with files.translate_errors(path):
        if undone and state is not None and state.kept is not None:
            _put_back(path, path.with_name(state.kept))
        # Before the copy goes: without it, this would look like a restore that was done.
        note.remove()
        for end in ("", *COMPANIONS, "-shm"):
            Path(f"{part}{end}").unlink(missing_ok=True)
    return undone


def refuse_unfinished(path: Path) -> None:
    """For whoever does not hold the lock. Raises InUse: a restore is at work, or was broken off."""
    if RestoreNote(path.resolve()).path.exists():
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
