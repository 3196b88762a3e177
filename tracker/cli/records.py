"""An export's records as lines of JSON or CSV, and back, exactly.

JSON: JSON stays JSON. CSV: one table with every column; an empty cell is no value, unless `empty`
names its column: then it is an empty text. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TextIO

import orjson

from tracker.errors import ConfigError
from tracker.store.transfer import COLUMNS, JSON_COLUMNS, Record

_EMPTY: Final = "empty"
_FLOATS: Final = ("progress",)
_INTEGERS: Final = (
    *("id", "at", "attempt", "started_at", "finished_at", "duration_ms", "created_at"),
    *("updated_at", "version", "last_id", "pruned", "projects", "tasks", "events"),
)


def write_jsonl(file: TextIO, records: Iterable[Record]) -> None:
    """One line of JSON a record."""
    for record in records:
        shown = {
            name: orjson.Fragment(value) if name in JSON_COLUMNS else value
            for name, value in record.items()
        }
        file.write(f"{orjson.dumps(shown).decode()}\n")


def read_jsonl(file: TextIO) -> Iterator[Record]:
    """What `write_jsonl` wrote. Raises ConfigError."""
    for number, line in enumerate(file, start=1):
        try:
            record = orjson.loads(line)
        except ValueError as error:
            raise ConfigError(f"line {number} is not JSON: {error}") from None
        if not isinstance(record, dict):
            raise ConfigError(f"line {number} is no JSON object")
        yield {
            name: orjson.dumps(value).decode() if name in JSON_COLUMNS else value
            for name, value in record.items()
        }


def write_csv(file: TextIO, records: Iterable[Record]) -> None:
    """A table with a line of names."""
    writer = csv.DictWriter(file, [*COLUMNS, _EMPTY], lineterminator="\n")
    writer.writeheader()
    for record in records:
        empty = " ".join(name for name, value in record.items() if value == "")
        writer.writerow({**record, _EMPTY: empty})


def read_csv(file: TextIO) -> Iterator[Record]:
    """What `write_csv` wrote. Raises ConfigError."""
    reader = csv.DictReader(file)
    if reader.fieldnames != [*COLUMNS, _EMPTY]:
        raise ConfigError("the first line does not have the columns of an export")
    for row in reader:
        empty = (row.pop(_EMPTY) or "").split()
        try:
            yield {
                name: _value(name, text, empty) for name, text in row.items() if text is not None
            }
        except ValueError as error:
            raise ConfigError(f"line {reader.line_num}: {error}") from None


WRITERS: Final[dict[str, Callable[[TextIO, Iterable[Record]], None]]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
}
READERS: Final[dict[str, Callable[[TextIO], Iterator[Record]]]] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
}


def _value(name: str, text: str, empty: list[str]) -> Any:
    if not text:
        return "" if name in empty else None
    if name in _INTEGERS:
        return int(text)
    return float(text) if name in _FLOATS else text
