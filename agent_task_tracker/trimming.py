"""Texts within the server's limits."""

from __future__ import annotations

from agent_task_tracker.light_typing import Final

# The server's limit on a stack trace (the API document's 10KB), in bytes of UTF-8.
MAX_STACK_TRACE_BYTES: Final = 10_240

# The most that is said in place of the middle.
_NOTE_BYTES: Final = 40


def trim_stack_trace(text: str, limit: int = MAX_STACK_TRACE_BYTES) -> str:
    """`text` within `limit` bytes of UTF-8: if need be its head and its tail, where a trace says
    how it came about and what went wrong. No character is cut in two."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return head_and_tail(encoded, encoded, len(encoded), limit)


def head_and_tail(head: bytes, tail: bytes, size: int, limit: int) -> str:
    """What `head` begins with and `tail` ends with, within `limit` bytes of UTF-8. `size`: of the
    whole, of which the middle is left out. No character is cut in two."""
    room = limit - _NOTE_BYTES
    note = f"\n... {size - room} bytes left out ...\n"
    first = head[: room // 2].decode("utf-8", "ignore")
    last = tail[-(room - room // 2) :].decode("utf-8", "ignore")
    return first + note + last


def cut(text: str, limit: int) -> str:
    """`text` in `limit` characters, ending with an ellipsis if it was longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
