"""`tracker backup` and `tracker restore`."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.cli.database import (
    announce,
    as_json,
    conclude,
    find_database,
    progress,
    size,
    with_database,
)
from tracker.errors import ConfigError


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@with_database
@as_json
def backup(file: Path, *, force: bool, db: str | None, as_json: bool) -> None:
    """Copy the database to a file while the server goes on.

    The copy is the database of one moment, and is checked. The keys beside the database are not in
    it.
    """
    from tracker.store.backup import back_up

    database = find_database(db)
    if file.exists() and not force:
        raise ConfigError(f"{file}: exists; choose another name, or replace it with --force")
    contents = back_up(database, file.absolute(), progress("Copying"))
    result = {"file": str(file.absolute()), "bytes": file.stat().st_size, **contents}
    conclude(
        result,
        f"{file}: {size(result['bytes'])}, {contents['tasks']} tasks and {contents['events']} "
        f"events, checked. The keys beside {database} are not in it.",
        as_json=as_json,
    )


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_database
@as_json
def restore(file: Path, *, db: str | None, as_json: bool) -> None:
    """Put a backup in the database's place.

    What was there is kept beside it. The server has to be stopped. Subscribers are told to read
    afresh; numbers of events go on after the newest of the old database and the backup.
    """
    from tracker.store.backup import restore

    database = find_database(db)
    announce(f"Replacing {database} by {file}; what is there now is kept beside it.")
    restored = restore(database, file.absolute(), progress("Copying"))
    kept = None if restored.kept is None else str(restored.kept)
    conclude(
        {"database": str(database), "kept": kept, **restored.contents},
        f"{database}: {restored.contents['tasks']} tasks and {restored.contents['events']} events."
        + (f" The old database is {kept}." if kept else ""),
        as_json=as_json,
    )
