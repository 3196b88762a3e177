"""Gemini CLI's payloads (docs/agents/translation.md). It names neither turns nor calls of tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tracker.agents import tools
from tracker.agents.reader import Fields, moment
from tracker.agents.steps import (
    Asked,
    Prompted,
    Reading,
    SessionBegan,
    SessionEnded,
    Step,
    TurnEnded,
)
from tracker.agents.texts import first_line, text_of

# PreCompress comes before every turn, whether anything is compressed or not.
_SILENT: Final = frozenset({"BeforeModel", "AfterModel", "BeforeToolSelection", "PreCompress"})


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    fields = Fields(payload)
    steps = _STEPS.get(fields.event)
    return Reading(
        session=fields.required("session_id"),
        event=fields.event,
        steps=() if steps is None else steps(fields),
        is_known=steps is not None or fields.event in _SILENT,
        at=moment(fields.get("timestamp")),
        cwd=fields.text("cwd"),
    )


def _before_tool(fields: Fields) -> tuple[Step, ...]:
    return (tools.began(fields.text("tool_name"), fields.get("tool_input"), "", _cwd(fields)),)


def _after_tool(fields: Fields) -> tuple[Step, ...]:
    error = fields.within("tool_response").get("error")
    told = first_line(Fields(error).text("message") or text_of(error))
    tool, given = fields.text("tool_name"), fields.get("tool_input")
    return (tools.ended(tool, given, "", _cwd(fields), told),)


def _notification(fields: Fields) -> tuple[Step, ...]:
    """It asks before it calls the tool, so the call is its answer."""
    if fields.text("notification_type") != "ToolPermission":
        return ()
    details = fields.within("details")
    what = details.first("command", "fileName", "filePath", "toolName", "title")
    asks = f"Allow {first_line(what)}?" if what else fields.text("message")
    return (Asked(asks or "A person is needed"),)


def _after_agent(fields: Fields) -> tuple[Step, ...]:
    return (TurnEnded(fields.text("prompt_response"), title=first_line(fields.text("prompt"))),)


def _cwd(fields: Fields) -> str:
    return fields.text("cwd")


_STEPS: Final[Mapping[str, Callable[[Fields], tuple[Step, ...]]]] = {
    "SessionStart": lambda _: (SessionBegan(),),
    "SessionEnd": lambda _: (SessionEnded(),),
    "BeforeAgent": lambda fields: (Prompted(fields.text("prompt")),),
    "AfterAgent": _after_agent,
    "BeforeTool": _before_tool,
    "AfterTool": _after_tool,
    "Notification": _notification,
}
