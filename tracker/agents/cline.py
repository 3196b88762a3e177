"""Cline's payloads (docs/agents/translation.md). Its task is our session: it goes on when its user
answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tracker.agents import tools
from tracker.agents.reader import Fields, moment
from tracker.agents.steps import (
    Prompted,
    Reading,
    Said,
    SessionBegan,
    Step,
    TurnEnded,
    TurnInterrupted,
)
from tracker.agents.texts import first_line

# What it puts around a prompt.
_TAGS = re.compile(r"</?(?:task|feedback|user_message|answer)>")


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    fields = Fields(payload)
    event = fields.text("hookName")
    steps = _STEPS.get(event)
    return Reading(
        session=fields.required("taskId"),
        event=event,
        steps=() if steps is None else steps(fields),
        is_known=steps is not None,
        at=moment(fields.get("timestamp")),
        cwd=_folder(fields),
        model=fields.within("model").text("slug"),
    )


def _folder(fields: Fields) -> str:
    return next(iter(fields.texts("workspaceRoots")), "")


def _prompt(fields: Fields) -> tuple[Step, ...]:
    return (Prompted(_TAGS.sub("", fields.within("userPromptSubmit").text("prompt")).strip()),)


def _tool_began(fields: Fields) -> tuple[Step, ...]:
    told = fields.within("preToolUse")
    return (tools.began(told.text("toolName"), told.get("parameters"), "", _folder(fields)),)


def _tool_ended(fields: Fields) -> tuple[Step, ...]:
    """That it is called is told only then: Cline asks the hook before it for leave."""
    told = fields.within("postToolUse")
    error = (first_line(told.text("result")) or "failed") if told.get("success") is False else ""
    return tools.called(told.text("toolName"), told.get("parameters"), "", _folder(fields), error)


_STEPS: Final[Mapping[str, Callable[[Fields], tuple[Step, ...]]]] = {
    "TaskStart": lambda _: (SessionBegan(),),  # its prompt comes as any other
    "TaskResume": lambda _: (SessionBegan(),),
    "TaskCancel": lambda _: (TurnInterrupted(),),
    "TaskComplete": lambda _: (TurnEnded(),),
    "UserPromptSubmit": _prompt,
    "PreToolUse": _tool_began,
    "PostToolUse": _tool_ended,
    "PreCompact": lambda _: (Said("Compacting the conversation"),),
}
