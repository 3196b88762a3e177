"""The messages of `/mcp`, as `/openapi.json` shows them: MCP's own documents describe the rest."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from tracker.domain.limits import MAX_INTEGER

_Id = Annotated[
    int | str | None,
    WithJsonSchema({"type": ["integer", "string", "null"], "description": "The request's."}),
]

_RequestId = Annotated[
    int | str,
    WithJsonSchema(
        {"type": ["integer", "string"], "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}
    ),
]


class McpMessage(BaseModel):
    """A JSON-RPC request or notification."""

    model_config = ConfigDict(extra="allow")

    jsonrpc: Literal["2.0"]
    method: str = Field(examples=["tools/call"])
    id: _RequestId = Field(default=0, examples=[1], description="A notification has none.")
    params: dict[str, Any] | None = None


class McpAnswer(TypedDict):
    """A JSON-RPC response."""

    jsonrpc: Literal["2.0"]
    id: _Id
    result: NotRequired[dict[str, Any]]
    error: NotRequired[dict[str, Any]]


class McpRefusal(TypedDict):
    """A JSON-RPC response with an error, or the error of any other request."""

    error: dict[str, Any]
    jsonrpc: NotRequired[Literal["2.0"]]
    id: NotRequired[_Id]
    timestamp: NotRequired[str]
