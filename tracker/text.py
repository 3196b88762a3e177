"""Untrusted text, made safe to show: control and invisible characters become escapes such as
`\\x1b`, so that a terminal obeys nothing in it and a reader sees all of it.

Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

# Surrogates; interlinear annotation; the controls of C0 and C1, DEL, the separators of lines and
# paragraphs. The rest is what DerivedCoreProperties.txt of Unicode 16 lists, assigned or not, as
# Default_Ignorable_Code_Point (all of Bidi_Control but U+061C, 200E, 200F, 202A-202E, 2066-2069,
# which stand here too, is in it), and the format controls of Egyptian hieroglyphs.
_UNSAFE: Final = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufff9-\ufffb\u2028\u2029"
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff\U00013430-\U0001343f"
)

# Line breaks and tabs, which stay where a text may have several lines.
_LAYOUT: Final = r"\n\t"

# Not `[…]+`: `re` searches faster for a pattern that begins with a set.
_UNSAFE_RUN: Final = re.compile(f"[{_UNSAFE}{_LAYOUT}][{_UNSAFE}{_LAYOUT}]*")
_UNSAFE_RUN_IN_LINES: Final = re.compile(f"[{_UNSAFE}][{_UNSAFE}]*")

# Emoji and several scripts need these. Kept only right after a visible character, and not in runs:
# whole messages have been hidden in those.
_JOINERS: Final = re.compile("[\ufe0e\ufe0f]?[\u200c\u200d]?")


def is_unicode(text: str) -> bool:
    """Whether it is text: arguments and names of files that are not UTF-8 have lone surrogates in
    the places of their bytes (PEP 383)."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def printable(text: object) -> str:
    """`text` in one line, its control and invisible characters escaped."""
    return _UNSAFE_RUN.sub(_escaping(_escape), str(text))


def printable_lines(text: object) -> str:
    """Likewise, but line breaks and tabs stay."""
    return _UNSAFE_RUN_IN_LINES.sub(_escaping(_escape), str(text))


def json_line(value: Any) -> str:
    """`value` as one line of JSON that is safe to show, and means the same."""
    return json_printable(json.dumps(value, ensure_ascii=False, default=str))


def json_printable(text: str) -> str:
    """JSON that is safe to show, and means the same. Its line breaks and tabs stay."""
    return _UNSAFE_RUN_IN_LINES.sub(_escaping(_json_escape), text)


def _escaping(escape: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
    def shown(run: re.Match[str]) -> str:
        text, (begin, end) = run.string, run.span()
        is_seen = begin > 0 and not text[begin - 1].isspace()
        joined = _JOINERS.match(text, begin, end) if is_seen else None
        kept = joined[0] if joined else ""
        return kept + "".join(map(escape, text[begin + len(kept) : end]))

    return shown


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1]
