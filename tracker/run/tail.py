"""The end of a stream of bytes, as a person at a terminal would have read it."""

from __future__ import annotations

import re
import threading
import time
from typing import Final, NamedTuple

# Bytes of a stream that are kept.
KEPT: Final = 64 * 1024

# Characters of a line that are looked at.
_MAX_LINE: Final = 4096

# Sequences of ECMA-48 that a terminal obeys: CSI, then the strings (OSC, DCS, SOS, PM, APC), which
# may be cut off, then those of two or three characters.
_SEQUENCE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)

# Controls but tabs, backspaces and line breaks; separators of lines; changes of direction.
_CONTROL: Final = re.compile(
    "[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff"
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)


class Lines(NamedTuple):
    """What was new at a stream: lines that are complete, and the one that is not, if nothing came
    after it for a while."""

    complete: list[str]
    begun: str


class Tail:
    """Keeps the last 64 KiB of a stream. One thread adds, others look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = bytearray()
        self._total = 0
        self._seen = 0
        self._seen_begun = 0
        self.touched = 0.0  # when something came, on the monotonic clock

    def add(self, data: bytes) -> None:
        """Bytes that came."""
        with self._lock:
            self._bytes += data
            self._total += len(data)
            self.touched = time.monotonic()
            if len(self._bytes) > 2 * KEPT:
                del self._bytes[:-KEPT]

    def text(self) -> str:
        """All that is kept, in lines as they ended up on the screen."""
        text = readable(self._kept(KEPT).decode("utf-8", "replace"))
        return "\n".join(_last_layer(line) for line in text.split("\n"))

    def new_lines(self, *, is_end: bool = False) -> Lines:
        """The lines that came since the last time; a line ends with a return too, as those of
        progress bars do. Nothing comes twice but a line that was not complete. `is_end`: nothing
        more will come."""
        with self._lock:
            new = self._total - self._seen
            self._seen = self._total
            kept = bytes(self._bytes[-KEPT:])
        # One that was not complete the last time has its beginning before what is new.
        old = max(0, len(kept) - new)
        begin = max(kept.rfind(b"\n", 0, old), kept.rfind(b"\r", 0, old))
        *complete, begun = re.split(r"[\r\n]+", kept[begin + 1 :].decode("utf-8", "replace"))
        if self._seen_begun == self._seen or (new and not is_end):
            begun = ""
        else:
            self._seen_begun = self._seen
        return Lines([one_line(line) for line in complete], one_line(begun))

    def _kept(self, size: int) -> bytes:
        with self._lock:
            return bytes(self._bytes[-size:])


def one_line(text: str) -> str:
    """A line as it is read: what a terminal obeys is left out, blanks around it too."""
    return readable(text[:_MAX_LINE]).strip()


def readable(text: str) -> str:
    """`text` without what a terminal obeys, but for line breaks, returns and tabs."""
    text = _CONTROL.sub("", _SEQUENCE.sub("", text))
    return _erased(text) if "\b" in text else text


def _erased(text: str) -> str:
    """Backspaces take a character back, as spinners do."""
    shown: list[str] = []
    for character in text:
        if character != "\b":
            shown.append(character)
        elif shown and shown[-1] != "\n":
            shown.pop()
    return "".join(shown)


def _last_layer(line: str) -> str:
    """A line that was written over again and again, as it was left."""
    return line.rstrip("\r").rpartition("\r")[2]
