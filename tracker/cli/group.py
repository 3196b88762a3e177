"""The group of all commands. A command's module is imported when that command is used."""

from __future__ import annotations

import io
import logging
import os
import sys
from importlib import import_module
from keyword import iskeyword
from typing import Final

import click

import tracker
from agent_task_tracker.errors import ClientError, Refused
from tracker.cli.command_table import COMMANDS, HELP, VERSION
from tracker.cli.output import print_text
from tracker.errors import StartupError, TrackerError, ValidationFailed
from tracker.text import printable_lines

# Characters of an error that are shown.
_MAX_ERROR_LENGTH: Final = 2_000

_FAILED: Final = 1
_INTERRUPTED: Final = 130


class Commands(click.Group):
    """The commands of the table; without one, or with flags of `serve`: serve."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click.Group."""
        is_serve = not args or (args[0].startswith("-") and args[0] not in ("--help", "--version"))
        if is_serve and not ctx.resilient_parsing:  # a shell completes words
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """See click.Group."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click.Group."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"tracker.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(
            module, f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        )
        if ctx is not None and ctx.resilient_parsing:  # a shell completes words
            from tracker.cli.completion import offer_live_names

            offer_live_names(command)
        return command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """See click.Group. From the table: asking the commands would import them all."""
        formatter.write(f"{HELP}\n")


class _StderrHandler(logging.Handler):
    """Prints what code shared with the server logs, in the way of commands."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        print_text(record.getMessage(), err=True)


@click.group(cls=Commands, context_settings={"max_content_width": 100})
@click.version_option(tracker.__version__, message=VERSION)
def cli() -> None:
    """The group of all commands."""


def run() -> None:
    """Run the command line. An error becomes one line and an exit code."""
    logging.lastResort = _StderrHandler(logging.WARNING)  # until `serve` has a log
    if "_TRACKER_COMPLETE" in os.environ:
        from tracker.cli.completion import prepare

        prepare()
    try:
        sys.exit(cli.main(prog_name="tracker", standalone_mode=False))
    except click.ClickException as error:
        output = io.StringIO()
        error.show(output)
        click.echo(printable_lines(output.getvalue()), err=True, nl=False)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(_INTERRUPTED)
    except (ClientError, StartupError, TrackerError) as error:
        message = _message(error)
        if len(message) > _MAX_ERROR_LENGTH:  # another server's
            message = f"{message[:_MAX_ERROR_LENGTH]}…"
        print_text(f"tracker: {message}", err=True)
        sys.exit(_FAILED if isinstance(error, TrackerError) else error.exit_code)


def _message(error: ClientError | StartupError | TrackerError) -> str:
    if isinstance(error, ValidationFailed):
        return error.message + _at_fault(*error.issues[0])
    if isinstance(error, Refused) and error.status == 401:  # its own message speaks of headers
        return "the server's API key is needed: set API_KEY, or give --api-key"
    if isinstance(error, Refused) and error.code == ValidationFailed.code:
        return str(error) + _at_fault(error.details.get("field"), error.details.get("issue"))
    return str(error)


def _at_fault(field: object, issue: object) -> str:
    return f": {field}: {issue}" if isinstance(field, str) and isinstance(issue, str) else ""
