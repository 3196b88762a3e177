"""The record of who did what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import apsw
import orjson

from tracker.domain.audit import (
    GROUPED_FOR_MS,
    SERVER,
    Action,
    Actor,
    AuditEntry,
    AuditPage,
    AuditQuery,
    Deed,
)

_LAST_LIKE = """
  SELECT id FROM audit
  WHERE last_at > :since AND action = :action AND name = :name AND address = :address
    AND subject = :subject AND details = :details
  ORDER BY id DESC LIMIT 1
"""
_AMEND = "UPDATE audit SET details = ?, last_at = ? WHERE id = ?"
_COUNT_ON = "UPDATE audit SET times = times + ?, last_at = ? WHERE id = ?"
_INSERT = """
  INSERT INTO audit (first_at, last_at, times, action, name, address, subject, details)
  VALUES (:now, :now, :times, :action, :name, :address, :subject, :details)
"""
_PAGE = """
  SELECT id, first_at, last_at, times, action, name, address, subject, details FROM audit
  WHERE id < :before AND (:action IS NULL OR action = :action) AND (:name IS NULL OR name = :name)
  ORDER BY id DESC LIMIT :limit
"""
_LATEST = "SELECT details FROM audit WHERE action = ? ORDER BY id DESC LIMIT 1"
_DELETE_OLD = """
  DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE last_at < ? ORDER BY last_at LIMIT ?)
"""


def count(connection: apsw.Connection, now: int, deed: Deed, times: int) -> None:
    """Count on the entry of the last hour that is like it, or add one: for what may come in
    numbers."""
    row = _row(now, deed, times)
    like = connection.execute(_LAST_LIKE, {**row, "since": now - GROUPED_FOR_MS}).fetchone()
    if like is None:
        connection.execute(_INSERT, row)
    else:
        connection.execute(_COUNT_ON, (times, now, like[0]))


def add_all(connection: apsw.Connection, now: int, deeds: Sequence[tuple[Deed, int]]) -> None:
    """Add all of them, each as often as it was done."""
    for deed, times in deeds:
        count(connection, now, deed, times)


def note_settings(connection: apsw.Connection, now: int, settings: Mapping[str, Any]) -> None:
    """Add an entry if the settings are others than those of the last one."""
    last = connection.execute(_LATEST, (Action.SETTINGS_CHANGED,)).fetchone()
    if _json(settings) != ("{}" if last is None else last[0]):
        add(connection, now, Deed(Action.SETTINGS_CHANGED, SERVER, "", settings))


def add(connection: apsw.Connection, now: int, deed: Deed) -> int:
    """Add an entry; its id is for `amend`, as what it tells may take several transactions."""
    connection.execute(_INSERT, _row(now, deed, 1))
    return connection.last_insert_rowid()


def amend(connection: apsw.Connection, now: int, id_: int, details: Mapping[str, Any]) -> bool:
    """What began has come so far. False: there is no such entry."""
    connection.execute(_AMEND, (_json(details), now, id_))
    return connection.changes() == 1


def page(connection: apsw.Connection, query: AuditQuery) -> AuditPage:
    """The newest entries."""
    parameters = {**query._asdict(), "limit": query.limit + 1}
    entries = [_entry(*row) for row in connection.execute(_PAGE, parameters)]
    return AuditPage(entries[: query.limit], len(entries) > query.limit)


def delete_old(connection: apsw.Connection, before: int, limit: int) -> bool:
    """Forget `limit` of the entries whose deeds were all `before`. True when none is left."""
    connection.execute(_DELETE_OLD, (before, limit))
    return connection.changes() < limit


def _row(now: int, deed: Deed, times: int) -> dict[str, Any]:
    return {
        "action": deed.action,
        "name": deed.actor.name,
        "address": deed.actor.address,
        "subject": deed.subject,
        "details": _json(deed.details),
        "now": now,
        "times": times,
    }


def _json(details: Mapping[str, Any]) -> str:
    text = json.dumps(dict(details), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    # Lone surrogates, as in names of files that are not UTF-8, become question marks.
    return text.encode("utf-8", "replace").decode()


def _entry(*row: Any) -> AuditEntry:
    id_, first_at, last_at, times, action, name, address, subject, details = row
    deed = Deed(Action(action), Actor(name, address), subject, orjson.loads(details))
    return AuditEntry(id_, first_at, last_at, times, deed)
