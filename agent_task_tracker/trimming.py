"""Texts within the server's limits."""

from __future__ import annotations

from typing import Final

# The server's limit on a stack trace (the API document's 10KB), in bytes of UTF-8.
MAX_STACK_TRACE_BYTES: Final = 10_240


def trim_stack_trace(text: str, limit: int = MAX_STACK_TRACE_BYTES) -> str:
    """`text` within `limit` bytes of UTF-8: if need be its head and its tail, where a trace says
    how it came about and what went wrong. No character is cut in two."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    note = f"\n... {len(encoded)} bytes, the middle left out ...\n"
    room = limit - len(note)
    head = encoded[: room // 2].decode("utf-8", "ignore")
    tail = encoded[-(room - room // 2) :].decode("utf-8", "ignore")
    return head + note + tail


def cut(text: str, limit: int) -> str:
    """`text` in `limit` characters, ending with an ellipsis if it was longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
