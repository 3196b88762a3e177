"""Tables and texts for people: laid out here, coloured by rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from tracker.cli.attention import opened, unheard
from tracker.cli.marks import SHOWN_STYLES
from tracker.cli.output import local_time
from tracker.domain.tasks import EventType, Status
from tracker.text import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

# Terminal columns: between two of ours, and what is left of a text that gives way to others.
_GAP: Final = "  "
_LEAST: Final = 8
_LEAST_OF: Final = {"TITLE": 16}

# A text that others do not give way to yet, when there is room for more than the least of each.
_FAIR: Final = 24


class _Column(NamedTuple):
    name: str
    is_number: bool
    is_whole: bool

    def cells(self, values: Sequence[object]) -> list[str]:
        return ["" if value is None else printable(value) for value in values]


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    gives: Sequence[str] = (),
    wraps: bool = False,
) -> Table:
    """Rows under headings, no wider than the terminal. Texts that are too long are cut short.

    A column whose name begins with `#` holds numbers, one with `=` what is never cut either; both
    are shown without it. Where there is no room even for the least of each column, those that are
    named by `gives` are left out, the first of them first. `wraps`: the last column's texts go on
    below instead of being cut.
    """
    return Table(columns, rows, gives, wraps=wraps)


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(printable(status), SHOWN_STYLES.get(status, ""))


def event_summary(event: dict[str, Any]) -> str:
    """An event in a few words."""
    data = event["data"]
    if "by" in data:
        return f"{_deed(event)} by {data['by']}".strip()
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


def _deed(event: dict[str, Any]) -> str:
    """What a person has done."""
    data = event["data"]
    if event["type"] == EventType.ACKNOWLEDGED:
        return "acknowledged" if data.get("acknowledged_at") else "no longer acknowledged"
    if event["type"] == EventType.SNOOZED:
        until = data.get("snoozed_until")
        return f"put off until {local_time(until)}" if until else "no longer put off"
    return "with all its tasks" if event["type"] == EventType.PROJECT_DELETED else ""


class Table:
    """See `table`. For rich to print."""

    def __init__(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        gives: Sequence[str],
        *,
        wraps: bool,
    ) -> None:
        self._columns = [
            _Column(name.lstrip("#="), name.startswith("#"), name.startswith(("#", "=")))
            for name in columns
        ]
        by_column = list(zip(*rows, strict=True)) or [()] * len(columns)
        self._cells = [
            column.cells(values) for column, values in zip(self._columns, by_column, strict=True)
        ]
        self._natural = [
            max([_width(column.name), *map(_width, cells)])
            for column, cells in zip(self._columns, self._cells, strict=True)
        ]
        names = [column.name for column in self._columns]
        self._gives = [names.index(name) for name in gives if name in names]
        self._wraps = wraps

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """See rich.console.ConsoleRenderable."""
        widths = self._widths(options.max_width)
        columns = [(self._columns[number], width) for number, width in widths.items()]
        headings = [column.name for column, _ in columns]
        if any(headings):
            yield Segment(f"{_line(columns, headings)}\n", Style(bold=True))
        rows: Iterable[Sequence[str]] = zip(
            *(self._cells[number] for number in widths), strict=True
        )
        if self._wraps:
            width = columns[-1][1]
            rows = (line for row in rows for line in _wrapped(row, width, console))
        coloured = headings.index("STATUS") if "STATUS" in headings else None
        styles = {status: Style.parse(style) for status, style in SHOWN_STYLES.items()}
        for row in rows:
            if coloured is None or row[coloured] not in styles:
                yield Segment(f"{_line(columns, row)}\n")
                continue
            upto = coloured + 1
            if coloured:
                yield Segment(_line(columns[:coloured], row[:coloured], is_whole=False) + _GAP)
            is_last = upto == len(row)
            text = _line(columns[coloured:upto], row[coloured:upto], is_whole=is_last)
            yield Segment(text, styles[row[coloured]])
            rest = "" if is_last else _GAP + _line(columns[upto:], row[upto:])
            yield Segment(f"{rest}\n")

    def _widths(self, room: int) -> dict[int, int]:
        """Of each column that is shown, by its number; together no more than `room`, if that can
        be."""
        shown = list(range(len(self._columns)))
        least = [self._least(number) for number in shown]
        for given in (None, *self._gives):
            if given is not None:
                shown.remove(given)
            left = room - sum(least[number] for number in shown) - len(_GAP) * (len(shown) - 1)
            if left >= 0:
                break
        widths = {number: least[number] for number in shown}
        staying = [number for number in shown if number not in self._gives]
        giving = [number for number in reversed(self._gives) if number in widths]
        for number, most in (
            *((number, _FAIR) for number in staying),
            *((number, room) for number in giving),
            *((number, room) for number in staying),
        ):
            more = max(0, min(self._natural[number], most) - widths[number])
            widths[number] += min(more, max(left, 0))
            left -= min(more, max(left, 0))
        if left < 0:  # nothing more can give way
            widths[shown[-1]] = max(1, widths[shown[-1]] + left)
        return widths

    def _least(self, number: int) -> int:
        column, natural = self._columns[number], self._natural[number]
        return natural if column.is_whole else min(natural, _LEAST_OF.get(column.name, _LEAST))


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _wrapped(row: Sequence[str], width: int, console: Console) -> Iterator[Sequence[str]]:
    """The row as several, the last cell's text one below the other."""
    lines = Text(row[-1]).wrap(console, max(1, width), overflow="fold") or [Text()]
    first: Sequence[str] = row[:-1]
    for line in lines:
        yield [*first, line.plain.rstrip()]
        first = [""] * len(first)


def _line(
    columns: Sequence[tuple[_Column, int]], cells: Sequence[str], *, is_whole: bool = True
) -> str:
    """The cells beside each other. `is_whole`: nothing comes behind them."""
    texts = []
    for (column, width), whole in zip(columns, cells, strict=True):
        cell = whole
        if _width(cell) > width:
            cell = f"{set_cell_size(cell, width - 1).rstrip()}…"
        padding = " " * (width - _width(cell))
        texts.append(padding + cell if column.is_number else cell + padding)
    line = _GAP.join(texts)
    return line.rstrip() if is_whole else line
