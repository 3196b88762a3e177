"""What `Idempotency-Key`s have recorded, so that a report which is sent again is recorded once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import apsw

from tracker.domain.idempotency import OwnedKey
from tracker.store.changes import UsedKey
from tracker.store.sqlite import bulk

_FIND = """
  SELECT owner, key, fingerprint, event_id, at, created, duration_ms, expires_at FROM idempotency
  WHERE (owner, key) IN (VALUES {rows})
"""
_REMEMBER = """
  INSERT OR REPLACE INTO idempotency
    (owner, key, fingerprint, event_id, at, created, duration_ms, expires_at)
  VALUES {rows}
"""
_DELETE_EXPIRED = """
  DELETE FROM idempotency WHERE (owner, key) IN (
    SELECT owner, key FROM idempotency WHERE expires_at < ? ORDER BY expires_at LIMIT ?
  )
"""


def find(
    connection: apsw.Connection, now: int, keys: Iterable[OwnedKey]
) -> dict[OwnedKey, UsedKey]:
    """Those of the keys that were used within their lifetime."""
    names = list(dict.fromkeys(keys))
    return {
        (owner, key): UsedKey(fingerprint, event_id, at, bool(created), duration_ms, expires_at)
        for _, rows in bulk.execute(connection, _FIND, names)
        for owner, key, fingerprint, event_id, at, created, duration_ms, expires_at in rows
        if expires_at >= now
    }


def remember(connection: apsw.Connection, keys: Mapping[OwnedKey, UsedKey]) -> None:
    """Keep what has become of the requests with these keys."""
    rows = [(*key, *used) for key, used in keys.items()]
    for _ in bulk.execute(connection, _REMEMBER, rows):
        pass


def delete_expired(connection: apsw.Connection, now: int, limit: int) -> bool:
    """Forget `limit` of the keys that are past their lifetime. True when none is left."""
    connection.execute(_DELETE_EXPIRED, (now, limit))
    return connection.changes() < limit
