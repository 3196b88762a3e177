"""Puts our hooks into one agent's configuration, and takes them out."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tracker.agents.connect.base import Agent, HookCommand, Place
from tracker.agents.connect.changes import (
    Change,
    Step,
    carry_out,
    clean_up,
    plan_adding,
    plan_removing,
)
from tracker.agents.connect.config_file import ConfigFile
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.errors import CannotEdit
from tracker.agents.connect.ledger import Connection, Ledger
from tracker.errors import ConfigError


class Outcome(NamedTuple):
    """What became of a file. `problem`: why it was not touched; `removed`: what else went."""

    path: Path
    changed: bool = False
    backup: Path | None = None
    problem: CannotEdit | None = None
    removed: list[str] = []  # noqa: RUF012 - never changed


class Plugging:
    """One agent, in one place."""

    def __init__(self, agent: Agent, place: Place, ledger: Ledger, today: date) -> None:
        self._agent = agent
        self._place = place
        self._ledger = ledger
        self._today = today

    def plans(self, command: HookCommand) -> list[Step | CannotEdit]:
        """What connecting would change. Raises ConfigError: it cannot be connected here."""
        planned: list[Step | CannotEdit] = []
        for path in self._wanted(command):
            try:
                planned.append(self._plan_adding(path, command))
            except CannotEdit as error:
                planned.append(error)
        return planned

    def plans_to_remove(self, *, everywhere: bool) -> list[Step | CannotEdit]:
        """What disconnecting would change."""
        planned: list[Step | CannotEdit] = []
        for path in self._affected(everywhere=everywhere):
            try:
                planned.append(self._plan_removing(path))
            except CannotEdit as error:
                planned.append(error)
        return planned

    def connect(self, command: HookCommand) -> list[Outcome]:
        """Edit the files; the connection is in the ledger already. Raises ConfigError, NoRoom."""
        outcomes = []
        wanted = self._wanted(command)
        for path in wanted:
            try:
                plan = partial(self._plan_adding, path, command)
                step, backup = carry_out(plan, self._note, self._today)
            except CannotEdit as error:
                outcomes.append(Outcome(path, problem=error))
            else:
                outcomes.append(Outcome(path, step.changes, backup))
        for path in self._agent.all_paths(self._place):  # where they were before
            if path not in wanted:
                outcomes += self._remove_from(path)
        return outcomes

    def disconnect(self, *, everywhere: bool) -> list[Outcome]:
        """Take our hooks out: `everywhere`, or in this place. Raises ConfigError, NoRoom."""
        outcomes = []
        for path in self._affected(everywhere=everywhere):
            outcomes += self._remove_from(path)
        return outcomes

    def _wanted(self, command: HookCommand) -> list[Path]:
        paths = self._agent.paths(self._place)
        more = [] if command.telemetry is None else self._agent.telemetry_paths(self._place)
        return list(dict.fromkeys([*paths, *more]))

    def _remove_from(self, path: Path) -> list[Outcome]:
        before = self._connection()
        try:
            plan = partial(self._plan_removing, path)
            step, backup = carry_out(plan, lambda _change: None, self._today)
        except CannotEdit as error:
            return [Outcome(path, problem=error)]
        removed = clean_up(step)
        if before is not None:
            self._ledger.put(self._agent.name, before.without_change(path))
        return [Outcome(path, step.changes, backup, removed=removed)] if step.changes else []

    def _affected(self, *, everywhere: bool) -> list[Path]:
        connection = self._connection()
        try:
            known = self._agent.all_paths(self._place)
        except ConfigError:  # not on this system
            known = []
        project = self._place.project
        recorded = [
            change.file
            for change in (connection.changed if connection else ())
            if everywhere or change.project == (None if project is None else str(project))
        ]
        # What was made last goes first: an extension ends before its hooks do.
        return list(dict.fromkeys([*reversed(recorded), *reversed(known)]))

    def _plan_adding(self, path: Path, command: HookCommand) -> Step:
        before = _change_of(self._connection(), path)
        editor = self._agent.editor(path, command, self._ownership(before))
        project = None if self._place.project is None else str(self._place.project)
        change = Change(path, command=command.line, project=project)
        file = ConfigFile(path, self._agent.mode, self._backups(project))
        return plan_adding(file, editor, before, change)

    def _plan_removing(self, path: Path) -> Step:
        before = _change_of(self._connection(), path)
        trace = f"hook {self._agent.name}".encode()
        here = None if self._place.project is None else str(self._place.project)
        file = ConfigFile(path, backups=self._backups(before.project if before else here))
        return plan_removing(file, self._editor(path, before), before, trace)

    def _backups(self, project: str | None) -> Path | None:
        """Not in a working tree: what is ignored there may have secrets, and a copy by another name
        would be committed."""
        return None if project is None else self._ledger.backups

    def _editor(self, path: Path, change: Change | None) -> Editor:
        """For what is there, not for what would be added."""
        command = HookCommand(Path("tracker"), self._agent.name)
        return self._agent.editor(path, command, self._ownership(change))

    def _ownership(self, change: Change | None) -> Ownership:
        return Ownership(self._agent.name, [change.command] if change else [])

    def _connection(self) -> Connection | None:
        return self._ledger.connections().get(self._agent.name)

    def _note(self, change: Change) -> None:
        connection = self._connection()
        assert connection is not None  # noqa: S101 - it is kept before anything is edited
        self._ledger.put(self._agent.name, connection.with_change(change))


def _change_of(connection: Connection | None, path: Path) -> Change | None:
    changes = connection.changed if connection is not None else ()
    return next((change for change in changes if change.file == path), None)
