"""`tracker audit`: who did what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from tracker.cli.keyholders import KeyHolder, with_keyholder
from tracker.cli.output import console, local_time, print_json
from tracker.domain.audit import Action, AuditQuery
from tracker.domain.limits import MAX_INTEGER, MAX_PAGE

# Characters of an entry's details in a table: a server's settings would leave the other columns no
# room.
_MAX_DETAILS: Final = 80


@click.command()
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many."
)
@click.option(
    "--action", type=click.Choice([action.value for action in Action]), help="Of this kind only."
)
@click.option("--by", metavar="NAME", help="What was done with this key only.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each.")
@with_keyholder
def audit(
    keys: KeyHolder, *, limit: int, action: str | None, by: str | None, as_json: bool
) -> None:
    """Show who did what: keys, sign-ins, deletions, restores.

    Newest first. Sign-ins, wrong keys and refusals that are alike are one line an hour, with their
    count.
    """
    found = _entries(
        keys, AuditQuery(limit, MAX_INTEGER, None if action is None else Action(action), by)
    )
    if as_json:
        for entry in found:
            print_json(entry)
        return

    from tracker.cli.tables import table

    columns = ("=LAST", "#COUNT", "=ACTION", "BY", "FROM", "WHAT", "DETAILS")
    console().print(
        table(
            columns,
            (
                (
                    local_time(entry["last_at"]),
                    entry["count"],
                    entry["action"],
                    entry["by"],
                    entry["address"],
                    entry["subject"],
                    _details(entry["details"]),
                )
                for entry in found
            ),
            gives=("FROM", "COUNT", "BY", "LAST"),
        )
    )


def _entries(keys: KeyHolder, query: AuditQuery) -> Iterator[dict[str, Any]]:
    """The newest entries, page by page."""
    left, before = query.limit, query.before
    while left > 0:
        page = keys.audit(query._replace(limit=min(left, MAX_PAGE), before=before))
        entries = page["entries"][:left]
        yield from entries
        left -= len(entries)
        if not (page["has_more"] and entries and entries[-1]["id"] < before):
            return
        before = entries[-1]["id"]


def _details(details: dict[str, Any]) -> str:
    """In a table; --json has all of it."""
    told = (f"{name}: {value}" for name, value in details.items() if value is not None)
    text = ", ".join(told)
    return text if len(text) <= _MAX_DETAILS else f"{text[: _MAX_DETAILS - 1]}…"
