"""The `tracker` command. A command's module is imported when that command is used, no sooner."""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword
from typing import Final

import click

import tracker
from tracker.errors import ClientError, StartupError

# Name: module under tracker.cli, and the line in `tracker --help`.
COMMANDS: Final = {
    "serve": ("serve", "Run the server."),
    "start": ("webhooks", "Report that a task begins."),
    "status": ("webhooks", "Report how far a task is."),
    "finish": ("webhooks", "Report that a task is done."),
    "error": ("webhooks", "Report that a task failed."),
    "ls": ("ls", "List projects, or a project's tasks."),
    "show": ("show", "Show one task with its history."),
    "stats": ("stats", "Show figures over everything, or of one project."),
    "tail": ("tail", "Print the newest events; -f goes on as they come."),
    "wait": ("wait", "Wait for the server, or for all tasks to end."),
    "report": ("report", "Summarise tasks for a CI job, a JUnit reader or a program."),
    "backup": ("backup", "Copy the database to a file while the server goes on."),
    "restore": ("backup", "Put a backup in the database's place."),
    "prune": ("prune", "Remove old tasks that have ended, with their events."),
    "export": ("export", "Write projects, tasks and events as JSON lines or CSV."),
    "import": ("export", "Read what export wrote."),
    "doctor": ("doctor", "Look for what is wrong: settings, database, connection."),
    "completion": ("completion", "Print a shell's completion script."),
    "licenses": ("licenses", "List the packages this program is made of."),
}


class Commands(click.Group):
    """The commands of the table; without one, or with flags of `serve`: serve."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click.Group."""
        served = not args or (args[0].startswith("-") and args[0] not in ("--help", "--version"))
        if served and not ctx.resilient_parsing:  # that is when words are completed
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """See click.Group."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """See click.Group."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"tracker.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(
            module, f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """See click.Group. From the table: asking the commands would import them all."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"max_content_width": 100},
    help="AI agents and CI jobs report what they do; SQLite keeps it, everyone sees it live.\n\n"
    "Without a command: serve.",
)
@click.version_option(tracker.__version__, prog_name="tracker")
def cli() -> None:
    """The group of all commands."""


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a character (Windows code pages) shows another, not a failure.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        cli(prog_name="tracker")
    except (ClientError, StartupError) as error:
        click.echo(f"tracker: {error}", err=True)
        sys.exit(error.exit_code)
