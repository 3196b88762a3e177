"""GitHub Copilot CLI's payloads, in either of its forms: Claude Code's, where the hook's event is
written as `PostToolUse`, and its own, where it is `postToolUse` (docs/agents/translation.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tracker.agents import claude_code, tools
from tracker.agents.claude_code import Steps
from tracker.agents.reader import Fields
from tracker.agents.steps import Reading, Said, Step, SubagentBegan, TurnFailed
from tracker.agents.texts import first_line, text_of
from tracker.domain.parsing import parse
from tracker.errors import TrackerError

# What its own form calls the fields of Claude Code's.
_FIELDS: Final = {
    "sessionId": "session_id",
    "toolName": "tool_name",
    "toolArgs": "tool_input",
    "toolResult": "tool_result",
    "initialPrompt": "initial_prompt",
    "agentName": "agent_name",
    "stopReason": "stop_reason",
    "transcriptPath": "transcript_path",
    "notificationType": "notification_type",
    "lastAssistantMessage": "last_assistant_message",
    "resultType": "result_type",
    "textResultForLlm": "text_result_for_llm",
}

# Its events by what only they have: its own form does not name them.
_MARKS: Final = (
    ("notification_type", "Notification"),
    ("tool_result", "PostToolUse"),
    ("tool_name", "PreToolUse"),
    ("agent_name", "SubagentStart"),
    ("prompt", "UserPromptSubmit"),
    ("stop_reason", "Stop"),
    ("source", "SessionStart"),
    ("reason", "SessionEnd"),
)
_SILENT: Final = ("userPromptTransformed",)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    told = {_FIELDS.get(name, name): value for name, value in payload.items()}
    fields = Fields(told)
    told["hook_event_name"] = fields.event or _event(fields)
    given = told.get("tool_input")
    if isinstance(given, str):
        told["tool_input"] = _parsed(given)
    result = told.get("tool_result")
    if isinstance(result, dict):
        told["tool_result"] = {_FIELDS.get(name, name): value for name, value in result.items()}
    if fields.text("session_id"):
        return claude_code.read_as(told, _STEPS, _SILENT)
    reading = claude_code.read_as({**told, "session_id": "-"}, _STEPS, _SILENT)
    return reading._replace(session="", is_of_process=True)


def _event(fields: Fields) -> str:
    if isinstance(fields.get("error"), dict):
        return "ErrorOccurred"
    return next((event for mark, event in _MARKS if fields.get(mark) is not None), "")


def _parsed(given: str) -> Any:
    """Arguments are JSON within a text."""
    try:
        return parse(given.encode())
    except TrackerError:
        return given


def _tool(fields: Fields) -> tuple[Step, ...]:
    """That a tool is called is not told: a hook before it could deny it."""
    result = fields.within("tool_result")
    error = text_of(fields.get("error")) or (
        result.text("text_result_for_llm") or "failed"
        if result.text("result_type") in ("failure", "denied")
        else ""
    )
    tool, given = fields.text("tool_name"), fields.get("tool_input")
    return tools.called(tool, given, "", fields.text("cwd"), first_line(error))


def _error(fields: Fields) -> tuple[Step, ...]:
    """It may try again."""
    error = fields.within("error")
    message = error.text("message")
    if fields.get("recoverable") is True:
        return (Said(f"{error.text('name') or 'Error'}: {first_line(message)}"),)
    return (TurnFailed(error.text("name") or "error", message),)


def _subagent(fields: Fields) -> tuple[Step, ...]:
    """Without an id, its end could not be told from others'."""
    kind = fields.first("agent_type", "agent_name")
    if fields.text("agent_id"):
        return (SubagentBegan(fields.text("agent_id"), kind),)
    return (Said(f"Started the sub-agent {kind}"),)


_STEPS: Final[Steps] = {
    "PostToolUse": _tool,
    "PostToolUseFailure": _tool,
    "ErrorOccurred": _error,
    "SubagentStart": _subagent,
}
