"""Cursor's payloads, of the editor and of cursor-agent (docs/agents/translation.md). None of them
says that it waits for a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tracker.agents import tools
from tracker.agents.reader import Fields
from tracker.agents.steps import (
    Prompted,
    Reading,
    Replied,
    Said,
    SessionBegan,
    SessionEnded,
    Step,
    SubagentBegan,
    SubagentEnded,
    TurnEnded,
    TurnFailed,
    TurnInterrupted,
)
from tracker.agents.texts import first_line, text_of

_SILENT: Final = frozenset(
    {
        *("beforeReadFile", "beforeTabFileRead", "afterTabFileEdit", "afterAgentThought"),
        # The same calls as preToolUse and postToolUse.
        *("beforeShellExecution", "afterShellExecution", "beforeMCPExecution"),
        *("afterMCPExecution", "afterFileEdit"),
    }
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    fields = Fields(payload)
    steps = _STEPS.get(fields.event)
    return Reading(
        session=fields.required("conversation_id", "session_id"),
        event=fields.event,
        steps=() if steps is None else steps(fields),
        is_known=steps is not None or fields.event in _SILENT,
        turn=fields.text("generation_id"),
        cwd=_folder(fields),
        model=fields.text("model"),
    )


def _folder(fields: Fields) -> str:
    return next(iter(fields.texts("workspace_roots")), "") or fields.text("cwd")


def _tool_began(fields: Fields) -> tuple[Step, ...]:
    tool, given = fields.text("tool_name"), fields.get("tool_input")
    return (tools.began(tool, given, fields.text("tool_use_id"), _folder(fields)),)


def _tool_ended(fields: Fields) -> tuple[Step, ...]:
    """That it is called is told only then: a hook before it could deny it."""
    tool, given = fields.text("tool_name"), fields.get("tool_input")
    error = ""
    if fields.event == "postToolUseFailure":
        error = fields.text("error_message") or text_of(fields.get("error"))
        error = first_line(error or fields.text("failure_type")) or "no reason given"
    call = fields.text("tool_use_id")
    if fields.get("is_interrupt") is True:
        return (tools.ended(tool, given, call, _folder(fields), error), TurnInterrupted())
    return tools.called(tool, given, call, _folder(fields), error)


def _stop(fields: Fields) -> tuple[Step, ...]:
    status = fields.text("status")
    if status == "aborted":
        return (TurnInterrupted(),)
    if status == "error":
        return (TurnFailed("error", fields.first("error_message", "error")),)
    return (TurnEnded(),)


def _subagent_began(fields: Fields) -> tuple[Step, ...]:
    kind = fields.text("subagent_type")
    if not fields.text("subagent_id"):
        return (Said(f"Started the sub-agent {kind}"),)
    return (SubagentBegan(fields.text("subagent_id"), kind, fields.text("task")),)


def _subagent_ended(fields: Fields) -> tuple[Step, ...]:
    kind, result = fields.text("subagent_type"), fields.first("summary", "result")
    if not fields.text("subagent_id"):
        return (Said(f"The sub-agent {kind} is done"),)
    return (SubagentEnded(fields.text("subagent_id"), kind, result),)


_STEPS: Final[Mapping[str, Callable[[Fields], tuple[Step, ...]]]] = {
    "sessionStart": lambda fields: (SessionBegan(fields.text("model")),),
    "sessionEnd": lambda _: (SessionEnded(),),
    "beforeSubmitPrompt": lambda fields: (Prompted(fields.text("prompt")),),
    "preToolUse": _tool_began,
    "postToolUse": _tool_ended,
    "postToolUseFailure": _tool_ended,
    "afterAgentResponse": lambda fields: (Replied(fields.text("text")),),
    "preCompact": lambda _: (Said("Compacting the conversation"),),
    "subagentStart": _subagent_began,
    "subagentStop": _subagent_ended,
    "stop": _stop,
}
