"""The group of all commands. A command's module is imported when that command is used."""

from __future__ import annotations

import logging
import os
import signal
import sys
from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Final

import click

import tracker
from agent_task_tracker.errors import ClientError
from tracker.cli.command_table import COMMANDS, HELP, VERSION
from tracker.cli.output import print_text
from tracker.cli.streams import OutputFailed
from tracker.errors import StartupError, TrackerError, ValidationFailed

# Characters of an error that are shown.
_MAX_ERROR_LENGTH: Final = 2_000

_FAILED: Final = 1
_OUR_FAULT: Final = 70  # EX_SOFTWARE (docs/cli.md, "Exit codes")
_INTERRUPTED: Final = 130

# What the group takes itself; other options are those of `serve`.
_OWN_OPTIONS: Final = ("-h", "--help", "-V", "--version")


class Commands(click.Group):
    """The commands of the table; without one, or with flags of `serve`: serve."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click.Group."""
        if args[:1] == ["help"]:  # tracker help key create
            args = [*args[1:], "--help"]
        is_serve = not args or (
            args[0].startswith("-") and not get_close_matches(args[0], _OWN_OPTIONS, cutoff=0.8)
        )
        if is_serve and not ctx.resilient_parsing:  # a shell completes words
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click.Group."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand:  # it knows none to suggest, as they are not imported
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx) from None

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


@click.group(
    cls=Commands,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)
@click.version_option(tracker.__version__, "-V", "--version", message=VERSION)
def cli() -> None:
    """The group of all commands."""


def run() -> None:
    """Run the command line. An error becomes one line and an exit code; of a wrong command line, a
    second one says how it is used."""
    logging.lastResort = _StderrHandler(logging.WARNING)  # until `serve` has a log
    if "_TRACKER_COMPLETE" in os.environ:
        from tracker.cli.completion import prepare

        prepare()
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # see agent_task_tracker.__main__
            signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(cli.main(prog_name="tracker", standalone_mode=False))
    except click.ClickException as error:
        _print_error(_usage_message(error))
        context = error.ctx if isinstance(error, click.UsageError) else None
        if context is not None:
            usage = " ".join(context.get_usage().split())
            print_text(f"{usage}; `{context.command_path} --help` says more", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(_INTERRUPTED)
    except (ClientError, StartupError, TrackerError) as error:
        _print_error(_message(error))
        sys.exit(_FAILED if isinstance(error, TrackerError) else error.exit_code)
    except OutputFailed:
        raise
    except Exception as error:
        if os.environ.get("TRACKER_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.strerror:
            _print_error(_of_the_system(error))
            sys.exit(_FAILED)
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        _print_error(
            f"{what}: this is a fault of the tracker; please report it, with what it prints when "
            "TRACKER_TRACEBACK=1 is set"
        )
        sys.exit(_OUR_FAULT)


def _print_error(message: str) -> None:
    if len(message) > _MAX_ERROR_LENGTH:  # another server's
        message = f"{message[:_MAX_ERROR_LENGTH]}…"
    print_text(f"tracker: {message}", err=True)


def _usage_message(error: click.ClickException) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and error.ctx is not None:
        group = error.ctx.command  # its message is the whole help
        names = group.list_commands(error.ctx) if isinstance(group, click.Group) else ()
        return f"Missing command: one of {', '.join(names)}."
    return " ".join(error.format_message().split())


def _of_the_system(error: OSError) -> str:
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    try:
        Path.cwd()
    except OSError:
        return "the working directory is gone; change to another"
    return str(error.strerror)  # too many open files, for one


def _message(error: ClientError | StartupError | TrackerError) -> str:
    if isinstance(error, ValidationFailed):
        field, issue = error.issues[0]
        return f"{error.message}: {field}: {issue}"
    return str(error)
