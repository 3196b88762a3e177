"""Servers that are no tracker, and characters that a terminal must never be sent."""

from __future__ import annotations

import json
import re
import socket
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from tests.support import raw

# DerivedCoreProperties.txt of Unicode 16: Default_Ignorable_Code_Point.
DEFAULT_IGNORABLE = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5)),
    *((0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164)),
    *((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8)),
    *((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)

# Format controls that are seen: signs over or around numbers in Arabic, Syriac and Kaithi
# (Prepended_Concatenation_Mark).
VISIBLE = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"

UNSAFE = {
    *(
        character
        for character in map(chr, range(0x110000))
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ),
    *(chr(code) for first, last in DEFAULT_IGNORABLE for code in range(first, last + 1)),
} - set(VISIBLE)

# A variation selector and one joiner are allowed after a visible character.
_JOINED = re.compile(r"(\S)[\ufe0e\ufe0f]?[\u200c\u200d]?")

# All unsafe characters that a report may hold, but only some of the 4,096 tags and variations: text
# that bypasses `printable` is noticed wherever it ends up.
ALL_UNSAFE = "".join(
    character
    for character in sorted(UNSAFE - {"\0"} - set(map(chr, range(0xD800, 0xE000))))
    if ord(character) < 0xE0000 or ord(character) % 64 < 2
)
SAMPLE = (
    "seen\x1b]0;title\x07\x9b2J\u202eback\U000e0041\U000e0100\u3164\u034f\u200d\u200d\rover\nnext"
)


def unsafe_characters(shown: str) -> set[str]:
    """The characters in a command's output that a terminal would obey or not show, except line
    breaks."""

    def joined(match: re.Match[str]) -> str:
        return match[0] if match[1] in UNSAFE else match[1]

    return set(_JOINED.sub(joined, shown)) & (UNSAFE - {"\n"})


Answer = bytes | Iterable[bytes]


@contextmanager
def listening(answer: Callable[[str, str], Answer]) -> Iterator[str]:
    """A server, by its address. `answer`: the response to a method and a target, in pieces that are
    sent for as long as the client reads."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError, ValueError):
            head, _, _ = _receive(connection).partition(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            sent = answer(method, target)
            for piece in [sent] if isinstance(sent, bytes) else sent:
                connection.sendall(piece)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def ok(body: bytes) -> bytes:
    """An answer with this body."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


def as_json(content: Any) -> bytes:
    """An answer of this JSON; lone surrogates are escapes in it."""
    return ok(json.dumps(content).encode())


def _receive(connection: socket.socket) -> bytes:
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if end and len(body) >= (int(length[1]) if length else 0):
            return received
        received += raw.receive(connection)
