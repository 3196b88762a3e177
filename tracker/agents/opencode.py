"""What our plugin in opencode forwards: hooks of plugins, and events of its bus
(docs/agents/translation.md). A sub-agent has a session of its own, which names its parent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from tracker.agents import tools
from tracker.agents.reader import Fields, moment
from tracker.agents.steps import (
    Answered,
    Asked,
    Prompted,
    Reading,
    Replied,
    Said,
    SessionBegan,
    SessionEnded,
    Step,
    SubagentBegan,
    TurnEnded,
    TurnFailed,
    TurnInterrupted,
)
from tracker.agents.texts import first_line, signature, tool_line

# The tool that starts a sub-agent.
_TASK: Final = "task"

# How a turn fails that its user stopped.
_ABORTED: Final = "MessageAbortedError"

# The title of a sub-agent's session.
_SUBAGENT = re.compile(r"(.*?) \(@(\S+) subagent\)")

_SILENT: Final = frozenset({"session.updated", "session.diff", "message.part.delta"})


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    fields = Fields(payload)
    hook, event = fields.text("hook"), fields.within("event")
    name = event.text("type") if hook == "event" else hook
    told = fields
    if hook == "event" and isinstance(event.get("properties"), dict):
        told = Fields({**event.get("properties"), "directory": fields.text("directory")})
    steps = _STEPS.get(name)
    info = told.within("info")
    return Reading(
        session=_session(told, info),
        event=name,
        steps=() if steps is None else steps(told),
        is_known=steps is not None or name in _SILENT,
        turn=_turn(name, told, info),
        subagent=("", told.within("output", "message").text("agent")),
        parent=info.text("parentID") if name.startswith("session.") else "",
        at=moment(fields.get("at")),
        cwd=fields.text("directory"),
        model=told.within("output", "message", "model").text("modelID"),
    )


def _session(told: Fields, info: Fields) -> str:
    """Empty of what is of none: an error outside of sessions, the end of opencode itself."""
    return (
        told.text("sessionID")
        or told.within("input").text("sessionID")
        or told.within("part").text("sessionID")
        or info.first("sessionID", "id")
    )


def _turn(name: str, told: Fields, info: Fields) -> str:
    """The message of its user that a turn answers."""
    if name == "chat.message":
        return told.within("output", "message").text("id")
    return info.text("parentID") if name == "message.updated" else ""


def _created(told: Fields) -> tuple[Step, ...]:
    info = told.within("info")
    if not info.text("parentID"):
        return (SessionBegan(),)
    title = _SUBAGENT.fullmatch(info.text("title"))
    asked, kind = title.groups() if title is not None else (info.text("title"), "")
    return (SubagentBegan(info.text("id"), kind, asked),)


def _prompt(told: Fields) -> tuple[Step, ...]:
    parts = [
        part.text("text")
        for part in told.within("output").each("parts")
        if part.text("type") == "text" and part.get("synthetic") is not True
    ]
    return (Prompted("\n".join(filter(None, parts))),)


def _tool_began(told: Fields) -> tuple[Step, ...]:
    call, given = told.within("input"), told.within("output").get("args")
    of = Fields(given)
    starts = (of.text("subagent_type"), of.text("description"))
    tool = call.text("tool")
    is_start = tool == _TASK
    id_, folder = call.text("callID"), _folder(told)
    return (tools.began(tool, given, id_, folder, starts if is_start else None),)


def _tool_ended(told: Fields) -> tuple[Step, ...]:
    call = told.within("input")
    code = told.within("output", "metadata").get("exit")
    error = f"exit code {code}" if isinstance(code, int) and code else ""
    given = call.get("args")
    return (tools.ended(call.text("tool"), given, call.text("callID"), _folder(told), error),)


def _part(told: Fields) -> tuple[Step, ...]:
    """Of a message: a text that is complete, or a tool's failure, which no hook is called for."""
    part = told.within("part")
    if part.text("type") == "text" and part.within("time").get("end") is not None:
        return (Replied(part.text("text")),)
    state = part.within("state")
    if part.text("type") != "tool" or state.text("status") != "error":
        return ()
    error = first_line(state.text("error")) or "no reason given"
    tool, given = part.text("tool"), state.get("input")
    return (tools.ended(tool, given, part.text("callID"), _folder(told), error),)


def _message(told: Fields) -> tuple[Step, ...]:
    error = told.within("info").get("error")
    return () if error is None else _failed(Fields(error))


def _failed(error: Fields) -> tuple[Step, ...]:
    if error.text("name") == _ABORTED:
        return (TurnInterrupted(),)
    message = error.within("data").text("message") or error.text("message")
    return (TurnFailed(error.text("name") or "error", message),)


def _status(told: Fields) -> tuple[Step, ...]:
    status = told.within("status")
    if status.text("type") == "idle":
        return (TurnEnded(begins=False),)
    if status.text("type") != "retry":
        return ()
    return (Said(f"Tries again: {first_line(status.text('message'))}"),)


def _permission(told: Fields) -> tuple[Step, ...]:
    """An event, or, from a hook, in `input`: there another plugin may have answered."""
    if told.within("output").text("status") in ("allow", "deny"):
        return ()
    asked = told if told.text("id") else told.within("input")
    what = asked.first("permission", "type")
    given = asked.get("patterns") or asked.get("pattern")
    metadata = asked.get("metadata")
    line = tool_line(what, metadata, _folder(told))
    if line == what and given:
        line = tool_line(what, {"pattern": given}, _folder(told))
    text = asked.text("title") or line or "a tool"
    return (_asked(f"Allow {text}?", asked.text("id")),)


def _question(told: Fields) -> tuple[Step, ...]:
    questions = [one.text("question") for one in told.each("questions")]
    return (_asked(" ".join(filter(None, questions)) or "A question", told.text("id")),)


def _asked(text: str, id_: str) -> Asked:
    return Asked(text, id_, signature("request", id_) if id_ else "")


def _answered(told: Fields) -> tuple[Step, ...]:
    id_ = told.first("requestID", "permissionID")
    return (Answered(id_, signature("request", id_) if id_ else ""),)


def _todos(told: Fields) -> tuple[Step, ...]:
    todos = (one for one in told.each("todos") if one.text("status") == "in_progress")
    return tuple(Said(f"Task: {first_line(one.text('content'))}") for one in islice(todos, 1))


def _folder(told: Fields) -> str:
    return told.text("directory")


_STEPS: Final[Mapping[str, Callable[[Fields], tuple[Step, ...]]]] = {
    "session.created": _created,
    "session.deleted": lambda _: (SessionEnded(),),
    "session.idle": lambda _: (TurnEnded(begins=False),),
    "session.status": _status,
    "session.error": lambda told: _failed(told.within("error")),
    "session.compacted": lambda _: (Said("Compacted the conversation"),),
    "message.updated": _message,
    "message.part.updated": _part,
    "permission.asked": _permission,
    "permission.updated": _permission,
    "permission.ask": _permission,
    "permission.replied": _answered,
    "question.asked": _question,
    "question.replied": _answered,
    "question.rejected": _answered,
    "todo.updated": _todos,
    "chat.message": _prompt,
    "tool.execute.before": _tool_began,
    "tool.execute.after": _tool_ended,
    "dispose": lambda _: (SessionEnded(),),
}
