"""One statement for many rows: what a statement costs by itself is paid once.

Rows go in runs of up to 64; each length has a statement of its own, which the connection keeps
prepared (`STATEMENTS`). Fewer statements also mean that the writer's thread asks Python's lock for
its turn less often, which costs it more than the statement does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain

import apsw

Row = tuple[str | bytes | int | float | None, ...]

_MAX_ROWS = 64

# Those of eleven kinds and every length, and the rest of what a connection runs.
STATEMENTS = 11 * _MAX_ROWS + 100


def execute(
    connection: apsw.Connection, sql: str, rows: Sequence[Row]
) -> Iterator[tuple[int, apsw.Cursor]]:
    """Run `sql`, whose `{rows}` becomes the rows' placeholders, until all rows are through.

    Yields after each run how many rows it took, and its cursor. An INSERT's rows then have the
    ids up to `last_insert_rowid`: there is one writer, and AUTOINCREMENT counts on.
    """
    begin = 0
    while begin < len(rows):
        run = rows[begin : begin + _MAX_ROWS]
        size = len(run)
        statement = _statement(sql, len(run[0]), size)
        yield size, connection.execute(statement, tuple(chain.from_iterable(run)))
        begin += size


def insert(connection: apsw.Connection, sql: str, rows: Sequence[Row]) -> list[int]:
    """Insert the rows into a table with an AUTOINCREMENT key; their ids, in order."""
    ids: list[int] = []
    for size, _ in execute(connection, sql, rows):
        last = connection.last_insert_rowid()
        ids.extend(range(last - size + 1, last + 1))
    return ids


@lru_cache(maxsize=STATEMENTS)
def _statement(sql: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return sql.format(rows=", ".join([row] * rows))
