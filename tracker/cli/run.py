"""`tracker run`: a command, watched. The quick way to it is `tracker.cli.job`."""

from __future__ import annotations

import functools
import os
from typing import Any

import click

from tracker.cli.connection import with_options
from tracker.cli.job import run_job
from tracker.run.arguments import OPTIONS, job


def _with_options(command: Any) -> Any:
    options = (
        click.option(
            option.flag,
            metavar=option.metavar,
            is_flag=option.metavar is None,
            help=option.help
            + (f"  [{option.variable}]" if option.variable else "")
            + (f"  [default: {option.default}]" if option.default else ""),
        )
        for option in OPTIONS
    )
    return functools.reduce(lambda inner, option: option(inner), reversed(list(options)), command)


@click.command(context_settings={"allow_interspersed_args": False})
@_with_options
@with_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], **options: Any) -> None:
    """Run a command and report it: start, last line, progress, end.

    \b
    tracker run -- make test
    tracker run --task "Unit tests" --progress-pattern '(\\d+)%' -- pytest -v

    Output, input, signals and exit code are the command's own, whether or not a server answers. Of
    a failure the end of the output is told. What looks like a key, a token or a password is masked.
    """
    given = {name: "1" if value is True else value for name, value in options.items() if value}
    try:
        described = job(list(command), given, os.environ)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    run_job(described, given)
