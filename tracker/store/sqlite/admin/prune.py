"""Prunes a database file, beside a running server or without one; the rules are in `pruning` and
`message_pruning`.

Beside a server it goes in small steps, and rests between them for the reports' sake. Where there is
none, most of it goes at once (`prune_at_once`), and what is left in larger steps without a rest.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import apsw

from tracker.clock import Clock, iso
from tracker.domain.audit import Action, Actor, Deed
from tracker.domain.principal import no_such_project
from tracker.errors import InUse, NoRoom
from tracker.store.sqlite import audit, message_pruning, projects, pruning
from tracker.store.sqlite.admin import checks
from tracker.store.sqlite.admin.prune_at_once import release_space, remove_doomed
from tracker.store.sqlite.admin.prune_choice import choose, choose_by_age, count_messages
from tracker.store.sqlite.connection import immediate, is_full, open_existing, translate_errors
from tracker.store.sqlite.lock import DatabaseLock
from tracker.store.sqlite.pruning import Pruned, Rule, Step

# Seconds that one transaction takes, and the pause for the server between two; without a server.
_WORK: Final = 0.02
_PAUSE: Final = 0.02
_WORK_ALONE: Final = 0.5

# What tasks take is an estimate, and no more of them may go than a size needs: so half of what is
# to go goes at once, then half of the rest, as long as that are many.
_SHARE: Final = 0.5
_ROUNDS: Final = 4
_MANY: Final = 500

# While much is removed.
_CACHE_KIB: Final = 200_000

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Called with how much has gone, and how much will have, as far as that is known."""


class Outcome(NamedTuple):
    """What was pruned, messages of tasks that stay, and the bytes in use afterwards."""

    pruned: Pruned
    messages: int
    size: int


class Wanted(NamedTuple):
    """What is to go: tasks that had ended `before` (milliseconds), then the oldest ended ones until
    the database is no larger than `max_bytes`, of one project; and messages of tasks that ended,
    and were last heard of, before `messages_before`."""

    before: int | None = None
    max_bytes: int | None = None
    project: str | None = None
    messages_before: int | None = None


