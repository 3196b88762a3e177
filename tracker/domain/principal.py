"""Who asks, and what they may do (docs/contract.md, "Keys of one's own")."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from tracker.domain.lease import Lease
from tracker.errors import Forbidden, NotFound


class Right(StrEnum):
    """What a route asks of whoever calls it."""

    OPEN = "open"
    """Nothing, not even a key."""
    SIGNED_IN = "signed in"
    """Any key, or a session."""
    REPORT = "report"
    READ = "read"
    ANSWER = "answer"
    ADMIN = "admin"


class Role(StrEnum):
    """What a key is for."""

    REPORT = "report"
    READ = "read"
    ANSWER = "answer"
    ADMIN = "admin"


RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.REPORT: frozenset({Right.SIGNED_IN, Right.REPORT}),
    Role.READ: frozenset({Right.SIGNED_IN, Right.READ}),
    Role.ANSWER: frozenset({Right.SIGNED_IN, Right.READ, Right.ANSWER}),
    Role.ADMIN: frozenset(Right) - {Right.OPEN},
}

_NEEDED: Final[Mapping[Right, str]] = {
    Right.REPORT: "a key with the role report or admin",
    Right.READ: "a key with the role read, answer or admin",
    Right.ANSWER: "a key with the role answer or admin",
    Right.ADMIN: "the master key, or one with the role admin",
}


class Scope(NamedTuple):
    """The projects that exist for somebody, by name; None: all of them."""

    projects: frozenset[str] | None = None

    def includes(self, project: str) -> bool:
        """Whether the project exists for them."""
        return self.projects is None or project in self.projects

    def narrowed(self, project: str | None) -> Scope:
        """Of these, the one that was asked for; None: no one in particular."""
        if project is None:
            return self
        return Scope(frozenset({project}) if self.includes(project) else frozenset())

    def narrowed_to(self, projects: Collection[str]) -> Scope:
        """Of these, those that were asked for; none: no one in particular."""
        if not projects:
            return self
        return Scope(frozenset(filter(self.includes, projects)))

    def require(self, project: str) -> None:
        """Raises NotFound, as for a project that nobody has reported to."""
        if not self.includes(project):
            raise no_such_project(project)


ALL_PROJECTS: Final = Scope()


class Principal:
    """The holder of a key, or of a session that was opened with it."""

    __slots__ = ("ends_at", "key_id", "lease", "name", "rights", "role", "scope", "secret_id")

    def __init__(
        self,
        name: str,
        role: Role,
        scope: Scope,
        lease: Lease,
        *,
        key_id: int = 0,
        secret_id: str = "",
    ) -> None:
        """`name`: the key's. `lease`: how long the access lasts. `key_id`: the stored
        key's; 0: the master key. `secret_id`: what names the one of its secrets that was shown, in
        any database; empty: the master key."""
        self.name = name
        self.role = role
        self.rights = RIGHTS[role]
        self.scope = scope
        self.lease = lease
        self.ends_at: int | None = None
        """When the access ends at the latest, in milliseconds; None: open."""
        self.key_id = key_id
        self.secret_id = secret_id

    def with_lease(self, lease: Lease) -> Principal:
        """The same, for as long as another lease lasts: a session's."""
        principal = Principal(
            *(self.name, self.role, self.scope, lease),
            key_id=self.key_id,
            secret_id=self.secret_id,
        )
        principal.ends_at = self.ends_at
        return principal

    def require(self, right: Right) -> None:
        """Raises Forbidden."""
        if right not in self.rights:
            raise Forbidden(
                f"The key {self.name!r} has the role {self.role}; this takes {_NEEDED[right]}."
            )


def no_such_project(name: str) -> NotFound:
    """The error for a name that no report has used."""
    return NotFound(f"There is no project {name!r}; a project appears with its first report.")
