"""`tracker backup` and `tracker restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from tracker.cli.actor import this_user
from tracker.cli.database import (
    as_json,
    find_database,
    print_notice,
    print_result,
    size,
    with_database,
)
from tracker.cli.progress import progress
from tracker.clock import SystemClock

_CAME_ALONG: Final = (
    " {} keys came with the backup, perhaps some that were revoked since: see `tracker key list`."
)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@with_database
@as_json
def backup(file: Path, *, force: bool, db: str | None, as_json: bool) -> None:
    """Copy the database to a file while the server goes on.

    The copy is the database of one moment, and is checked. The keys beside the database are not in
    it; those of `tracker key` are, as hashes.
    """
    from tracker.store.sqlite.admin.backup import back_up

    database = find_database(db)
    with progress("Copying", "pages") as show:
        contents = back_up(database, file.absolute(), show, force=force)
    result = {"file": str(file.absolute()), "bytes": file.stat().st_size, **contents}
    print_result(
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

    What was there is kept beside it. The server has to be stopped. Numbers of events go on at the
    next multiple of 2^32; subscribers who know of events that are not in the backup are told to
    read afresh. Browsers have to sign in again. Keys and the audit log stay as they are; those of
    the backup count only where there was no database, or none that can be read.
    """
    from tracker.store.sqlite.admin.restore import restore

    database = find_database(db)
    with progress("Copying", "pages") as show:
        restored = restore(
            database,
            file.absolute(),
            show,
            begin=lambda: print_notice(
                f"Replacing {database} by {file}; what is there now is kept beside it."
            ),
            by=this_user(),
            clock=SystemClock(),
        )
    kept = None if restored.kept is None else str(restored.kept)
    keys = restored.keys
    print_result(
        {
            **{"database": str(database), "kept": kept, **restored.contents},
            **{"keys": keys.number, "keys_from_backup": keys.from_backup},
        },
        f"{database}: {restored.contents['tasks']} tasks and {restored.contents['events']} events."
        + (f" The old database is {kept}." if kept else "")
        + (_CAME_ALONG.format(keys.number) if keys.number and keys.from_backup else ""),
        as_json=as_json,
    )
