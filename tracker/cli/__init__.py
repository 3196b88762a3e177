"""The `tracker` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys

import click

import tracker
from tracker.cli.serve import serve


class DefaultToServe(click.Group):
    """`tracker` alone, or with flags of `serve`, serves."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click.Group."""
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=DefaultToServe,
    context_settings={"max_content_width": 100},
    help="AI agents and CI jobs report what they do; SQLite keeps it, everyone sees it live.\n\n"
    "Without a command: serve.",
)
@click.version_option(tracker.__version__, prog_name="tracker")
def cli() -> None:
    """The group of all commands."""


cli.add_command(serve)


def main() -> None:
    """The console script."""
    sys.exit(cli(prog_name="tracker"))
