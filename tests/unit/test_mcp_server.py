"""How much MCP's server answers at once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import orjson

from tracker.mcp.catalogue import Tool
from tracker.mcp.server import Answer, Backend, McpServer


class Large:
    """Whose tools answer 5 MiB."""

    async def call(self, _tool: Tool, _arguments: dict[str, Any], _client: str) -> Any:
        return {"content": [{"type": "text", "text": "x" * 5 * 1024 * 1024}]}


def answer(message: object) -> Answer:
    return asyncio.run(McpServer(cast("Backend", Large())).answer(message))


def call(**arguments: Any) -> dict[str, Any]:
    params = {"name": "stats", "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def test_the_answers_to_a_batch_end() -> None:
    answers = orjson.loads(orjson.dumps(answer([call()] * 9).content))
    assert ["result" in one for one in answers] == [True] * 2 + [False] * 7
    assert "by itself" in answers[-1]["error"]["message"]
    assert answers[-1]["id"] == 1


def test_what_is_wrong_with_a_call_is_not_told_without_end() -> None:
    told = answer(call(**{f"field {number}": 0 for number in range(1000)})).content["result"]
    assert told["isError"]
    assert "field 9 " in told["content"][0]["text"]
    assert "field 10 " not in told["content"][0]["text"]
