"""A mock of the Gemini API, which Gemini CLI speaks."""

from __future__ import annotations

from typing import Any

from tests.support.real_agents.model import Model, Reply, Said
from tests.support.real_agents.turns import Fail, Text, Tools

USAGE = {
    **{"promptTokenCount": 1320, "cachedContentTokenCount": 1000},
    **{"candidatesTokenCount": 34, "totalTokenCount": 1354},
}


class GeminiModel(Model):
    """POST …:generateContent, …:streamGenerateContent and …:countTokens."""

    def said(self, body: dict[str, Any]) -> list[Said]:
        found = []
        for content in body.get("contents", []):
            by_user = content.get("role") == "user"
            texts = [part["text"] for part in content["parts"] if "text" in part]
            found.append(Said(by_user, "\n".join(texts)))
        return found

    def is_turn(self, path: str) -> bool:
        return path.endswith((":generateContent", ":streamGenerateContent"))

    def other(self, path: str) -> object | None:
        return {"totalTokens": 100} if path.endswith(":countTokens") else None

    def failure(self, turn: Fail) -> object:
        error = {"code": turn.status, "status": turn.kind.upper(), "message": turn.message}
        return {"error": error}

    def say(self, reply: Reply, path: str, said: Text | Tools, body: dict[str, Any]) -> None:
        parts: list[dict[str, Any]] = (
            [{"text": said.text}]
            if isinstance(said, Text)
            else [
                {"functionCall": {"name": call.name, "args": call.arguments(body)}}
                for call in said.calls
            ]
        )
        content = {"role": "model", "parts": parts}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        answer = {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "mock"}
        if path.endswith(":generateContent"):
            reply.json(answer)
        else:
            reply.begin_stream()
            reply.event(answer)
