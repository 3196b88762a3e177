"""`tracker key`: keys of one's own."""

from __future__ import annotations

from typing import Any, Final

import click

from tracker.cli.durations import Duration
from tracker.cli.keyholders import KeyHolder, with_keyholder
from tracker.cli.output import (
    console,
    local_time,
    note_if_output_fails,
    print_json,
    print_text,
)
from tracker.clock import MS_PER_DAY
from tracker.domain.keys import DEFAULT_OVERLAP_MS
from tracker.domain.principal import Role

_MEANINGS: Final = {
    Role.REPORT: "may report, and nothing else",
    Role.READ: "may read, and nothing else",
    Role.ANSWER: "may read, and answer what agents ask",
    Role.ADMIN: "may do everything",
}

_as_json = click.option("--json", "as_json", is_flag=True, help="All of it as a line of JSON.")


@click.group()
def key() -> None:
    """Make, list, rotate and revoke keys, one for each agent, job and frontend.

    The server is asked, with the master key or one of the role admin; where none runs, the database
    itself. A key is shown once, and stored as a hash.
    """


@key.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="report: send reports. read: see everything. answer: likewise, and answer what agents "
    "ask. admin: everything.",
)
@click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="NAME",
    help="Only for this project, which need not be there yet; repeats.  [default: all]",
)
@click.option(
    "--expires", type=Duration(), metavar="AGE", help="So long from now, such as 90d.  [never]"
)
@_as_json
@with_keyholder
def create(
    keys: KeyHolder,
    *,
    name: str,
    role: str,
    projects: tuple[str, ...],
    expires: int | None,
    as_json: bool,
) -> None:
    """Make a key.

    The key alone goes to standard output: KEY=$(tracker key create ci --role report). It is
    shown this once. A name has up to 64 letters, digits and . _ @ -
    """
    _show(name, keys.create(name, role, projects, expires), "made", as_json=as_json)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each.")
@with_keyholder
def list_(keys: KeyHolder, *, as_json: bool) -> None:
    """List the keys, without what is secret of them."""
    found = keys.keys()
    if as_json:
        for one in found:
            print_json(one)
        return

    from tracker.cli.tables import table

    columns = ("NAME", "=ROLE", "PROJECTS", "=CREATED", "=EXPIRES", "=LAST USED", "FROM")
    console().print(
        table(
            columns,
            (
                (
                    one["name"],
                    one["role"],
                    _projects(one),
                    local_time(one["created_at"]),
                    local_time(one["expires_at"]) or "never",
                    local_time(one["last_used_at"]) or "never",
                    one["last_used_from"],
                )
                for one in found
            ),
            gives=("CREATED", "FROM", "LAST USED"),
        )
    )


@key.command()
@click.argument("name")
@click.option(
    "--overlap",
    type=Duration(),
    metavar="AGE",
    default=f"{DEFAULT_OVERLAP_MS // MS_PER_DAY}d",
    show_default=True,
    help="How long the one before goes on; 0s: it ends now.",
)
@_as_json
@with_keyholder
def rotate(keys: KeyHolder, *, name: str, overlap: int, as_json: bool) -> None:
    """Give a key another secret.

    It goes to standard output, as of `create`. Name, role and projects stay.
    """
    _show(name, keys.rotate(name, overlap), "rotated", as_json=as_json)


@key.command()
@click.argument("name")
@with_keyholder
def revoke(keys: KeyHolder, *, name: str) -> None:
    """End a key, at once and on every connection.

    The name is free again. What was reported with the key stays.
    """
    keys.revoke(name)
    print_text(f"The key {name!r} is revoked.")


def _show(name: str, made: dict[str, Any], what: str, *, as_json: bool) -> None:
    until = made["rotating_until"]
    ends = made["expires_at"]
    role = made["role"]
    meaning = f", which {_MEANINGS[Role(role)]}" if role in list(Role) else ""
    lines = [
        f"The key {name!r} is {what}. Role {role}{meaning}; projects: {_projects(made)}; "
        f"expires: {local_time(ends) or 'never'}.",
        *([f"The one before goes on until {local_time(until)}."] if until else []),
        "It is shown this once: set API_KEY to it where it is used, or send it as X-API-Key. "
        f"`tracker key revoke {name}` ends it.",
    ]
    if not as_json:
        for line in lines:
            print_text(line, err=True)
    with note_if_output_fails(
        f"the key {name!r} is {what} all the same, and nobody has seen it: `tracker key revoke "
        f"{name}` ends it, `tracker key rotate {name}` shows another one"
    ):
        if as_json:
            print_json(made)
        else:
            print_text(made["key"])


def _projects(key: dict[str, Any]) -> str:
    return "all" if key["projects"] is None else ", ".join(key["projects"])
