"""Who asks, where a test asks parts directly."""

from __future__ import annotations

from tracker.domain.audit import Actor
from tracker.domain.lease import Lease
from tracker.domain.principal import Principal, Role, Scope

SOMEBODY = Actor("somebody", "127.0.0.1")


def only(*projects: str | None) -> Scope:
    """These projects; none, or None: all of them."""
    names = frozenset(name for name in projects if name is not None)
    return Scope(names or None)


def holder(role: Role = Role.ADMIN, *projects: str) -> Principal:
    """Whoever has a key for that."""
    return Principal("holder", role, only(*projects), Lease())
