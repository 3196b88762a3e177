"""What the commands on a database file share: options, finding the file, output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracker.cli import env_file
from tracker.cli.output import note_if_output_fails, print_json, print_text
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
        ConfigError: it would be in memory, or its folder cannot be used.
    """
    settings, _, warnings = env_file.load_settings({"db": db}, relevant=("TRACKER_DB",))
    env_file.warn(warnings)
    return database_of(settings)


def database_of(settings: Settings) -> Path:
    """The database's file. Raises ConfigError: see `find_database`."""
    path = locate(settings.db)
    if path is None:
        raise ConfigError("--db: a database in memory is gone with its server; name a file")
    return path


def print_notice(text: str) -> None:
    """Say on standard error what is going to happen to the data."""
    print_text(text, err=True)


def print_result(result: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Say what was done, as JSON or as text."""
    with note_if_output_fails(f"it is done all the same: {text}"):
        if as_json:
            print_json(result)
        else:
            print_text(text)


def size(number: float) -> str:
    """1536 as `1.5 KB`; K, M and G count by 1024, as in settings."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            break
        number /= 1024
    return f"{number:.3g} {unit}"
