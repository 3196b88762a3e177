"""The `tracker` command. Nothing is imported before it is used, so that `--help` and `--version`
answer at once."""

from __future__ import annotations

import sys

from tracker.cli.command_table import HELP, VERSION
from tracker.cli.streams import guarded


def main() -> None:
    """The console script."""
    if sys.argv[1:2] == ["run"]:
        from tracker.cli.job import run_at_once

        run_at_once(sys.argv[2:])
    with guarded():
        match sys.argv[1:]:
            case ["--help" | "-h" | "help"]:
                print(HELP)
            case ["--version" | "-V"]:
                print(VERSION)
            case _:
                from tracker.cli.group import run

                run()
