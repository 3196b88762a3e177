"""What the commands that look after the database share: where it is, how they speak."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tracker.cli import env_file
from tracker.cli.output import although, print_json, say
from tracker.config.paths import locate
from tracker.config.settings import Settings
from tracker.errors import ConfigError

with_database = click.option(
    "--db", metavar="FILE", help="The database.  [TRACKER_DB; default: as `tracker serve`]"
)
as_json = click.option("--json", "as_json", is_flag=True, help="The result as a line of JSON.")


def find_database(db: str | None) -> Path:
    """The file that `tracker serve` would use.

    Raises:
        ConfigError: it keeps nothing, or its folder cannot be used.
    """
    settings, _, warnings = env_file.in_force({"db": db}, of_interest=("TRACKER_DB",))
    env_file.warn(warnings)
    return database_of(settings)


def database_of(settings: Settings) -> Path:
    """The database's file. Raises ConfigError: see `find_database`."""
    path = locate(settings.db)
    if path is None:
        raise ConfigError("--db: a database in memory is gone with its server; name a file")
    return path


def announce(text: str) -> None:
    """Say what is going to happen to the data."""
    say(text, err=True)


def conclude(result: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Say what has happened: to programs or to people."""
    with although(f"it is done all the same: {text}"):
        if as_json:
            print_json(result)
        else:
            say(text)


def progress(what: str) -> Callable[[int, int], None]:
    """A report on long work: a line that is written over, on a terminal only."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None

    def show(done: int, total: int) -> None:
        end = "\n" if done >= total else ""
        click.echo(f"\r{what}: {100 * done // max(total, 1)} %", err=True, nl=False)
        click.echo(end, err=True, nl=False)

    return show


def size(number: float) -> str:
    """1536 as `1.5 KB`; K, M and G count by 1024, as in settings."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            break
        number /= 1024
    return f"{number:.3g} {unit}"
