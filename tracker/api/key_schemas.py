"""The models that validate requests about keys and the audit log."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from tracker.api.parameters import Query
from tracker.domain import audit
from tracker.domain.audit import Action
from tracker.domain.fields import Name, Seconds
from tracker.domain.keys import DEFAULT_OVERLAP_MS, MAX_PROJECTS, NAME_PATTERN
from tracker.domain.limits import MAX_INTEGER, MAX_PAGE
from tracker.domain.principal import Role

# What is not understood may have been meant to narrow a key, as `project` for `projects`: the key
# would be for everything.
_STRICT = ConfigDict(extra="forbid")


class NewKeyBody(BaseModel):
    """`POST /api/keys`."""

    model_config = _STRICT

    # `key_spec` says in words what is wrong with one.
    name: Annotated[str, WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})] = Field(
        examples=["ci"], description="What it is for, or whose it is."
    )
    role: Role = Field(examples=["report"])
    projects: Annotated[list[Name], Field(min_length=1, max_length=MAX_PROJECTS)] | None = Field(
        default=None,
        examples=[["my-project"]],
        description="The projects that it is for, whether they exist yet or not; left out: all of "
        "them. A key with the role admin is for all.",
    )
    expires_in_seconds: Annotated[Seconds, Field(ge=1)] | None = Field(
        default=None, examples=[7_776_000], description="Left out: never."
    )


class RotateKeyBody(BaseModel):
    """`POST /api/keys/{name}/rotate`."""

    model_config = _STRICT

    overlap_seconds: Seconds = Field(
        default=DEFAULT_OVERLAP_MS / 1000,
        examples=[86_400],
        description="How long the secret before goes on.",
    )


class AuditQuery(Query):
    """`GET /api/audit`."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100
    before: Annotated[int, Field(ge=0, le=MAX_INTEGER)] = Field(
        default=MAX_INTEGER, description="Entries with a smaller id."
    )
    action: Action | None = None
    by: str | None = Field(default=None, description="The name of a key.")

    def to_query(self) -> audit.AuditQuery:
        """The store's form of it."""
        return audit.AuditQuery(self.limit, self.before, self.action, self.by)