def prune_database(
    path: Path,
    wanted: Wanted,
    *,
    dry_run: bool,
    begin: Callable[[], None],
    progress: Progress,
    by: Actor,
    clock: Clock,
) -> Outcome:
    """Remove what is wanted, and give the space back. `dry_run`: only find out what would go; sizes
    are estimated then. `begin` is called before anything is removed; `by`: whom the audit log
    names.

    Raises:
        ConfigError: there is no such database, or it cannot be used.
        NotFound: there is no such project.
        NoRoom: the disk is too full even for that.
    """
    with (
        contextlib.nullcontext() if dry_run else _locked(path) as lock,
        translate_errors(str(path)),
        closing(open_existing(path)) as connection,
    ):
        if lock is not None:
            lock.confirm()
        connection.pragma("temp_store", "memory")
        checks.watched(connection, lambda: None)
        project_id = None
        if wanted.project is not None:
            project_id = projects.find(connection, wanted.project)
            if project_id is None:
                raise no_such_project(wanted.project)
        if dry_run:
            return _find_out(connection, wanted, project_id)
        begin()
        return _Pruning(connection, path, lock is not None, progress, by, clock).run(
            wanted, project_id
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[DatabaseLock | None]:
    """Keep servers away meanwhile. None: one has it already."""
    lock = None
    if path.exists():  # or the lock would make it
        with contextlib.suppress(InUse):
            lock = DatabaseLock(path)
    try:
        yield lock
    finally:
        if lock is not None:
            lock.release()


def _find_out(connection: apsw.Connection, wanted: Wanted, project_id: int | None) -> Outcome:
    connection.execute("BEGIN")  # one state of it
    messages, chosen = 0, (Pruned(), pruning.size(connection))
    if wanted.before is not None or wanted.max_bytes is not None:
        before, max_bytes = wanted.before, wanted.max_bytes
        chosen = choose(connection, before=before, max_bytes=max_bytes, project_id=project_id)
    if wanted.messages_before is not None:
        messages = count_messages(connection, wanted.messages_before)
    return Outcome(chosen[0], messages, chosen[1])


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


class _Pruning:
    """One run over a database."""

    def __init__(
        self,
        connection: apsw.Connection,
        path: Path,
        is_alone: bool,
        progress: Progress,
        by: Actor,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._path = path
        self._is_alone = is_alone
        self._progress = progress
        self._by = by
        self._clock = clock

    def run(self, wanted: Wanted, project_id: int | None) -> Outcome:
        """Remove it. Raises NoRoom."""
        messages = Pruned()
        if wanted.messages_before is not None:
            details = {"older_than": iso(wanted.messages_before)}
            note = _Note(Deed(Action.PRUNED, self._by, "messages", details), self._clock)
            prune = partial(message_pruning.prune_some, wanted.messages_before)
            messages = self._steps(prune, message_pruning.BEGIN, note, Pruned())
        pruned = Pruned()
        if wanted.before is not None or wanted.max_bytes is not None:
            wanted_of_tasks = {
                "ended_before": None if wanted.before is None else iso(wanted.before),
                "max_bytes": wanted.max_bytes,
                "project": wanted.project,
            }
            note = _Note(Deed(Action.PRUNED, self._by, "tasks", wanted_of_tasks), self._clock)
            expected = 0
            if not self._is_alone:
                expected = choose(
                    self._connection,
                    before=wanted.before,
                    max_bytes=wanted.max_bytes,
                    project_id=project_id,
                ).pruned.tasks
            pruned = self._at_once(wanted, project_id, note)
            for rule in (
                *([Rule(before=wanted.before)] if wanted.before is not None else []),
                *([Rule(max_bytes=wanted.max_bytes)] if wanted.max_bytes is not None else []),
            ):
                prune_some = partial(pruning.prune_some, rule._replace(project_id=project_id))
                pruned = self._steps(prune_some, 0, note, pruned, expected)
        self._release_space()
        return Outcome(pruned, messages.events, pruning.size(self._connection))

    def _at_once(self, wanted: Wanted, project_id: int | None, note: _Note) -> Pruned:
        """What goes at once, if no server has the database, and the disk has room for a transaction
        that changes all of it."""
        connection = self._connection
        room = shutil.disk_usage(self._path.resolve().parent).free
        if not self._is_alone or room < 1.2 * self._path.stat().st_size:
            return Pruned()
        connection.pragma("cache_size", -_CACHE_KIB)
        before, most = wanted.before, wanted.max_bytes
        try:
            with immediate(connection):
                pruned = Pruned()
                if before is not None:
                    pruned += self._remove(choose_by_age(connection, before, project_id))
                for _ in range(_ROUNDS if most is not None else 0):
                    if most is None or pruning.size(connection) <= most:
                        break
                    chosen = choose(
                        connection,
                        before=None,
                        max_bytes=most,
                        project_id=project_id,
                        share=_SHARE,
                    ).pruned
                    if chosen.tasks < _MANY:
                        break
                    pruned += self._remove(chosen)
                if pruned.tasks:
                    note.write(connection, pruned)
                return pruned
        except apsw.Error as error:
            if not is_full(error, self._path):
                raise
        return Pruned()  # in small steps there is always room

    def _remove(self, chosen: Pruned) -> Pruned:
        if chosen.tasks:
            remove_doomed(self._connection, self._progress)
        return chosen

    def _steps(
        self,
        prune_some: Callable[[apsw.Connection, Any, Callable[[], bool]], Step[Any]],
        cursor: Any,
        note: _Note,
        before: Pruned,
        expected: int = 0,
    ) -> Pruned:
        """`before`: what has gone already; `expected`: tasks that will, if that is known. Returns
        what has gone in all."""
        step = Step(Pruned(), cursor, done=False)
        while not step.done:
            work = partial(self._step, prune_some, step.cursor, note, before)
            step = _with_room(self._connection, work)
            before += step.pruned
            self._progress(before.tasks or before.events, expected)
            if not self._is_alone:
                time.sleep(_PAUSE)
        return before

    def _step(
        self,
        prune_some: Callable[[apsw.Connection, Any, Callable[[], bool]], Step[Any]],
        cursor: Any,
        note: _Note,
        before: Pruned,
    ) -> Step[Any]:
        with immediate(self._connection):
            end = time.monotonic() + (_WORK_ALONE if self._is_alone else _WORK)
            pruned = Pruned()
            while True:
                step = prune_some(self._connection, cursor, lambda: time.monotonic() > end)
                pruned, cursor = pruned + step.pruned, step.cursor
                if step.done or time.monotonic() > end:
                    break
            if pruned.events:
                note.write(self._connection, before + pruned)
            return step._replace(pruned=pruned)

    def _release_space(self) -> None:
        if self._is_alone:
            try:
                release_space(self._connection)
            except apsw.Error as error:
                if not is_full(error, self._path):
                    raise
            else:
                return
        while not _with_room(self._connection, partial(pruning.release_space, self._connection)):
            time.sleep(_PAUSE)


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
