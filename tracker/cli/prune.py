"""`tracker prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from tracker.cli.durations import Duration
from tracker.cli.progress import progress
from tracker.clock import SystemClock, iso
from tracker.config.settings import parse_size

if TYPE_CHECKING:
    from tracker.store.sqlite.admin.prune import Wanted


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
@click.option("--project", metavar="NAME", help="Tasks of this project only.")
@click.option(
    "--keep-messages",
    type=Duration(),
    metavar="AGE",
    help="Messages of agents' tools, of tasks that ended so long ago, such as 14d; the tasks stay.",
)
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
    keep_messages: int | None,
    upgrade_copies: bool,
    dry_run: bool,
    db: str | None,
    as_json: bool,
) -> None:
    """Remove old tasks that have ended, with their events.

    The space is given back. Tasks that have not ended stay. The server may go on meanwhile; it can
    do the same by itself: see --retain-days and --retain-bytes of `tracker serve`.
    """
    of_tasks = older_than is not None or max_size is not None
    if not of_tasks and keep_messages is None and not upgrade_copies:
        raise click.UsageError(
            "Say what is old: --older-than 30d, --max-size 1GB, --keep-messages 14d, or "
            "--upgrade-copies."
        )
    from tracker.store.sqlite.admin.leftovers import remove_upgrade_copies
    from tracker.store.sqlite.admin.prune import Wanted, prune_database

    database, user, clock = find_database(db), this_user(), SystemClock()
    # First: they may be what fills the disk.
    copies = []
    if upgrade_copies:
        copies = remove_upgrade_copies(database, dry_run=dry_run, by=user, clock=clock)
    now = clock.now_ms()
    wanted = Wanted(
        None if older_than is None else now - older_than,
        max_size,
        project,
        None if keep_messages is None else now - keep_messages,
    )

    def announce() -> None:
        if of_tasks or keep_messages is not None:
            print_notice(f"Removing from {database}: {_describe(wanted)}.")

    with progress("Pruning", "tasks") as show:
        outcome = prune_database(
            database,
            wanted,
            dry_run=dry_run,
            begin=announce,
            progress=show,
            by=user,
            clock=clock,
        )
    pruned, verb = outcome.pruned, "would go" if dry_run else "removed"
    lines = [f"{copy.file}: {size(copy.bytes)}, {verb}." for copy in copies]
    if upgrade_copies and not copies:
        lines.append("There are no copies of upgrades.")
    if keep_messages is not None:
        lines.append(f"{outcome.messages} messages of agents' tools {verb}.")
    about = "some " if dry_run and pruned.tasks else ""
    lines.append(
        f"{pruned.tasks} tasks and {pruned.events} events {verb}; "
        f"{about}{size(outcome.size)} are in use{' then' if dry_run else ''}."
    )
    print_result(
        {
            **pruned._asdict(),
            "messages": outcome.messages,
            "bytes": outcome.size,
            "dry_run": dry_run,
            "upgrade_copies": [str(copy.file) for copy in copies],
        },
        "\n".join(lines),
        as_json=as_json,
    )


def _describe(wanted: Wanted) -> str:
    before, max_bytes, project, messages_before = wanted
    rules = [
        *([] if before is None else [f"tasks that ended before {iso(before)}"]),
        *([] if max_bytes is None else [f"the oldest ended tasks down to {size(max_bytes)}"]),
    ]
    tasks = ", then ".join(rules) + ("" if project is None else f", of the project {project!r}")
    messages = ""
    if messages_before is not None:
        messages = f"messages of tasks that ended before {iso(messages_before)}"
    return "; ".join(filter(None, [messages, tasks if rules else ""]))
