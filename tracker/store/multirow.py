"""One statement for many rows: what a statement costs by itself is paid once.

Rows go in runs of 64, 32, 16, … so that a few prepared statements serve every number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import apsw

Row = tuple[str | bytes | int | float | None, ...]

_MOST = 64


def execute(
    connection: apsw.Connection, sql: str, rows: Sequence[Row]
) -> Iterator[tuple[int, apsw.Cursor]]:
    """Run `sql`, whose `{rows}` becomes the rows' placeholders, until all rows are through.

    Yields after each run how many rows it took, and its cursor. An INSERT's rows then have the
    ids up to `last_insert_rowid`: there is one writer, and AUTOINCREMENT counts on.
    """
    begin = 0
    while begin < len(rows):
        size = min(_MOST, 1 << (len(rows) - begin).bit_length() - 1)
        run = rows[begin : begin + size]
        statement = _statement(sql, len(run[0]), size)
        yield size, connection.execute(statement, [value for row in run for value in row])
        begin += size


def insert(connection: apsw.Connection, sql: str, rows: Sequence[Row]) -> list[int]:
    """Insert the rows into a table with an AUTOINCREMENT key; their ids, in order."""
    ids: list[int] = []
    for size, _ in execute(connection, sql, rows):
        last = connection.last_insert_rowid()
        ids.extend(range(last - size + 1, last + 1))
    return ids


@lru_cache(maxsize=64)
def _statement(sql: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return sql.format(rows=", ".join([row] * rows))
