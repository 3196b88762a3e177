"""Changes to files of an agent's configuration: planned, made, and undone to the byte.

What undoing needs is kept in `connections.json` under "changed", and is written there before the
file itself: a process that is killed in between leaves a note of a change that was not made, which
undoing finds out, and never a change without a note.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from tracker.agents.connect.config_file import ConfigFile, Loaded
from tracker.agents.connect.editors import Editor, Unsuitable
from tracker.agents.connect.errors import CannotEdit, ChangedMeanwhile

# How often a file may change while it is edited.
_TRIES: Final = 3


class Change(NamedTuple):
    """What was changed in a file, once it was. `command`: what our hooks in it run; `project`: the
    working tree whose configuration it is; `digest`: SHA-256 of what it is since then; `spans`,
    `containers`: see `Edited`; `made`: there was no file; `folders`: those that were made for it;
    `backup`: what it was before."""

    file: Path
    command: str = ""
    project: str | None = None
    digest: str = ""
    spans: tuple[tuple[int, int], ...] = ()
    containers: tuple[str, ...] = ()
    made: bool = False
    folders: tuple[str, ...] = ()
    backup: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {**self._asdict(), "file": str(self.file)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Change | None:
        """None: it was kept by another version, or damaged."""
        try:
            return cls(
                file=Path(str(kept["file"])),
                command=str(kept["command"]),
                project=kept["project"],
                digest=str(kept["digest"]),
                spans=tuple((int(start), int(size)) for start, size in kept["spans"]),
                containers=tuple(map(str, kept["containers"])),
                made=kept["made"] is True,
                folders=tuple(map(str, kept["folders"])),
                backup=kept["backup"],
            )
        except (KeyError, TypeError, ValueError):
            return None


class Step(NamedTuple):
    """A change that is planned. `after`: the file's content then; None: no file; what it is now:
    nothing is to be done. `change`: to be kept. `needs_backup`: the file is not as we left it."""

    file: ConfigFile
    loaded: Loaded
    after: bytes | None
    change: Change | None = None
    needs_backup: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything is to be done."""
        return self.after != self.loaded.content


def plan_adding(file: ConfigFile, editor: Editor, before: Change | None, change: Change) -> Step:
    """How our entries get into the file. `before`: what was changed in it earlier; `change`: what
    is known of it now. Raises CannotEdit."""
    loaded = file.load()
    try:
        if loaded.content is not None and editor.is_current(loaded.content):
            return Step(file, loaded, loaded.content, before or change)
        base = _without_ours(loaded.content, editor, before)
        edited = editor.add(base)
        file.check_writable(loaded)
    except Unsuitable as error:
        raise CannotEdit(f"{file.path}: {error}, so it is not touched", editor.snippet()) from None
    except CannotEdit as error:
        raise CannotEdit(str(error), editor.snippet()) from None
    change = change._replace(
        digest=_digest(edited.content),
        spans=tuple(edited.spans),
        containers=tuple(edited.containers) if base is not None else (),
        made=base is None,
        folders=tuple(map(str, file.missing_folders(loaded))) or (before.folders if before else ()),
        backup=before.backup if before else None,
    )
    return Step(file, loaded, edited.content, change, _needs_backup(loaded, before))


def plan_removing(file: ConfigFile, editor: Editor, before: Change | None, trace: bytes) -> Step:
    """How our entries get out of it. `trace`: is in each file that has some. Raises CannotEdit."""
    try:
        loaded = file.load()
    except CannotEdit:
        if before is None:  # nor was anything put into it
            return Step(file, Loaded(None, file.path), None)
        raise
    try:
        after = _without_ours(loaded.content, editor, before)
    except Unsuitable as error:
        if before is None and trace not in (loaded.content or b""):
            return Step(file, loaded, loaded.content)
        raise CannotEdit(
            f"{file.path}: {error}, so it is not touched; remove from it what runs `tracker hook`"
        ) from None
    if after != loaded.content:
        file.check_writable(loaded)
    return Step(file, loaded, after, before, _needs_backup(loaded, before))


def carry_out(
    plan: Callable[[], Step], note: Callable[[Change], None], today: date
) -> tuple[Step, Path | None]:
    """Plan and make a change, again if somebody else changes the file meanwhile. `note` keeps what
    undoing needs. Returns what was done, and the backup that was made.

    Raises:
        CannotEdit: also if the file changes all the time.
        ConfigError, NoRoom: it cannot be written; nothing is changed.
    """
    for _ in range(_TRIES):
        step = plan()
        if not step.changes:
            if step.change is not None:
                note(step.change)
            return step, None
        try:
            return step, _make(step, note, today)
        except ChangedMeanwhile:
            continue
    raise CannotEdit(
        f"{step.file.path}: another program changes it all the time, so it is not touched; close "
        "the agent and try again"
    )


def clean_up(step: Step) -> list[str]:
    """After our entries were removed, remove what was made for them: empty folders, and the backup
    if the file is again what that says. Returns what was removed."""
    change, removed = step.change, []
    if change is None:
        return []
    if step.after is None:
        for folder in reversed(change.folders):
            with contextlib.suppress(OSError):  # somebody else's files are in it
                Path(folder).rmdir()
                removed.append(folder)
    if change.backup is not None:
        backup = ConfigFile(Path(change.backup))
        with contextlib.suppress(CannotEdit, ChangedMeanwhile):
            loaded = backup.load()
            if loaded.content is not None and loaded.content == step.after:
                backup.remove(loaded)
                removed.append(change.backup)
    return removed


def _make(step: Step, note: Callable[[Change], None], today: date) -> Path | None:
    backup = step.file.back_up(step.loaded, today) if step.needs_backup else None
    if step.change is not None:
        kept = step.change
        note(kept._replace(backup=str(backup)) if backup is not None else kept)
    if step.after is None:
        step.file.remove(step.loaded)
    else:
        step.file.replace(step.loaded, step.after)
    return backup


def _without_ours(content: bytes | None, editor: Editor, before: Change | None) -> bytes | None:
    """What the file would be without us; None: there would be none. Raises Unsuitable."""
    if content is None:
        return None
    if before is not None and before.digest == _digest(content):
        if before.made:
            return None
        return _cut(content, before.spans)
    if editor.count(content) == 0:
        return content
    containers = before.containers if before is not None else ()
    return editor.remove(content, containers, made=before is not None and before.made)


def _needs_backup(loaded: Loaded, before: Change | None) -> bool:
    if loaded.content is None:
        return False
    if before is None or before.digest != _digest(loaded.content):
        return True
    return not before.made and not (before.backup and Path(before.backup).exists())


def _cut(content: bytes, spans: tuple[tuple[int, int], ...]) -> bytes:
    for start, size in sorted(spans, reverse=True):
        content = content[:start] + content[start + size :]
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
