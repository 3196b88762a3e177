"""Claude Code's payloads, and their form, which other agents have taken over
(docs/agents/translation.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from tracker.agents import tools
from tracker.agents.reader import Fields, moment
from tracker.agents.steps import (
    Answered,
    Asked,
    Idle,
    Prompted,
    Reading,
    Said,
    SessionBegan,
    SessionEnded,
    Step,
    SubagentBegan,
    SubagentEnded,
    TurnEnded,
    TurnFailed,
    TurnInterrupted,
    Woken,
)
from tracker.agents.texts import first_line, signature, text_of, tool_line

Steps = Mapping[str, Callable[[Fields], tuple[Step, ...]]]

# Tools that ask their user, and wait for the answer.
_ASKING: Final = frozenset({"AskUserQuestion", "ExitPlanMode"})

# Tools that start a sub-agent: the former name is `Task`, Codex's is `spawn_agent`.
_STARTING: Final = frozenset({"Agent", "Task", "spawn_agent"})

# Notifications that say that a person is needed now.
_NEEDING: Final = frozenset({"permission_prompt", "elicitation_dialog", "elicitation_url_dialog"})

# Events that say nothing of tasks.
_SILENT: Final = frozenset(
    {
        *("Setup", "UserPromptExpansion", "MessageDisplay", "InstructionsLoaded"),
        *("ConfigChange", "CwdChanged", "DirectoryAdded", "FileChanged", "TeammateIdle"),
        *("PreModelSwitch", "PostModelSwitch", "PreSkillShellCommand", "WorktreeRemove"),
    }
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    other = _runs_our_hooks(payload)
    if other:
        event = f"{Fields(payload).event} ({other})"
        return Reading(session="", event=event, steps=())
    return read_as(payload)


def read_as(
    payload: Mapping[str, Any], more: Steps | None = None, silent: Collection[str] = ()
) -> Reading:
    """A payload of this form. `more`: what further events come to, or the same ones; `silent`:
    those that say nothing of tasks. Raises ValidationFailed."""
    fields = Fields(payload)
    event = fields.event
    steps = (more or {}).get(event) or _STEPS.get(event)
    return Reading(
        session=fields.required("session_id"),
        event=event,
        steps=() if steps is None else steps(fields),
        is_known=steps is not None or event in _SILENT or event in silent,
        turn=fields.text("prompt_id") or fields.text("turn_id"),
        subagent=(fields.text("agent_id"), fields.text("agent_type")),
        at=moment(fields.get("timestamp")),
        cwd=fields.text("cwd"),
        model=fields.text("model"),
    )


def _runs_our_hooks(payload: Mapping[str, Any]) -> str:
    """The name of the program, if it is another one that runs the hooks of Claude Code's settings:
    it has a connection of its own, and would be told of twice."""
    if "cursor_version" in payload:
        return "cursor"
    # Claude Code names its transcript in each payload, `SESSION.jsonl`, and has no time in any.
    transcript = payload.get("transcript_path")
    is_its = isinstance(transcript, str) and transcript.endswith(
        ("/events.jsonl", "\\events.jsonl")
    )
    if "timestamp" in payload and (transcript is None or is_its):
        return "copilot"
    return ""


def _session_start(fields: Fields) -> tuple[Step, ...]:
    if fields.text("source") == "compact":
        return ()
    return (SessionBegan(fields.text("model"), fields.text("source") != "resume"),)


def _prompted(fields: Fields) -> tuple[Step, ...]:
    """By its user, or by what it has left running in the background."""
    prompt = fields.text("prompt")
    if not prompt.startswith("<task-notification>"):
        return (Prompted(prompt),)
    summary, closed, _ = prompt.partition("<summary>")[2].partition("</summary>")
    return (Woken(summary if closed else prompt),)


def tool_began(fields: Fields) -> tuple[Step, ...]:
    """That a tool is called, and what it asks, if it does."""
    tool, given = fields.text("tool_name"), fields.get("tool_input")
    call = fields.text("tool_use_id")
    told = Fields(given)
    kind = told.first("subagent_type", "agent_type") or "default"
    starts = (kind, first_line(told.first("description", "prompt", "message")))
    is_start = tool in _STARTING
    began = tools.began(tool, given, call, fields.text("cwd"), starts if is_start else None)
    if tool not in _ASKING:
        return (began,)
    return (began, Asked(_request(tool, told), call, signature(tool, given)))


def _request(tool: str, told: Fields) -> str:
    if tool == "ExitPlanMode":
        plan = first_line(told.text("plan"))
        return f"Approve the plan: {plan}" if plan else "Approve the plan"
    return question(told)


def question(told: Fields) -> str:
    """What is asked, by the input of the tool that asks."""
    questions = [one.text("question") for one in told.each("questions")]
    return " ".join(filter(None, questions)) or told.text("question") or "A question"


def _tool_ended(fields: Fields) -> tuple[Step, ...]:
    tool, given = fields.text("tool_name"), fields.get("tool_input")
    error = first_line(text_of(fields.get("error")))
    if fields.event == "PostToolUseFailure" and not error:
        error = "no reason given"
    ended = tools.ended(tool, given, fields.text("tool_use_id"), fields.text("cwd"), error)
    if fields.get("is_interrupt") is True:
        return (ended, TurnInterrupted())
    return (ended,)


def _batch_ended(fields: Fields) -> tuple[Step, ...]:
    """A call that was refused has no other end."""
    return tuple(
        tools.ended(one.text("tool_name"), one.get("tool_input"), one.text("tool_use_id"), "")
        for one in fields.each("tool_calls")
    )


def _permission(fields: Fields) -> tuple[Step, ...]:
    tool, given = fields.text("tool_name"), fields.get("tool_input")
    line = tool_line(tool, given, fields.text("cwd"))
    return (Asked(f"Allow {line}?", signature=signature(tool, given)),)


def _permission_denied(fields: Fields) -> tuple[Step, ...]:
    tool, given = fields.text("tool_name"), fields.get("tool_input")
    line = tool_line(tool, given, fields.text("cwd"))
    reason = first_line(fields.text("reason"))
    said = f"{line} was denied{f': {reason}' if reason else ''}"
    return (Answered(fields.text("tool_use_id"), signature(tool, given)), Said(said))


def _notification(fields: Fields) -> tuple[Step, ...]:
    kind = fields.text("notification_type")
    if kind in _NEEDING:
        return (Asked(fields.text("message") or "A person is needed"),)
    return (Idle(),) if kind == "idle_prompt" else ()


def _elicitation(fields: Fields) -> tuple[Step, ...]:
    server, message = fields.text("mcp_server_name"), fields.text("message")
    return (Asked(f"{server}: {message}", _elicited(fields)),)


def _elicited(fields: Fields) -> str:
    return f"elicitation {fields.text('mcp_server_name')}"


def _stop(fields: Fields) -> tuple[Step, ...]:
    names = [
        one.text("description") or one.text("command") or one.text("id")
        for one in fields.each("background_tasks")
        if one.text("status") in ("running", "pending", "")
    ]
    in_background = f"In the background: {first_line(', '.join(names))}" if names else ""
    return (TurnEnded(fields.text("last_assistant_message"), in_background),)


def _stop_failure(fields: Fields) -> tuple[Step, ...]:
    message = fields.text("last_assistant_message") or fields.text("error_details")
    return (TurnFailed(text_of(fields.get("error")) or "StopFailure", message),)


def _subagent_stop(fields: Fields) -> tuple[Step, ...]:
    result = fields.text("last_assistant_message")
    return (SubagentEnded(fields.text("agent_id"), fields.text("agent_type"), result),)


_STEPS: Final[Steps] = {
    "SessionStart": _session_start,
    "SessionEnd": lambda _: (SessionEnded(),),
    "UserPromptSubmit": _prompted,
    "PreToolUse": tool_began,
    "PostToolUse": _tool_ended,
    "PostToolUseFailure": _tool_ended,
    "PostToolBatch": _batch_ended,
    "PermissionRequest": _permission,
    "PermissionDenied": _permission_denied,
    "Notification": _notification,
    "Elicitation": _elicitation,
    "ElicitationResult": lambda fields: (Answered(_elicited(fields)),),
    "SubagentStart": lambda fields: (
        SubagentBegan(fields.text("agent_id"), fields.text("agent_type")),
    ),
    "SubagentStop": _subagent_stop,
    "TaskCreated": lambda fields: (Said(f"Task: {first_line(fields.text('task_subject'))}"),),
    "TaskCompleted": lambda fields: (Said(f"Done: {first_line(fields.text('task_subject'))}"),),
    "WorktreeCreate": lambda _: (Said("Made a worktree"),),
    "PreCompact": lambda _: (Said("Compacting the conversation"),),
    "PostCompact": lambda _: (Said("Compacted the conversation"),),
    "Stop": _stop,
    "StopFailure": _stop_failure,
    "Interrupt": lambda _: (TurnInterrupted(),),
}
