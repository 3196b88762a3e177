"""Which browser sessions ended before their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.sessions import EndedSessions

if TYPE_CHECKING:
    import apsw

_EPOCH = "SELECT session_epoch FROM marks"
_REVOKED = "SELECT id, ends_at FROM revoked_sessions"
_SET_EPOCH = "UPDATE marks SET session_epoch = ?1 WHERE session_epoch <> ?1"
_FORGET = "DELETE FROM revoked_sessions WHERE ends_at <= ?"
_REVOKE = "INSERT OR IGNORE INTO revoked_sessions VALUES (?, ?)"


def read(connection: apsw.Connection) -> EndedSessions:
    """All that is kept."""
    return EndedSessions(connection.execute(_EPOCH).get, dict(connection.execute(_REVOKED)))


def write(connection: apsw.Connection, now: int, ended: EndedSessions) -> None:
    """Set the epoch, add to the revoked, and forget those that would be over by themselves."""
    connection.execute(_SET_EPOCH, (ended.epoch,))
    connection.execute(_FORGET, (now,))
    connection.executemany(_REVOKE, ended.revoked.items())
