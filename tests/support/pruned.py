"""A log whose oldest events were pruned."""

from __future__ import annotations

from pathlib import Path

import apsw


def prune(database: Path, upto: int) -> None:
    """Remove the events up to this id, while no server has the database."""
    connection = apsw.Connection(str(database))
    with connection:
        connection.execute("DELETE FROM events WHERE id <= ?", (upto,))
        connection.execute("UPDATE marks SET pruned = ?", (upto,))
    connection.close()
