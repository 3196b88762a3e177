"""`tracker export` and `tracker import`."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from tracker.cli.database import announce, as_json, conclude, find_database, progress, with_database
from tracker.errors import ConfigError

_FORMATS = click.Choice(["jsonl", "csv"])
_STANDARD = "-"


@click.command()
@click.argument("file", default=_STANDARD)
@click.option("--project", metavar="NAME", help="Only this project.")
@click.option(
    "--format",
    "format_",
    type=_FORMATS,
    default="jsonl",
    show_default=True,
    help="The file's form.",
)
@with_database
def export(file: str, *, project: str | None, format_: str, db: str | None) -> None:
    """Write projects, tasks and events as JSON lines or CSV.

    To FILE, or to standard output. All of it is of one moment; the server may go on meanwhile. What
    `tracker import` reads back is the same to the last id.
    """
    from tracker.cli.records import WRITERS
    from tracker.store.transfer import export as records

    database = find_database(db)
    with _output(file) as output:
        WRITERS[format_](output, records(database, project, progress("Exporting")))


@click.command("import")
@click.argument("file")
@click.option("--format", "format_", type=_FORMATS, help="Its form; default: as its name ends.")
@with_database
@as_json
def import_(file: str, *, format_: str | None, db: str | None, as_json: bool) -> None:
    """Read what export wrote.

    From FILE, or from standard input: -. The server has to be stopped. Ids stay what they are, so
    the database must not have them already: a new one is best. It is all or nothing.
    """
    from tracker.cli.records import READERS
    from tracker.store.transfer import import_ as insert

    database = find_database(db)
    form = format_ or ("csv" if file.endswith(".csv") else "jsonl")
    announce(f"Adding to {database} what is in {file}.")
    with _input(file) as source:
        try:
            counts = insert(database, READERS[form](source))
        except UnicodeDecodeError as error:
            raise ConfigError(f"{file}: this is not UTF-8: {error}") from None
    conclude(
        {"database": str(database), **counts},
        "{projects} projects, {tasks} tasks and {events} events added.".format_map(counts),
        as_json=as_json,
    )


@contextlib.contextmanager
def _output(file: str) -> Iterator[TextIO]:
    if file == _STANDARD:
        output = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="", write_through=True)
        try:
            yield output
        finally:
            output.detach()
        return
    path = Path(file)
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as output:
            yield output
        unfinished.replace(path)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def _input(file: str) -> Iterator[TextIO]:
    if file == _STANDARD:
        yield io.TextIOWrapper(sys.stdin.buffer, "utf-8", newline="")
        return
    try:
        with Path(file).open(encoding="utf-8", newline="") as source:
            yield source
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from None
