"""Keys of one's own: their form, and what is stored of them (docs/contract.md, "Keys of one's
own"). A key itself is stored nowhere.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from agent_task_tracker.keys import PREFIX, SECRET_LENGTH, base62, checksum, is_whole
from tracker.clock import MS_PER_DAY
from tracker.domain.limits import MAX_DURATION_SECONDS, MAX_NAME
from tracker.domain.principal import Role, Scope
from tracker.errors import Conflict, Issue, ValidationFailed
from tracker.text import is_unicode

MASTER: Final = "master"
"""The name of the key of the settings."""

MAX_KEYS: Final = 1000
MAX_PROJECTS: Final = 100

DEFAULT_OVERLAP_MS: Final = MS_PER_DAY

_MAX_MS: Final = MAX_DURATION_SECONDS * 1000
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"


class StoredSecret(NamedTuple):
    """What a key is recognised by: its SHA-256, until `expires_at` in milliseconds; None: as long
    as the key."""

    id: int
    digest: bytes
    expires_at: int | None = None


class KeySpec(NamedTuple):
    """A key to be made. `expires_at`: in milliseconds; None: never."""

    name: str
    role: Role
    scope: Scope = Scope()
    expires_at: int | None = None


class StoredKey(NamedTuple):
    """A key as it is stored. `secrets`: the newest last. Times in milliseconds."""

    id: int
    spec: KeySpec
    created_at: int
    secrets: Sequence[StoredSecret]
    last_used_at: int | None = None
    last_used_from: str | None = None


class KeyUse(NamedTuple):
    """When a key was used last, in milliseconds, and the address it came from."""

    at: int
    address: str


def generate() -> str:
    """A new key, of 256 random bits and a checksum."""
    secret = PREFIX + base62(secrets.randbits(256), SECRET_LENGTH)
    return secret + checksum(secret)


def is_misspelt(key: str) -> bool:
    """Whether this was one of our keys and has lost or changed characters on its way."""
    return key.startswith(PREFIX) and not is_whole(key)


def key_spec(
    name: str, role: str, projects: Iterable[str] | None, expires_in_ms: int | None, now: int
) -> KeySpec:
    """A key to be made, as a person asked for it; no projects: all of them. Raises
    ValidationFailed, Conflict."""
    issues = []
    if name == MASTER:
        raise Conflict(
            f"{MASTER!r} is the key of the settings: take another name.",
            [Issue("name", "There is a key of this name")],
        )
    if not re.fullmatch(NAME_PATTERN, name):
        issues.append(
            Issue(
                "name",
                "expected 1 to 64 letters, digits and . _ @ -, beginning with a letter or digit",
            )
        )
    if role not in list(Role):
        issues.append(Issue("role", f"expected one of {', '.join(Role)}"))
    names = frozenset(projects or ())
    if len(names) > MAX_PROJECTS or not all(map(_can_be_project, names)):
        issues.append(Issue("projects", f"expected 1 to {MAX_PROJECTS} names of projects"))
    if names and role == Role.ADMIN:
        issues.append(Issue("projects", "a key with the role admin is for all projects"))
    if expires_in_ms is not None and not 1000 <= expires_in_ms <= _MAX_MS:
        issues.append(Issue("expires_in_seconds", "expected at least a second, or nothing"))
    if issues:
        raise ValidationFailed("This cannot be a key", issues)
    expires_at = None if expires_in_ms is None else now + expires_in_ms
    return KeySpec(name, Role(role), Scope(names or None), expires_at)


def check_overlap(overlap_ms: int) -> None:
    """Raises ValidationFailed."""
    if not 0 <= overlap_ms <= _MAX_MS:
        raise ValidationFailed(
            "The key was not rotated", [Issue("overlap_seconds", "expected 0 seconds or more")]
        )


def _can_be_project(name: str) -> bool:
    """Whether a report may name it."""
    return 1 <= len(name) <= MAX_NAME and "\0" not in name and is_unicode(name)
