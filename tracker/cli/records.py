"""An export's records as lines of JSON or CSV, and back, exactly.

JSON: JSON stays JSON. CSV: one table with every column; an empty cell is no value, unless `empty`
names its column: then it is an empty text. What a spreadsheet would take for a formula has an
apostrophe before it, also inside of a text, and `quoted` names its column. Times are milliseconds
since 1970, UTC.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, Protocol

import orjson

from tracker.cli.lines import MAX_RECORD_BYTES, Lines
from tracker.domain.limits import MAX_DEPTH
from tracker.domain.parsing import parse, parse_object
from tracker.errors import ConfigError, InvalidJSON, ValidationFailed
from tracker.store.sqlite.admin.export import (
    COLUMNS,
    JSON_COLUMNS,
    NUMBER_COLUMNS,
    OPTIONAL_COLUMNS,
    Record,
)

# A record of a file: the line where it begins, and its fields, their JSON parsed.
NumberedRecord = tuple[int, Record]

_EMPTY: Final = "empty"
_QUOTED: Final = "quoted"
_HEADER: Final = (*COLUMNS, _EMPTY, _QUOTED)


class Output(Protocol):
    """Where records are written."""

    def write(self, text: str, /) -> object:
        """Write text, without translating line ends. Raises OSError."""


# What a spreadsheet takes for the begin of a formula, or skips before one.
_FORMULA: Final = re.compile(r"[\t\r\n]|[^\S\t\r\n]*[=+\-@＝＋－＠]")
_APOSTROPHE: Final = "'"

# Locales with a decimal comma separate columns by `;`, and may then begin cells and lines inside of
# quoted text. Where apostrophes precede already, one more is added.
_WITHIN: Final = r"(?<=[;\t\r\n]){}(?='*[^\S\t\r\n]*[=+\-@＝＋－＠])"
_UNQUOTED: Final = re.compile(_WITHIN.format(""))
_QUOTE: Final = re.compile(_WITHIN.format(_APOSTROPHE))


def write_jsonl(file: Output, records: Iterable[Record]) -> None:
    """One line of JSON a record."""
    for record in records:
        shown = {
            name: value if value is None or name not in JSON_COLUMNS else orjson.Fragment(value)
            for name, value in record.items()
        }
        file.write(f"{orjson.dumps(shown).decode()}\n")


def read_jsonl(file: BinaryIO) -> Iterator[NumberedRecord]:
    """What `write_jsonl` wrote. Raises ConfigError."""
    lines = Lines(file)
    for text in lines:
        lines.begin_record()
        if text.strip():
            with _naming_line(lines.number, "line"):
                # An event's data nests as deep as a report, and one deeper inside of a record.
                record = parse_object(text.encode(), "line", MAX_DEPTH + 1)
            yield lines.number, record


def write_csv(file: Output, records: Iterable[Record], *, keep_formulas: bool = False) -> None:
    """A table with a header. `keep_formulas`: leave them as they are, for programs only."""
    plain = csv.DictWriter(file, _HEADER, lineterminator="\n")
    # A lone CR would end the line for readers, and not every Python quotes it.
    quoting = csv.DictWriter(file, _HEADER, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writeheader()
    for record in records:
        texts = {name: value for name, value in record.items() if isinstance(value, str)}
        quoted = {
            name: _APOSTROPHE + _UNQUOTED.sub(_APOSTROPHE, text)
            for name, text in texts.items()
            if not keep_formulas and (_FORMULA.match(text) or _UNQUOTED.search(text))
        }
        empty = [name for name, text in texts.items() if not text]
        writer = quoting if any("\r" in text for text in texts.values()) else plain
        marks = {_EMPTY: " ".join(empty), _QUOTED: " ".join(quoted)}
        writer.writerow({**record, **quoted, **marks})


def read_csv(file: BinaryIO) -> Iterator[NumberedRecord]:
    """What `write_csv` wrote. Raises ConfigError."""
    rows = _rows(file)
    _, header = next(rows, (1, []))
    missing = set(_HEADER) - set(header) - OPTIONAL_COLUMNS - {_QUOTED}
    if missing or not set(_HEADER) >= set(header) or len(set(header)) != len(header):
        raise ConfigError("line 1: these are not the columns of an export")
    for line, row in rows:
        if len(row) != len(header):
            raise ConfigError(f"line {line}: has {len(row)} cells, but line 1 has {len(header)}")
        cells = dict(zip(header, row, strict=True))
        empty = cells.pop(_EMPTY).split()
        for name in cells.pop(_QUOTED, "").split():
            if not cells.get(name, "").startswith(_APOSTROPHE):
                raise ConfigError(f"line {line}: {name!r:.100}: has lost its apostrophe")
            cells[name] = _QUOTE.sub("", cells[name].removeprefix(_APOSTROPHE))
        yield (
            line,
            {
                name: _value(line, name, text)
                for name, text in cells.items()
                if text or name in empty
            },
        )


Writer = Callable[[Output, Iterable[Record]], None]
WRITERS: Final[dict[str, Writer]] = {"jsonl": write_jsonl, "csv": write_csv}
READERS: Final[dict[str, Callable[[BinaryIO], Iterator[NumberedRecord]]]] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
}


def _rows(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(MAX_RECORD_BYTES)
    lines = Lines(file)
    rows = csv.reader(lines, strict=True)
    while True:
        lines.begin_record()
        begin = lines.number + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            problem = "its lines end in CR alone" if "new-line" in str(error) else error
            raise ConfigError(f"line {begin}: this CSV cannot be read: {problem}") from None
        if row is None:
            return
        if row:
            yield begin, row


def _value(line: int, name: str, text: str) -> Any:
    if name not in NUMBER_COLUMNS and name not in JSON_COLUMNS:
        return text
    with _naming_line(line, name):
        value = parse(text.encode(), name)
    if name in NUMBER_COLUMNS and type(value) not in (int, float):
        raise ConfigError(f"line {line}: {name}: this is not a number")
    return value


@contextmanager
def _naming_line(line: int, what: str) -> Iterator[None]:
    try:
        yield
    except (InvalidJSON, ValidationFailed) as error:
        field, issue = error.issues[0]
        where = "" if what == "line" else f"{what}: "
        if field != what:
            issue = f"{field!r}: {issue}"
        elif isinstance(error, InvalidJSON):
            issue = f"this JSON cannot be read: {issue}"
        # The line within the JSON means nothing to a reader of the file.
        issue = re.sub(r": line 1 (column \d+) \(char \d+\)$", r", \1", issue)
        raise ConfigError(f"line {line}: {where}{issue}") from None
