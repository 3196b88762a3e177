"""Tables and texts for people, by rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from tracker.cli.attention import opened, unheard
from tracker.cli.marks import SHOWN_STYLES
from tracker.domain.tasks import Status
from tracker.text import printable


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Rows under headings. What is too long for the terminal is cut short; a status is coloured.

    A column whose name begins with `#` holds numbers, and is shown without it.
    """
    result = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        result.add_column(
            Text(column.removeprefix("#")),
            justify="right" if column.startswith("#") else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        result.add_row(*(_cell(value) for value in row))
    return result


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(printable(status), SHOWN_STYLES.get(status, ""))


def event_summary(event: dict[str, Any]) -> str:
    """An event in a few words."""
    data = event["data"]
    if "error_type" in data:
        return f"{data['error_type']}: {data.get('error_message')}"
    if data.get("silent_since"):
        return unheard(data)
    text = data.get("message") or data.get("result") or ""
    if asked := opened(event):
        text = f"needs you: {asked}; {text}".removesuffix("; ")
    if data.get("status") == Status.RUNNING and "progress" in data:
        return f"{data['progress']:g}% {text}".rstrip()
    return str(text)


def _cell(value: object) -> Text:
    if isinstance(value, str) and value in SHOWN_STYLES:
        return status_text(value)
    return Text("" if value is None else printable(value))
