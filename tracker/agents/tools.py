"""Calls of tools as steps, which most agents tell in much the same way."""

from __future__ import annotations

from tracker.agents.steps import Step, ToolBegan, ToolEnded
from tracker.agents.texts import signature, tool_line


def began(
    tool: str, given: object, call: str, cwd: str, starts: tuple[str, str] | None = None
) -> ToolBegan:
    """It is called with this input; see `ToolBegan`."""
    return ToolBegan(call, signature(tool, given), tool_line(tool, given, cwd), starts)


def ended(tool: str, given: object, call: str, cwd: str, error: str = "") -> ToolEnded:
    """It is through; see `ToolEnded`."""
    return ToolEnded(call, signature(tool, given), tool_line(tool, given, cwd), error)


def called(tool: str, given: object, call: str, cwd: str, error: str = "") -> tuple[Step, ...]:
    """It was called and is through: of agents that tell of a call when it is over."""
    end = ended(tool, given, call, cwd, error)
    return (end,) if error else (began(tool, given, call, cwd), end)
