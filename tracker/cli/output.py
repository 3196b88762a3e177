"""How commands print: text that cannot play tricks on a terminal, JSON lines, tables."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# What terminals obey: controls, ends of lines, changes of direction, and what cannot be seen. The
# joiners U+200C and U+200D stay: emoji and several scripts are written with them.
_OBEYED = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff\U000e0001-\U000e007f]"
)

# Where output is no terminal, in characters: wide enough not to cut names short.
_WIDTH_OF_A_FILE = 240


def printable(text: object, keep: str = "") -> str:
    """What an agent wrote, without what a terminal obeys: escape sequences, line breaks, changes
    of direction. They show as `\\x1b`. Characters in `keep` stay."""
    return _OBEYED.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), str(text))


def print_json(value: Any) -> None:
    """One line of JSON in UTF-8, whatever the locale; nothing in it is obeyed by a terminal."""
    line = _OBEYED.sub(
        lambda match: json.dumps(match[0])[1:-1], json.dumps(value, ensure_ascii=False)
    )
    print_utf8(f"{line}\n")


def print_utf8(text: str) -> None:
    """Text for programs and files: UTF-8, whatever the locale."""
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def console() -> Console:
    """For people: colours on a terminal, unless NO_COLOR; nothing in a text is taken for markup."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    return Console(markup=False, emoji=False, highlight=False, width=width)


def local_time(timestamp: str | None) -> str:
    """The API's UTC time as the user's own."""
    if timestamp is None:
        return ""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """3723.4 as `1h 02m 03s`."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
