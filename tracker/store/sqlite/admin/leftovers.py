"""Files that upgrades, restores and killed commands have left beside a database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from tracker import files
from tracker.clock import Clock
from tracker.domain.audit import Action, Actor, Deed
from tracker.store.sqlite import audit, migrations
from tracker.store.sqlite.admin.restore import kept_by_restores
from tracker.store.sqlite.connection import immediate, open_existing, translate_errors

Kind = Literal["upgrade copy", "replaced by a restore", "unfinished"]


class Leftover(NamedTuple):
    """One file, and its size in bytes."""

    kind: Kind
    file: Path
    bytes: int


def leftovers(path: Path) -> list[Leftover]:
    """All leftovers. Unfinished ones may belong to another command that is still running."""
    path = path.resolve()
    if not path.parent.is_dir():
        return []
    unfinished = (
        found
        for found in path.parent.iterdir()
        if found.name.startswith(f"{path.name}.") and found.name.endswith(files.UNFINISHED)
    )
    kinds: dict[Kind, list[Path]] = {
        "upgrade copy": migrations.copies(path),
        "replaced by a restore": kept_by_restores(path),
        "unfinished": sorted(unfinished),
    }
    return [
        Leftover(kind, file, file.stat().st_size) for kind, found in kinds.items() for file in found
    ]


def remove_upgrade_copies(path: Path, *, dry_run: bool, by: Actor, clock: Clock) -> list[Leftover]:
    """Remove the copies that upgrades made, and return them. `by`: whom the audit log names.

    Raises:
        ConfigError: the database cannot be used, so that a copy may be all that is left.
        NoRoom: the disk is so full that not even the audit log can be told.
    """
    with translate_errors(str(path)), closing(open_existing(path)) as connection:
        copies = [left for left in leftovers(path) if left.kind == "upgrade copy"]
        if copies and not dry_run:
            for copy in copies:
                with files.translate_errors(copy.file):
                    copy.file.unlink()
            deed = Deed(
                *(Action.PRUNED, by, "copies of upgrades"),
                {"files": [copy.file.name for copy in copies]},
            )
            with immediate(connection):
                audit.add(connection, clock.now_ms(), deed)
    return copies
