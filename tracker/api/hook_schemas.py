"""The bodies of `/hooks/AGENT`, as `/openapi.json` shows them. They are the agents' own, whatever
fields they have."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class HookBody(BaseModel):
    """An agent's payload, in which it names its session."""

    model_config = ConfigDict(extra="allow")

    session_id: str = Field(
        min_length=1,
        examples=["2f6c1a"],
        description="Of Claude Code and most agents; others name it otherwise.",
    )
