"""The `tracker` command. Nothing is imported before it is used, so that `--help` and `--version`
answer at once."""

from __future__ import annotations

import sys

from tracker.cli.overview import HELP, VERSION


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a character (Windows code pages) shows another, not a failure.
        if stream is not None:  # as it is if closed (>&-)
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    match sys.argv[1:]:
        case ["--help"]:
            print(HELP)
        case ["--version"]:
            print(VERSION)
        case _:
            from tracker.cli.group import run

            run()
