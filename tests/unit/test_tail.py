"""The last lines of a stream, as a person would have read them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.run.tail import KEPT, Lines, Tail, one_line, readable


def tail(*parts: bytes) -> Tail:
    made = Tail()
    for part in parts:
        made.add(part)
    return made


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://h\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;cut off", ""),
        ("\x1bPdata\x1b\\text", "text"),
        ("\x1b(Btext\x1b7\x1b[?25l", "text"),
        ("spin |\b/\b-\b\\\bdone", "spin done"),
        ("\b\b\bx", "x"),
        ("a\x00b\x07c\x7fd\u202ee\u200ef\ufeffg", "abcdefg"),
        ("\ttab and  blanks  ", "tab and  blanks"),
        ("日本 🚀 é", "日本 🚀 é"),
    ],
)
def test_what_a_terminal_obeys_is_left_out(written: str, read: str) -> None:
    assert one_line(written) == read


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    left = readable(text)
    assert not {c for c in left if unicodedata.category(c) == "Cc"} - {"\n", "\r", "\t"}


def test_lines_as_they_come() -> None:
    made = tail(b"one\ntw")
    assert made.new_lines() == Lines(["one"], "")
    made.add(b"o\r 40%\r 41%")
    assert made.new_lines() == Lines(["two", "40%"], "")
    assert made.new_lines() == Lines([], "41%")  # nothing came after it
    assert made.new_lines() == Lines([], "")
    made.add(b" done\r\n\r\n")
    assert made.new_lines() == Lines(["41% done"], "")


def test_the_end_needs_no_line_break() -> None:
    assert tail(b"one\ntwo").new_lines(is_end=True) == Lines(["one"], "two")


def test_a_character_in_two_parts() -> None:
    made = tail("é".encode()[:1])
    made.new_lines()
    made.add("é".encode()[1:] + b"\n")
    assert made.new_lines().complete == ["é"]


def test_what_is_no_utf8_is_replaced() -> None:
    assert tail(b"\xff\xfea\n").new_lines().complete == ["\ufffd\ufffda"]


def test_a_line_without_end_costs_bounded_memory() -> None:
    made = Tail()
    for _ in range(100):
        made.add(b"x" * KEPT)
    assert len(made.text()) == KEPT
    assert made.new_lines(is_end=True).begun == "x" * 4096


def test_lines_that_were_written_over_are_kept_as_they_were_left() -> None:
    assert tail(b"start\r\n 1%\r 2%\r100%\nend\r").text() == "start\n100%\nend"


@given(
    st.lists(
        st.binary(max_size=30).map(lambda part: part.replace(b"\b", b"").replace(b"\x1b", b""))
    )
)
def test_every_complete_line_comes_once(parts: list[bytes]) -> None:
    made, seen = Tail(), []
    for part in parts:
        made.add(part)
        seen += made.new_lines().complete
    whole = tail(b"".join(parts)).new_lines().complete
    assert [line for line in seen if line] == [line for line in whole if line]


@given(st.lists(st.text(alphabet="ab\n\r", max_size=9)))
def test_one_that_waits_is_told_once(parts: list[str]) -> None:
    made, told = Tail(), []
    for part in parts:
        made.add(part.encode())
        made.new_lines()
        told.append(made.new_lines().begun)
        assert made.new_lines() == Lines([], "")
    assert all(
        not part or part[-1] in "\r\n" or text for part, text in zip(parts, told, strict=True)
    )
