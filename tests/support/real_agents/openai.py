"""A mock of OpenAI's Responses API, which Codex speaks."""

from __future__ import annotations

import json
from typing import Any

from tests.support.real_agents.model import Model, Reply, Said
from tests.support.real_agents.turns import Fail, Text, Tools

USAGE = {
    **{"input_tokens": 1320, "input_tokens_details": {"cached_tokens": 1000}},
    **{"output_tokens": 34, "output_tokens_details": {"reasoning_tokens": 4}},
    "total_tokens": 1354,
}
CALLS = ("function_call", "custom_tool_call", "local_shell_call")


class OpenaiModel(Model):
    """POST /v1/responses, always streamed, and GET /v1/models."""

    def said(self, body: dict[str, Any]) -> list[Said]:
        found = []
        for item in body.get("input", []):
            if item["type"] in CALLS or item.get("role") == "assistant":
                found.append(Said(False, ""))
            elif item.get("role") == "user":
                texts = [part["text"] for part in item["content"] if part["type"] == "input_text"]
                found.append(Said(True, "\n".join(texts)))
        return found

    def is_turn(self, path: str) -> bool:
        return path.endswith("/responses")

    def other(self, path: str) -> object | None:
        models = {"object": "list", "data": [{"id": "mock", "object": "model"}]}
        return models if path.endswith("/models") else None

    def failure(self, turn: Fail) -> object:
        return {"error": {"type": turn.kind, "code": turn.kind, "message": turn.message}}

    def say(self, reply: Reply, path: str, said: Text | Tools, body: dict[str, Any]) -> None:
        number = len(self.requests)
        items = _items(said, number, body)
        response = {"id": f"resp_mock_{number}", "object": "response", "model": "mock"}
        reply.begin_stream()
        self._event(reply, "response.created", response={**response, "status": "in_progress"})
        for index, item in enumerate(items):
            for kind in ("response.output_item.added", "response.output_item.done"):
                self._event(reply, kind, output_index=index, item=item)
        done = {**response, "status": "completed", "output": items, "usage": USAGE}
        self._event(reply, "response.completed", response=done)

    @staticmethod
    def _event(reply: Reply, kind: str, **fields: Any) -> None:
        reply.event({"type": kind, **fields}, kind)


def _items(said: Text | Tools, number: int, body: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(said, Text):
        content = [{"type": "output_text", "text": said.text, "annotations": []}]
        message = {"type": "message", "id": f"msg_mock_{number}", "role": "assistant"}
        return [{**message, "status": "completed", "content": content}]
    return [
        {"type": "function_call", "id": f"fc_mock_{number}_{index}", "status": "completed"}
        | {"call_id": f"call_mock_{number}_{index}", **_function(call.name)}
        | {"arguments": json.dumps(call.arguments(body))}
        for index, call in enumerate(said.calls)
    ]


def _function(name: str) -> dict[str, str]:
    """A function's name, with its namespace if it has one (`multi_agent_v1.spawn_agent`)."""
    namespace, _, function = name.rpartition(".")
    return {"name": function, **({"namespace": namespace} if namespace else {})}
