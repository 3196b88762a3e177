"""Prunes a database file, beside a running server or without one; the rules are in `pruning`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import apsw

from tracker.clock import Clock, iso
from tracker.domain.audit import Action, Actor, Deed
from tracker.errors import ConfigError, NoRoom
from tracker.store.sqlite import audit, events, projects, pruning
from tracker.store.sqlite.connection import immediate, is_full, open_existing, translate_errors
from tracker.store.sqlite.pruning import Pruned, Rule, Step

# Seconds that one transaction takes, and the pause for the server between two.
_WORK = 0.02
_PAUSE = 0.02

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Called with the event id that has been reached, and the log's last."""


class Outcome(NamedTuple):
    """What was pruned, and the bytes in use afterwards."""

    pruned: Pruned
    size: int


def prune_database(
    path: Path,
    *,
    before: int | None,
    max_bytes: int | None,
    project: str | None,
    dry_run: bool,
    progress: Progress,
    by: Actor,
    clock: Clock,
) -> Outcome:
    """Remove tasks that had ended `before` (milliseconds), then the oldest ended ones until the
    database is no larger than `max_bytes`; give the space back. `dry_run`: do it to a copy. `by`:
    whom the audit log names.

    Raises:
        ConfigError: there is no such database or project, or it cannot be used.
        NoRoom: the disk is too full even for that.
    """
    with translate_errors(str(path)), closing(open_existing(path)) as connection:
        project_id = None if project is None else projects.find(connection, project)
        if project is not None and project_id is None:
            raise ConfigError(f"{path}: there is no project {project!r}")
        rules = [
            *([] if before is None else [Rule(before=before, project_id=project_id)]),
            *([] if max_bytes is None else [Rule(max_bytes=max_bytes, project_id=project_id)]),
        ]
        wanted = {
            "ended_before": None if before is None else iso(before),
            "max_bytes": max_bytes,
            "project": project,
        }
        note = _Note(Deed(Action.PRUNED, by, "tasks", wanted), clock)
        if not dry_run:
            return _apply(connection, rules, note, progress)
        with closing(_copy(connection)) as copy:
            return _apply(copy, rules, note, progress)


class _Note:
    """The entry about it in the audit log, from the first task on that goes: each step writes how
    far it has come together with what it removes."""

    def __init__(self, deed: Deed, clock: Clock) -> None:
        self._deed = deed
        self._clock = clock
        self._id: int | None = None

    def write(self, connection: apsw.Connection, pruned: Pruned) -> None:
        """So much has gone, in the caller's transaction."""
        now, details = self._clock.now_ms(), {**self._deed.details, **pruned._asdict()}
        # The first may have been rolled back, on a full disk.
        if self._id is None or not audit.amend(connection, now, self._id, details):
            self._id = audit.add(connection, now, self._deed._replace(details=details))


def _copy(source: apsw.Connection) -> apsw.Connection:
    """A private copy that SQLite deletes when it is closed."""
    target = apsw.Connection("")
    source.execute("BEGIN")  # of one moment, whatever is reported meanwhile
    try:
        with target.backup("main", source, "main") as backup:
            backup.step()
    finally:
        source.execute("COMMIT")
    target.pragma("foreign_keys", True)
    return target


def _apply(
    connection: apsw.Connection, rules: list[Rule], note: _Note, progress: Progress
) -> Outcome:
    pruned, last = Pruned(), events.last_id(connection)
    for rule in rules:
        step = Step(Pruned(), cursor=0, done=False)
        while not step.done:
            step = _with_room(
                connection, partial(_step, connection, rule, step.cursor, note, pruned)
            )
            pruned += step.pruned
            progress(last if step.done else step.cursor, last)
            time.sleep(_PAUSE)
    while not _with_room(connection, partial(pruning.release_space, connection)):
        time.sleep(_PAUSE)
    return Outcome(pruned, pruning.size(connection))


def _step(
    connection: apsw.Connection, rule: Rule, cursor: int, note: _Note, before: Pruned
) -> Step[int]:
    """`before`: what the steps before have pruned."""
    with immediate(connection):
        end = time.monotonic() + _WORK
        step = pruning.prune_some(rule, connection, cursor, lambda: time.monotonic() > end)
        if step.pruned.events:
            note.write(connection, before + step.pruned)
        return step


def _with_room(connection: apsw.Connection, work: Callable[[], T]) -> T:
    """Run `work`; on a full disk move the WAL into the database, which frees it, and run it again.

    Raises:
        NoRoom: there is too little even so.
    """
    try:
        return work()
    except apsw.Error as error:
        if not is_full(error, Path(connection.filename)):
            raise
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        return work()
    except apsw.Error as error:
        if not isinstance(error, apsw.BusyError) and not is_full(error, Path(connection.filename)):
            raise
        wal = Path(connection.filename_wal)
        size = wal.stat().st_size if wal.exists() else 0
        raise NoRoom(
            f"{connection.filename}: the disk is so full that not even the WAL can be moved into "
            "the database, and pruning has to write before it frees anything: make "
            f"{size // 2**20 + 1} MiB of room (`tracker doctor` lists old copies), then repeat this"
        ) from None
