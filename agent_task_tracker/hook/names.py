"""What an agent's payload names: its event, its session, where it works. Agents name these in their
own ways; what an event means is the server's to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent_task_tracker.light_typing import Any, Final

_EVENTS: Final = ("hook_event_name", "hookEventName", "hookName", "hook", "event", "type")
_SESSIONS: Final = (
    "session_id",
    "sessionId",
    "sessionID",
    "conversation_id",
    "taskId",
    "thread-id",
)
_FOLDERS: Final = ("cwd", "directory", "workspace_roots", "workspaceRoots")

# Parts of events about tools, files and messages on their way: there are many, and a session can be
# told without them.
_PASSING: Final = ("tool", "file", "shell", "mcp", "display", "delta", "part", "model", "thought")

# Tools that wait for a person.
_QUESTIONS: Final = ("AskUserQuestion", "ExitPlanMode")


def event(payload: Mapping[str, Any]) -> str:
    """The event's name; empty: it has none."""
    named = _first(payload, _EVENTS)
    inner = payload.get("event")
    if isinstance(inner, dict):  # opencode's
        named = _first(inner, ("type",)) or named
    return named


def session(payload: Mapping[str, Any]) -> str:
    """The session's id; empty: the payload names none."""
    return next((found for part in _parts(payload) if (found := _first(part, _SESSIONS))), "")


def folder(payload: Mapping[str, Any]) -> str:
    """Where the agent works; empty: the payload does not say."""
    for name in _FOLDERS:
        value = payload.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value:
            return value
    return ""


def is_vital(payload: Mapping[str, Any]) -> bool:
    """Whether a session cannot be told without it: not what tells of tools, unless they ask a
    person."""
    if payload.get("tool_name") in _QUESTIONS:
        return True
    name = event(payload).lower()
    return not any(part in name for part in _PASSING) or "permission" in name


def _parts(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The payload, and for opencode's what is inside."""
    yield payload
    inner = payload.get("event")
    for part in (payload.get("input"), inner):
        if isinstance(part, dict):
            yield part
    properties = inner.get("properties") if isinstance(inner, dict) else None
    if isinstance(properties, dict):
        yield properties
        info = properties.get("info")
        if isinstance(info, dict):
            yield info
            if isinstance(info.get("id"), str):  # a session's own events name it so
                yield {"session_id": info["id"]}


def _first(of: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((of[name] for name in names if isinstance(of.get(name), str)), "")
