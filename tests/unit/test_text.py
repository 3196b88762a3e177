"""What others wrote, made fit to be shown: nothing obeyed, nothing unseen, nothing lost."""

from __future__ import annotations

import io
import json
import logging
import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.foreign import (
    ALL_UNSAFE,
    DEFAULT_IGNORABLE,
    UNSAFE,
    VISIBLE,
    unsafe_characters,
)
from tracker.cli.output import standard_output
from tracker.server.logs import JsonFormatter, TextFormatter
from tracker.text import json_line, json_printable, printable, printable_lines

# Any text, and texts of little but what is hidden.
texts = st.text() | st.text(st.sampled_from("a \U0001f469\u4e2d\n\t" + ALL_UNSAFE), max_size=20)


def test_nothing_hidden_passes_alone() -> None:
    """Of Unicode as this Python knows it, by category, and of the default-ignorables as listed."""
    passing = {c for c in UNSAFE if printable(c) == c}
    assert passing == set()
    assert printable(VISIBLE) == VISIBLE


def test_nothing_hidden_passes_behind_a_character_but_joiners_and_two_variations() -> None:
    assert {c for c in UNSAFE if printable(f"a{c}") == f"a{c}"} == set("\u200c\u200d\ufe0e\ufe0f")


def test_what_is_seen_passes() -> None:
    ignorable = {chr(code) for first, last in DEFAULT_IGNORABLE for code in range(first, last + 1)}
    changed = {c for c in map(chr, range(0x110000)) if printable(c) != c}
    assert changed >= UNSAFE | ignorable
    # Of a newer Unicode than this Python's.
    assert {unicodedata.category(character) for character in changed - UNSAFE} <= {"Cn"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Обычный текст, 日本語, नमस्ते", "Обычный текст, 日本語, नमस्ते"),
        ("👩‍💻 ❤️‍🔥 1️⃣ ✔︎ می‌خواهم", "👩‍💻 ❤️‍🔥 1️⃣ ✔︎ می‌خواهم"),
        ("a\u200d\u200db", "a\u200d\\u200db"),
        ("a\ufe0f\ufe0fb", "a\ufe0f\\ufe0fb"),
        ("a\u200d\ufe0fb", "a\u200d\\ufe0fb"),
        (" \u200d\n\u200d", r" \u200d\n\u200d"),
        ("\u200da", r"\u200da"),
        ("\u202e\u200da", r"\u202e\u200da"),
        ("a\u200d\U000e0041\u200d", "a\u200d\\U000e0041\\u200d"),
        ("🏴\U000e0067\U000e007f", r"🏴\U000e0067\U000e007f"),
        ("a\u2028b\x00c\ud800\r\t", r"a\u2028b\x00c\ud800\r\t"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(texts)
def test_any_text_is_shown_in_one_line(text: str) -> None:
    shown = printable(text)
    assert unsafe_characters(shown) == set()
    assert "\n" not in shown
    assert printable(shown) == shown


@given(texts)
def test_any_text_is_shown_in_its_lines(text: str) -> None:
    shown = printable_lines(text)
    assert unsafe_characters(shown) <= {"\t"}
    assert shown.count("\n") == text.count("\n")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_json_is_shown_and_means_the_same(value: object) -> None:
    line = json_line(value)
    assert unsafe_characters(line) == set()
    assert "\n" not in line
    assert json.loads(line) == value
    spread = json_printable(json.dumps(value, indent=1, ensure_ascii=False))
    assert unsafe_characters(spread) == set()
    assert json.loads(spread) == value


def record(message: str, *args: object, error: Exception | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, None)
    return logging.LogRecord("tracker.test", logging.ERROR, __file__, 1, message, args, info)


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
@given(text=texts)
def test_a_record_of_the_log_is_one_line(
    formatter: Callable[[], logging.Formatter], text: str
) -> None:
    line = formatter().format(record("GET %s failed", text))
    assert unsafe_characters(line) == set()
    assert "\n" not in line


@pytest.mark.parametrize("text", ["", "one", "two\nlines", "\x1b[2J", "\x85\u2028next"])
def test_no_line_of_a_traceback_looks_like_one_of_the_log(text: str) -> None:
    said = f"no{text}\n2026-01-01T00:00:00.000Z INFO Listening on http://evil"
    shown = TextFormatter().format(record("It failed", error=ValueError(said)))
    first, *rest = shown.split("\n")
    assert first.endswith("ERROR It failed")
    assert rest
    assert all(line.startswith("  ") for line in rest)
    assert unsafe_characters(shown) == set()
    entry = json.loads(JsonFormatter().format(record("It failed", error=ValueError(said))))
    assert said in entry["exception"]


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [_Terminal, io.TextIOWrapper])
def test_records_are_made_safe_for_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, kind: type[io.TextIOWrapper]
) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", kind(shown, "ascii"))
    with standard_output(json_printable) as file:
        file.write(f'{{"a": "\u202e{ALL_UNSAFE[40:]}"}}\n')
    text = shown.getvalue().decode()
    assert json.loads(text) == {"a": f"\u202e{ALL_UNSAFE[40:]}"}
    assert (unsafe_characters(text) == set()) == (kind is _Terminal)
