"""How commands print: text that is safe on a terminal, JSON lines, tables."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from tracker.cli.streams import OutputFailed
from tracker.text import json_line, printable

if TYPE_CHECKING:
    from rich.console import Console

# Where output is no terminal, in characters: wide enough not to cut names short.
_WIDTH_OF_A_FILE = 240


def print_text(text: object, *, err: bool = False) -> None:
    """Print a line, which may hold untrusted text."""
    import click

    click.echo(printable(text), err=err)


def print_json(value: Any) -> None:
    """Print one line of JSON in UTF-8, whatever the locale; safe on a terminal."""
    print_utf8(f"{json_line(value)}\n")


def print_utf8(text: str) -> None:
    """Print text for programs and files in UTF-8, whatever the locale."""
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


class _Records(io.TextIOWrapper):
    make_safe: Callable[[str], str] = str

    def write(self, text: str, /) -> int:
        """See io.TextIOWrapper."""
        return super().write(self.make_safe(text))


@contextmanager
def standard_output(make_safe: Callable[[str], str]) -> Iterator[TextIO]:
    """Standard output as a file in UTF-8, unbuffered, for records that programs read. On a terminal
    the text goes through `make_safe`, since it is untrusted."""
    output = _Records(sys.stdout.buffer, "utf-8", newline="", write_through=True)
    if sys.stdout.isatty():
        output.make_safe = make_safe
    try:
        yield output
    finally:
        output.detach()


@contextmanager
def note_if_output_fails(done: str) -> Iterator[None]:
    """If standard output fails in the block, have the error line say what was `done` before."""
    try:
        yield
    except OutputFailed as failed:
        failed.add_note(done)
        raise


def console() -> Console:
    """For people: colours on a terminal, unless NO_COLOR; no markup in texts is interpreted."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    return Console(markup=False, emoji=False, highlight=False, width=width)


def local_time(timestamp: str | None) -> str:
    """The API's UTC time as the user's own."""
    if timestamp is None:
        return ""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """3723.4 as `1h 02m 03s`."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"
