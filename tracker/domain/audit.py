"""The record of who did what: not what agents report, but what is done with the tracker itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

GROUPED_FOR_MS: Final = 3_600_000
"""What happens again within this time is counted, and not told once more."""


class Action(StrEnum):
    """What was done."""

    KEY_CREATED = "key_created"
    KEY_ROTATED = "key_rotated"
    KEY_REVOKED = "key_revoked"
    SIGNED_IN = "signed_in"
    SIGNED_OUT_ALL = "signed_out_all"
    WRONG_KEY = "wrong_key"
    FORBIDDEN = "forbidden"
    TASK_DELETED = "task_deleted"
    PROJECT_DELETED = "project_deleted"
    IMPORTED = "imported"
    RESTORED = "restored"
    PRUNED = "pruned"
    SETTINGS_CHANGED = "settings_changed"


class Actor(NamedTuple):
    """Who does something: the name of a key, or of the command; and the address they are at."""

    name: str
    address: str


THIS_MACHINE: Final = "this machine"
"""The address of what no request asked for."""

SERVER: Final = Actor("server", THIS_MACHINE)


class Deed(NamedTuple):
    """Something that was done, to what, and details of it."""

    action: Action
    actor: Actor
    subject: str = ""
    details: Mapping[str, Any] = {}


class AuditEntry(NamedTuple):
    """An entry of the record: a deed that was done so many times. Times in milliseconds: of the
    first and of the last."""

    id: int
    first_at: int
    last_at: int
    times: int
    deed: Deed


class AuditQuery(NamedTuple):
    """The newest `limit` entries with an id smaller than `before`; None: of all actions, of all
    names."""

    limit: int
    before: int
    action: Action | None = None
    name: str | None = None


class AuditPage(NamedTuple):
    """Entries, newest first, and whether there are older ones."""

    entries: Sequence[AuditEntry]
    has_more: bool
