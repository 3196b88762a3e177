"""What the API offers by the Model Context Protocol; see `operations`."""

from __future__ import annotations

from typing import Any, Final

from tracker.api.mcp_schemas import McpAnswer, McpMessage, McpRefusal
from tracker.api.openapi.operations import Operation, Response
from tracker.domain.principal import Right

_CALL: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "start_task",
        "arguments": {"project": "my-project", "title": "Build the feature"},
    },
}
_TEXT: Final = '{"project":"my-project","status":"started","task_id":"Build the feature"}'
_ANSWER: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "result": {"content": [{"type": "text", "text": _TEXT}]},
}


def _refusal(code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}


MCP_OPERATIONS: Final = (
    Operation(
        method="post",
        path="/mcp",
        id="call_mcp",
        tag="Webhooks",
        summary="Speak the Model Context Protocol",
        description="Streamable HTTP of MCP 2026-07-28, and of the versions of 2025, which begin "
        "with `initialize`. Tools that report need a key with the role `report`, those that read "
        "one with `read`. There is no stream to GET.",
        body=McpMessage,
        example=_CALL,
        answers={
            200: Response("The answer.", McpAnswer, _ANSWER),
            202: Response("A notification was taken."),
            400: Response(
                "It is no message, or its headers say something else than it does.",
                McpRefusal,
                _refusal(-32600, "`method` has to be a string."),
            ),
            404: Response(
                "There is no such method.", McpRefusal, _refusal(-32601, "There is no method 'x'.")
            ),
        },
        right=Right.SIGNED_IN,
    ),
)
