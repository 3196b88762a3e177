"""`tracker prune`."""

from __future__ import annotations

from typing import Any

import click

from tracker.cli.actor import this_user
from tracker.cli.database import (
    as_json,
    find_database,
    print_notice,
    print_result,
    progress,
    size,
    with_database,
)
from tracker.cli.durations import Duration
from tracker.clock import SystemClock, iso
from tracker.config.settings import parse_size


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click.ParamType."""
        try:
            return parse_size(str(value))
        except ValueError as error:
            self.fail(f"expected {error}", param, ctx)


@click.command()
@click.option(
    "--older-than",
    type=Duration(),
    metavar="AGE",
    help="Tasks that ended so long ago, such as 30d.",
)
@click.option(
    "--max-size",
    type=_Size(),
    metavar="SIZE",
    help="Then the oldest ended tasks, until the database is no larger than this.",
)
@click.option("--project", metavar="NAME", help="Of this project only.")
@click.option(
    "--upgrade-copies", is_flag=True, help="The copies that upgrades of the database have made."
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@with_database
@as_json
def prune(
    *,
    older_than: int | None,
    max_size: int | None,
    project: str | None,
    upgrade_copies: bool,
    dry_run: bool,
    db: str | None,
    as_json: bool,
) -> None:
    """Remove old tasks that have ended, with their events.

    The space is given back. Tasks that have not ended stay. The server may go on meanwhile; it can
    do the same by itself: see --retain-days and --retain-bytes of `tracker serve`.
    """
    if older_than is None and max_size is None and not upgrade_copies:
        raise click.UsageError(
            "Say what is old: --older-than 30d, --max-size 1GB, or --upgrade-copies."
        )
    from tracker.store.sqlite.admin.leftovers import remove_upgrade_copies
    from tracker.store.sqlite.admin.prune import prune_database

    database, user, clock = find_database(db), this_user(), SystemClock()
    # First: they may be what fills the disk.
    copies = []
    if upgrade_copies:
        copies = remove_upgrade_copies(database, dry_run=dry_run, by=user, clock=clock)
    before = None if older_than is None else clock.now_ms() - older_than
    if not dry_run and (before is not None or max_size is not None):
        print_notice(f"Removing from {database}: {_describe(before, max_size, project)}.")
    pruned, bytes_left = prune_database(
        database,
        before=before,
        max_bytes=max_size,
        project=project,
        dry_run=dry_run,
        progress=progress("Pruning"),
        by=user,
        clock=clock,
    )
    outcome = "would go" if dry_run else "removed"
    lines = [f"{copy.file}: {size(copy.bytes)}, {outcome}." for copy in copies]
    if upgrade_copies and not copies:
        lines.append("There are no copies of upgrades.")
    lines.append(
        f"{pruned.tasks} tasks and {pruned.events} events {outcome}; "
        f"{size(bytes_left)} are in use{' then' if dry_run else ''}."
    )
    print_result(
        {
            **pruned._asdict(),
            "bytes": bytes_left,
            "dry_run": dry_run,
            "upgrade_copies": [str(copy.file) for copy in copies],
        },
        "\n".join(lines),
        as_json=as_json,
    )


def _describe(before: int | None, max_bytes: int | None, project: str | None) -> str:
    rules = [
        *([] if before is None else [f"tasks that ended before {iso(before)}"]),
        *([] if max_bytes is None else [f"the oldest ended tasks down to {size(max_bytes)}"]),
    ]
    return ", then ".join(rules) + ("" if project is None else f", of the project {project!r}")
