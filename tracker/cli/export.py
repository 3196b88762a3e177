"""`tracker export` and `tracker import`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from tracker.cli.actor import this_user
from tracker.cli.database import (
    as_json,
    find_database,
    print_notice,
    print_result,
    with_database,
)
from tracker.cli.output import standard_output
from tracker.cli.progress import progress
from tracker.clock import SystemClock
from tracker.errors import ConfigError
from tracker.files import translate_errors
from tracker.text import json_printable, printable, printable_lines

if TYPE_CHECKING:
    from tracker.cli.records import Output

_FORMATS = click.Choice(["jsonl", "csv"])
_STANDARD = "-"
_NAMES: Final = {"jsonl": "JSON lines", "csv": "CSV"}
_ENDINGS: Final = {"": "jsonl", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


@click.command()
@click.argument("file", default=_STANDARD)
@click.option("--project", metavar="NAME", help="Only this project.")
@click.option(
    "--format",
    "format_",
    type=_FORMATS,
    help="The file's form; default: as its name ends, .jsonl or .csv.",
)
@click.option(
    "--keep-formulas",
    is_flag=True,
    help="CSV: leave texts that a spreadsheet takes for formulas as they are.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@with_database
@as_json
def export(
    file: str,
    *,
    project: str | None,
    format_: str | None,
    keep_formulas: bool,
    force: bool,
    db: str | None,
    as_json: bool,
) -> None:
    """Write projects, tasks and events as JSON lines or CSV.

    To FILE, for its owner alone, or to standard output. All of it is of one moment; the server may
    go on meanwhile. What `tracker import` reads back is the same to the last id.

    In CSV, an apostrophe stands before texts that a spreadsheet would take for formulas; the column
    `quoted` names those of a line, and `tracker import` takes them away again.
    """
    from tracker.cli.records import WRITERS, write_csv
    from tracker.store.sqlite.admin.export import export as records

    form = format_ or _form(file)
    if form is None:
        raise click.UsageError(
            f"{printable(file)}: say what it shall be, --format jsonl or --format csv, or have its "
            "name end so."
        )
    if keep_formulas and form != "csv":
        raise click.UsageError("--keep-formulas goes with --format csv")
    database = find_database(db)
    write = partial(write_csv, keep_formulas=True) if keep_formulas else WRITERS[form]
    is_shown = file == _STANDARD and sys.stdout.isatty()
    with (
        progress("Exporting", "records", hidden=is_shown) as show,
        _output(file, form, database, force=force) as output,
    ):
        counts: dict[str, int] = {}
        write(output, records(database, project, show, counts))
    if file != _STANDARD:
        print_result(
            {"file": str(Path(file).absolute()), "format": form, **counts},
            f"{file}: {'{projects} projects, {tasks} tasks and {events} events'.format_map(counts)}"
            f", as {_NAMES[form]}.",
            as_json=as_json,
        )


@click.command("import")
@click.argument("file")
@click.option("--format", "format_", type=_FORMATS, help="Its form; default: as its name ends.")
@with_database
@as_json
def import_(file: str, *, format_: str | None, db: str | None, as_json: bool) -> None:
    """Read what export wrote.

    From FILE, or from standard input: -. The server has to be stopped. Ids stay what they are, so
    the database must not have them already: a new one is best. Every record is looked at as the API
    looks at a report, and it is all or nothing: the line at fault is named.
    """
    from tracker.cli.records import READERS
    from tracker.store.sqlite.admin.importing import import_ as insert

    form = format_ or _form(file) or "jsonl"
    database = find_database(db)
    with progress("Importing", "records") as show, _input(file) as source:
        counts = insert(
            database,
            READERS[form](source),
            file=_STANDARD if file == _STANDARD else Path(file).name,
            begin=lambda: print_notice(f"Adding to {database} what is in {file}."),
            progress=show,
            by=this_user(),
            clock=SystemClock(),
        )
    print_result(
        {"database": str(database), **counts},
        "{projects} projects, {tasks} tasks and {events} events added.".format_map(counts),
        as_json=as_json,
    )


def _form(file: str) -> str | None:
    """As the file's name ends; without an ending, JSON lines. None: that tells nothing."""
    ending = "" if file == _STANDARD else Path(file).suffix.lower()
    return _ENDINGS.get(ending)


@contextlib.contextmanager
def _output(file: str, format_: str, database: Path, *, force: bool) -> Iterator[Output]:
    """Raises ConfigError, NoRoom; for standard output OSError."""
    from tracker.store.sqlite.admin.output import output_file

    if file == _STANDARD:
        with standard_output(json_printable if format_ == "jsonl" else printable_lines) as output:
            yield output
        return
    target = Path(file)
    with (
        output_file(target, database, force=force) as part,
        translate_errors(target),
        part.open("w", encoding="utf-8", newline="") as output,
    ):
        yield output


@contextlib.contextmanager
def _input(file: str) -> Iterator[BinaryIO]:
    if file == _STANDARD:
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - errors while it is used are reported elsewhere
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from None
    with source:
        yield source
