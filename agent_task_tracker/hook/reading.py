"""Reads an agent's payload, whatever it is."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import time

from agent_task_tracker.light_typing import Any, Final

MAX_BYTES: Final = 8 * 1024 * 1024

# Seconds after which an agent that does not close the pipe is taken at what it has written.
_PATIENCE: Final = 2.0

# What is looked for where the whole cannot be read: who it is, and what happened.
_KNOWN: Final = (
    *("session_id", "sessionId", "conversation_id", "taskId", "prompt_id", "turn_id"),
    *("hook_event_name", "hookEventName", "hookName", "tool_name", "tool_use_id"),
    *("agent_id", "agent_type", "cwd", "permission_mode"),
)
_LOOKED_AT: Final = 64 * 1024


def read_input() -> bytes:
    """All of standard input, but no more than one byte beyond the limit. Nothing if there is none,
    or a terminal."""
    parts: list[bytes] = []
    left = MAX_BYTES + 1
    with contextlib.suppress(OSError, ValueError):  # closed
        if os.isatty(0):
            return b""
        end = time.monotonic() + _PATIENCE
        while left and _is_ready(end):
            part = os.read(0, min(left, 1 << 20))
            if not part:
                break
            parts.append(part)
            left -= len(part)
    return b"".join(parts)


def _is_ready(end: float) -> bool:
    if os.name == "nt":  # there is no waiting for a pipe
        return True
    poll = select.poll()
    poll.register(0, select.POLLIN)
    return bool(poll.poll(max(0, end - time.monotonic()) * 1000))


def parse(content: bytes) -> tuple[dict[str, Any], bool]:
    """The payload, and whether it is whole: of what cannot be read it is only what is known."""
    if len(content) <= MAX_BYTES:
        with contextlib.suppress(ValueError, RecursionError):
            payload = json.loads(content, parse_constant=str)
            if isinstance(payload, dict):
                return payload, True
    text = content[:_LOOKED_AT].decode("utf-8", "replace")
    return {name: value for name in _KNOWN if (value := _value(text, name)) is not None}, False


def _value(text: str, name: str) -> str | None:
    """The first plain text of that name."""
    found = re.search(rf'(?<!\\)"{name}"\s*:\s*"([^"\\\x00-\x1f]{{1,1000}})"', text)
    return None if found is None else found[1]
