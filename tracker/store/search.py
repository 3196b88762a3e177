"""The full-text index over tasks: a cursor over the event log, run between reports."""

from __future__ import annotations

import apsw

_MARK = "SELECT searched FROM marks"
_MOVE_MARK = "UPDATE marks SET searched = ?"
_MERGE = "INSERT INTO search (search, rank) VALUES ('merge', ?)"
_NEXT_MARK = """
  SELECT max(id) FROM (SELECT id FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)
"""
# All in one statement: a fifth of the time that one a task would take.
_INDEX = """
  INSERT OR REPLACE INTO search (rowid, title, task_id, agent, result, error)
  SELECT id, title, task_id, agent, result, concat_ws(' ', error_type, error_message)
  FROM tasks WHERE id IN (SELECT task FROM events WHERE id > ? AND id <= ?)
"""

# What is added makes a segment of its own, and a search looks into each segment; so they are merged
# as they come, some pages at a time (https://sqlite.org/fts5.html, section 6.8).
_PAGES_MERGED_AT_ONCE = 5


def index_some(connection: apsw.Connection, upto: int, limit: int) -> bool:
    """Index the tasks of the next `limit` events, none past event `upto`. True when that far."""
    searched = connection.execute(_MARK).get
    mark = connection.execute(_NEXT_MARK, (searched, upto, limit)).get
    if mark is None:
        return True
    connection.execute(_INDEX, (searched, mark))
    connection.execute(_MERGE, (_PAGES_MERGED_AT_ONCE,))
    connection.execute(_MOVE_MARK, (mark,))
    return bool(mark >= upto)


def match_expression(text: str) -> str:
    """What a person typed as an FTS5 expression: every word, each as a prefix, in any order.

    Quoted, so that nothing in it is an operator (https://sqlite.org/fts5.html, section 3.1).
    """
    words = text.replace("\0", " ").replace('"', " ").split()
    return " ".join(f'"{word}"*' for word in words) or '""'
