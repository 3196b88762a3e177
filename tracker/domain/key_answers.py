"""What is told of keys and of what was done with them: the shapes, and how they are made. The API
answers it, and so do the commands on a database file."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from tracker.clock import iso
from tracker.domain.audit import AuditEntry, AuditPage
from tracker.domain.keys import StoredKey
from tracker.domain.messages import Timestamp
from tracker.domain.principal import Principal


class Access(TypedDict):
    """Who asks. `projects` null: all of them."""

    name: str
    role: Literal["report", "read", "answer", "admin"]
    projects: list[str] | None
    expires_at: Timestamp | None


class Key(TypedDict):
    """A key, without its secret."""

    name: str
    role: Literal["report", "read", "answer", "admin"]
    projects: list[str] | None
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    last_used_from: str | None
    rotating_until: Timestamp | None
    """Until then the secret before the newest goes on."""


class NewKey(Key):
    """A key with its secret, which is shown this once."""

    key: str


class Keys(TypedDict):
    """All keys of one's own."""

    keys: list[Key]


class AuditLine(TypedDict):
    """Something that was done so many times, by whom and from where; `by` null: unknown."""

    id: int
    first_at: Timestamp
    last_at: Timestamp
    count: int
    action: str
    by: str | None
    address: str
    subject: str
    details: dict[str, Any]


class Audit(TypedDict):
    """A page of the audit log, newest first."""

    entries: list[AuditLine]
    has_more: bool


def access(principal: Principal) -> Access:
    """Who asks."""
    return {
        "name": principal.name,
        "role": principal.role.value,
        "projects": _names(principal.scope.projects),
        "expires_at": _time(principal.ends_at),
    }


def key(stored: StoredKey) -> Key:
    """One key."""
    *_, before, _newest = (None, *stored.secrets)
    return {
        "name": stored.spec.name,
        "role": stored.spec.role.value,
        "projects": _names(stored.spec.scope.projects),
        "created_at": iso(stored.created_at),
        "expires_at": _time(stored.spec.expires_at),
        "last_used_at": _time(stored.last_used_at),
        "last_used_from": stored.last_used_from,
        "rotating_until": None if before is None else _time(before.expires_at),
    }


def new_key(secret: str, stored: StoredKey) -> NewKey:
    """A key that was just made or rotated."""
    return {**key(stored), "key": secret}


def audit(page: AuditPage) -> Audit:
    """A page of the audit log."""
    return {"entries": [_line(entry) for entry in page.entries], "has_more": page.has_more}


def _line(entry: AuditEntry) -> AuditLine:
    deed = entry.deed
    line: AuditLine = {
        "id": entry.id,
        "first_at": iso(entry.first_at),
        "last_at": iso(entry.last_at),
        "count": entry.times,
        "action": deed.action.value,
        "by": deed.actor.name or None,
        "address": deed.actor.address,
        "subject": deed.subject,
        "details": dict(deed.details),
    }
    return line


def _names(projects: frozenset[str] | None) -> list[str] | None:
    return None if projects is None else sorted(projects)


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
