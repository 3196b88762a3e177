"""A mock of Anthropic's Messages API: Claude Code's, and opencode's by its base URL."""

from __future__ import annotations

import json
from typing import Any

from tests.support.real_agents.model import Model, Reply, Said
from tests.support.real_agents.turns import Fail, Text, Tools

USAGE = {"input_tokens": 120, "output_tokens": 34}
CACHE = {"cache_read_input_tokens": 1000, "cache_creation_input_tokens": 200}


class AnthropicModel(Model):
    """POST /v1/messages, streamed or not, and /v1/messages/count_tokens."""

    def said(self, body: dict[str, Any]) -> list[Said]:
        found = []
        for message in body.get("messages", []):
            content = message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            text = "\n".join(part["text"] for part in parts if part["type"] == "text")
            if message["role"] in ("user", "assistant"):  # there are "system" ones in between
                found.append(Said(message["role"] == "user", text))
        return found

    def is_turn(self, path: str) -> bool:
        return path.endswith("/messages")

    def other(self, path: str) -> object | None:
        return {"input_tokens": 100} if path.endswith("/count_tokens") else None

    def failure(self, turn: Fail) -> object:
        return {"type": "error", "error": {"type": turn.kind, "message": turn.message}}

    def say(self, reply: Reply, path: str, said: Text | Tools, body: dict[str, Any]) -> None:
        number = len(self.requests)
        blocks = _blocks(said, number, body)
        reason = "end_turn" if isinstance(said, Text) else "tool_use"
        message = {
            **{"id": f"msg_mock_{number}", "type": "message", "role": "assistant"},
            **{"model": body.get("model", "mock"), "content": [], "stop_sequence": None},
            **{"stop_reason": None, "usage": {**USAGE, **CACHE}},
        }
        if not body.get("stream"):
            reply.json({**message, "content": blocks, "stop_reason": reason})
            return
        reply.begin_stream()
        self._event(reply, "message_start", message=message)
        for index, block in enumerate(blocks):
            _stream_block(reply, index, block)
        stopped = {"stop_reason": reason, "stop_sequence": None}
        self._event(reply, "message_delta", delta=stopped, usage=USAGE)
        self._event(reply, "message_stop")

    @staticmethod
    def _event(reply: Reply, kind: str, **fields: Any) -> None:
        reply.event({"type": kind, **fields}, kind)


def _blocks(said: Text | Tools, number: int, body: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(said, Text):
        return [{"type": "text", "text": said.text}]
    return [
        {"type": "tool_use", "id": f"toolu_mock_{number}_{index}", "name": call.name}
        | {"input": call.arguments(body)}
        for index, call in enumerate(said.calls)
    ]


def _stream_block(reply: Reply, index: int, block: dict[str, Any]) -> None:
    if block["type"] == "text":
        empty: dict[str, Any] = {**block, "text": ""}
        delta = {"type": "text_delta", "text": block["text"]}
    else:
        empty = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    for kind, fields in (
        ("content_block_start", {"content_block": empty}),
        ("content_block_delta", {"delta": delta}),
        ("content_block_stop", {}),
    ):
        reply.event({"type": kind, "index": index, **fields}, kind)
