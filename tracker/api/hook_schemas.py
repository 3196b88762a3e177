"""The bodies of `/hooks/AGENT`, as `/openapi.json` shows them. They are the agents' own, whatever
fields they have."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class HookBody(BaseModel):
    """An agent's payload, in which it names its session."""

    model_config = ConfigDict(extra="allow")

    session_id: str | None = Field(default=None, examples=["2f6c1a"])
