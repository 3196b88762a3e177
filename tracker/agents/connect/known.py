"""The agents that can be connected."""

from __future__ import annotations

from tracker.agents.connect.aider import Aider
from tracker.agents.connect.base import Agent
from tracker.agents.connect.claude_code import ClaudeCode
from tracker.agents.connect.cline import Cline
from tracker.agents.connect.codex import Codex
from tracker.agents.connect.copilot import Copilot
from tracker.agents.connect.cursor import Cursor
from tracker.agents.connect.gemini_cli import GeminiCli
from tracker.agents.connect.goose import Goose
from tracker.agents.connect.opencode import OpenCode
from tracker.agents.connect.qwen_code import QwenCode


def known_agents() -> dict[str, Agent]:
    """Each by its name."""
    agents: list[Agent] = [
        *(ClaudeCode(), Codex(), OpenCode(), GeminiCli()),
        *(Copilot(), Cursor(), QwenCode(), Cline(), Goose(), Aider()),
    ]
    return {agent.name: agent for agent in agents}
