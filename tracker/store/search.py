"""The full-text index over tasks: a cursor over the event log, run between reports."""

from __future__ import annotations

import apsw

_MARK = "SELECT searched FROM marks"
_MOVE_MARK = "UPDATE marks SET searched = ?"
_CHANGED = """
  SELECT id, task FROM events WHERE id > ? ORDER BY id LIMIT ?
"""
_INDEX = """
  INSERT OR REPLACE INTO search (rowid, title, task_id, agent, result, error)
  SELECT id, title, task_id, agent, result, concat_ws(' ', error_type, error_message)
  FROM tasks WHERE id = ?
"""


def index_some(connection: apsw.Connection, limit: int) -> bool:
    """Index the tasks of the next `limit` events. True when the index has caught up."""
    searched = connection.execute(_MARK).get
    changed = connection.execute(_CHANGED, (searched, limit)).fetchall()
    if changed:
        connection.executemany(_INDEX, {(task,) for _, task in changed})
        connection.execute(_MOVE_MARK, (changed[-1][0],))
    return len(changed) < limit


def match_expression(text: str) -> str:
    """What a person typed as an FTS5 expression: every word, each as a prefix, in any order.

    Quoted, so that nothing in it is an operator (https://sqlite.org/fts5.html, section 3.1).
    """
    words = text.replace("\0", " ").replace('"', " ").split()
    return " ".join(f'"{word}"*' for word in words) or '""'
