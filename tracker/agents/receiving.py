"""From what a hook sends to what the store is handed: which agents there are, and what of a payload
is the same for all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tracker.agents import (
    aider,
    claude_code,
    cline,
    codex,
    copilot,
    cursor,
    gemini_cli,
    goose,
    opencode,
    qwen_code,
    traces,
)
from tracker.agents.otlp import genai
from tracker.agents.otlp.genai import Work
from tracker.agents.reader import Fields
from tracker.agents.session import end_process, hear, interpret, settle
from tracker.agents.session_tasks import Context
from tracker.agents.steps import Reading, SessionEnded
from tracker.agents.telling import Source, Telling
from tracker.agents.texts import as_name, shorten
from tracker.domain.hooks import UNNAMED, Interpreted, Payload, Place, Process, State
from tracker.domain.limits import MAX_NAME
from tracker.errors import TrackerError, ValidationFailed

logger = logging.getLogger(__name__)

Reader = Callable[[Mapping[str, Any]], Reading]

READERS: Final[Mapping[str, Reader]] = {
    "claude-code": claude_code.read,
    "codex": codex.read,
    "opencode": opencode.read,
    "gemini-cli": gemini_cli.read,
    "copilot": copilot.read,
    "cursor": cursor.read,
    "qwen-code": qwen_code.read,
    "cline": cline.read,
    "goose": goose.read,
    "aider": aider.read,
}
"""By the agents' names."""

TELEMETRY: Final = "telemetry"
"""What exports count as."""

FRAMEWORKS: Final = "frameworks"
"""Whose payloads spans of agents count as."""

_MAX_EVENT: Final = 100
_MAX_PATH: Final = 4096


def receive(agent: str, content: Mapping[str, Any], told: Mapping[str, Any]) -> Payload:
    """A payload of one of `READERS`; `told`: what its hook adds, all of it optional, `at` being
    milliseconds since the epoch; a time in the payload itself is more exact. Raises
    ValidationFailed: it should be of a session, and names none, or cannot be read; so does what
    the payload is interpreted with."""
    with _refused(agent):
        reading = READERS[agent](content)
    context = Fields(told)
    given = told.get("at")
    at = reading.at if reading.at is not None or not isinstance(given, int) else given
    process = _process(context)
    place = Place(
        _bounded(context, "host"),
        _bounded(context, "worktree")
        or shorten(reading.cwd, _MAX_PATH)
        or _bounded(context, "cwd"),
        _bounded(context, "remote"),
    )
    shown = {
        "host": place.host,
        "cwd": shorten(reading.cwd, _MAX_PATH) or _bounded(context, "cwd"),
        "branch": _bounded(context, "branch"),
        "remote": place.remote,
    }
    metadata = {name: value for name, value in shown.items() if value}

    def interpreted(
        known: State | None, of: str, project: str, subagent: str, now: int
    ) -> Interpreted:
        where = Context(agent, of, project, at, metadata)
        with _refused(agent):
            return interpret(where, reading, subagent, known, now)

    return Payload(
        agent,
        as_name(_session(reading, process, place)),
        as_name(reading.parent),
        shorten(reading.event, _MAX_EVENT),
        reading.is_known,
        at,
        place,
        process,
        interpreted,
        ends_process=not reading.session and SessionEnded() in reading.steps,
    )


def process_ended(agent: str, session: str, project: str, known: State, now: int) -> Interpreted:
    """What it comes to that the process of a session is gone. Raises ValidationFailed: that cannot
    be worked out."""
    with _refused(agent):
        return end_process(Context(agent, session, project, None, {}), known, now)


def telemetry_waited(agent: str, session: str, project: str, known: State, now: int) -> Interpreted:
    """What it comes to that telemetry of a session has waited for long enough. Raises
    ValidationFailed: that cannot be worked out."""
    with _refused(agent):
        return settle(Context(agent, session, project, None, {}), known, now)


def receive_telemetry(source: Source, told: list[Telling], now: int) -> Payload:
    """What telemetry tells of a session of an agent that can be plugged in."""

    def interpreted(
        known: State | None, of: str, project: str, subagent: str, now: int
    ) -> Interpreted:
        with _refused(source.agent):
            mine = [one._replace(subagent=one.subagent or subagent) for one in told]
            return hear(Context(source.agent, of, project, None, {}), mine, known, now)

    at = max(one.at for one in told)
    return Payload(
        *(source.agent, source.session, "", TELEMETRY, True, min(at, now), Place(), None),
        interpreted,
        project=source.project,
    )


def receive_trace(trace: str, works: Sequence[Work], now: int) -> Payload:
    """What spans of a trace tell of runs of agents."""

    def interpreted(known: State | None, _of: str, project: str, *_: object) -> Interpreted:
        with _refused(FRAMEWORKS):
            return traces.interpret(project, works, known, now)

    return Payload(
        *(FRAMEWORKS, as_name(trace), "", TELEMETRY, True, now, Place(), None),
        interpreted,
        project=genai.project(works[0].span),
        records=len(works),
    )


def counted_only(agent: str, event: str, count: int) -> Payload:
    """What comes to nothing: so many of this kind."""

    def nothing(known: State | None, *_: object) -> Interpreted:
        return Interpreted([], known or {}, lives=False, busy=[])

    return Payload(agent, "", "", event, True, None, Place(), None, nothing, records=count)


@contextmanager
def _refused(agent: str) -> Iterator[None]:
    """What nobody has thought of is refused, and told to the log: answered by a 500, the hook would
    send it for ever, and what comes after it would wait."""
    try:
        yield
    except TrackerError:
        raise
    except Exception:
        logger.exception("A payload of %s has failed to be read.", agent)
        raise ValidationFailed(
            f"The tracker has failed to read this payload of {agent}; its log says why. Update the "
            "tracker, then send it again."
        ) from None


def _session(reading: Reading, process: Process | None, place: Place) -> str:
    """Of an agent that names none: a session for each of its processes, else for each folder. The
    host is part of names that another one has too."""
    if reading.session and reading.is_of_host and place.host:
        return f"{reading.session}@{place.host}"
    if reading.session or not reading.is_of_process:
        return reading.session
    if process is not None:
        return f"{process.pid}-{process.started}"
    return place.folder or UNNAMED


def _bounded(context: Fields, name: str) -> str:
    return shorten(context.text(name), _MAX_PATH)


def _process(context: Fields) -> Process | None:
    pid = context.get("pid")
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid < 2**31:
        return None
    boot_id, namespace = context.text("boot_id"), context.text("pid_namespace")
    started = context.text("started")
    if not (boot_id and started):
        return None
    return Process(boot_id[:MAX_NAME], namespace[:MAX_NAME], pid, started[:MAX_NAME])
