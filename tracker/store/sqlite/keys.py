"""Keys of one's own, by the hashes of their secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracker.clock import iso
from tracker.domain.audit import Action, Actor, Deed
from tracker.domain.keys import MAX_KEYS, KeySpec, KeyUse, StoredKey, StoredSecret
from tracker.domain.principal import Role, Scope
from tracker.errors import Conflict, Issue, NotFound
from tracker.store.sqlite import audit

if TYPE_CHECKING:
    import apsw

_KEYS = """
  SELECT id, name, role, all_projects, expires_at, created_at, last_used_at, last_used_from
  FROM keys WHERE ?1 IS NULL OR name = ?1 ORDER BY name
"""
_PROJECTS = "SELECT project FROM key_projects WHERE key_id = ?"
_SECRETS = "SELECT id, digest, expires_at FROM key_secrets WHERE key_id = ? ORDER BY id"
_COUNT = "SELECT count(*) FROM keys"
_INSERT = """
  INSERT INTO keys (name, role, all_projects, created_at, expires_at) VALUES (?, ?, ?, ?, ?)
"""
_INSERT_PROJECT = "INSERT INTO key_projects VALUES (?, ?)"
_INSERT_DIGEST = "INSERT INTO key_secrets (key_id, digest) VALUES (?, ?)"
_EXPIRE_SECRETS = """
  UPDATE key_secrets SET expires_at = min(coalesce(expires_at, :at), :at) WHERE key_id = :id
"""
_DELETE_EXPIRED_SECRETS = "DELETE FROM key_secrets WHERE key_id = ? AND expires_at <= ?"
_DELETE = "DELETE FROM keys WHERE id = ?"
_USED = "UPDATE keys SET last_used_at = ?, last_used_from = ? WHERE id = ?"


def read(connection: apsw.Connection, name: str | None = None) -> list[StoredKey]:
    """All keys by name, or the one of that name."""
    rows: list[Any] = connection.execute(_KEYS, (name,)).fetchall()
    return [_stored(connection, *row) for row in rows]


def find(connection: apsw.Connection, name: str) -> StoredKey:
    """Raises NotFound."""
    found = read(connection, name)
    if not found:
        raise NotFound(f"There is no key {name!r}.")
    return found[0]


def add(
    connection: apsw.Connection, now: int, spec: KeySpec, digest: bytes, by: Actor
) -> StoredKey:
    """Store a key. Raises Conflict."""
    if read(connection, spec.name):
        raise Conflict(
            f"There is a key {spec.name!r} already: rotate or revoke it, or take another name.",
            [Issue("name", "There is a key of this name")],
        )
    if connection.execute(_COUNT).get >= MAX_KEYS:
        raise Conflict(
            f"There are {MAX_KEYS} keys already: revoke some.", [Issue("name", "Too many keys")]
        )
    projects = spec.scope.projects
    row = (spec.name, spec.role, projects is None, now, spec.expires_at)
    connection.execute(_INSERT, row)
    id_ = connection.last_insert_rowid()
    connection.executemany(_INSERT_PROJECT, [(id_, project) for project in projects or ()])
    connection.execute(_INSERT_DIGEST, (id_, digest))
    details = {
        "role": spec.role,
        "projects": None if projects is None else sorted(projects),
        "expires_at": None if spec.expires_at is None else iso(spec.expires_at),
    }
    audit.add(connection, now, Deed(Action.KEY_CREATED, by, spec.name, details))
    return find(connection, spec.name)


def rotate(
    connection: apsw.Connection, now: int, name: str, digest: bytes, overlap_ms: int, by: Actor
) -> StoredKey:
    """Give the key another secret. Raises NotFound, Conflict."""
    stored = find(connection, name)
    id_, expires_at = stored.id, stored.spec.expires_at
    if expires_at is not None and expires_at <= now:
        raise Conflict(
            f"The key {name!r} has expired, and would not work with another secret either: revoke "
            "it, and make another of the name.",
            [Issue("name", "The key has expired")],
        )
    connection.execute(_EXPIRE_SECRETS, {"id": id_, "at": now + overlap_ms})
    connection.execute(_DELETE_EXPIRED_SECRETS, (id_, now))
    connection.execute(_INSERT_DIGEST, (id_, digest))
    details = {"overlap_seconds": overlap_ms / 1000}
    audit.add(connection, now, Deed(Action.KEY_ROTATED, by, name, details))
    return find(connection, name)


def revoke(connection: apsw.Connection, now: int, name: str, by: Actor) -> None:
    """Forget the key. Raises NotFound."""
    connection.execute(_DELETE, (find(connection, name).id,))
    audit.add(connection, now, Deed(Action.KEY_REVOKED, by, name))


def save_uses(connection: apsw.Connection, uses: Mapping[int, KeyUse]) -> None:
    """When keys were used last; those revoked meanwhile are left out."""
    connection.executemany(_USED, [(use.at, use.address, id_) for id_, use in uses.items()])


def _stored(
    connection: apsw.Connection,
    id_: int,
    name: str,
    role: str,
    all_projects: int,
    expires_at: int | None,
    created_at: int,
    *used: Any,
) -> StoredKey:
    projects = None
    if not all_projects:
        projects = frozenset(project for (project,) in connection.execute(_PROJECTS, (id_,)))
    spec = KeySpec(name, Role(role), Scope(projects), expires_at)
    stored = [StoredSecret._make(row) for row in connection.execute(_SECRETS, (id_,))]
    return StoredKey(id_, spec, created_at, stored, *used)
