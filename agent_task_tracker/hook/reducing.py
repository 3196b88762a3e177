"""Makes of an agent's payload what may be kept and sent: secrets masked, what is long cut."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Iterable

from agent_task_tracker.hook_request import encode
from agent_task_tracker.light_typing import Any, Final
from agent_task_tracker.masking import BEGIN_KEY, END_KEY, MASK, Masking, is_secret
from agent_task_tracker.trimming import head_and_tail

MAX_TEXT: Final = 8192
"""Of one text, in bytes of UTF-8."""

MAX_PAYLOAD: Final = 880_000
"""Of all of it, in bytes: the server takes a little more."""

# Of a text: so much is looked at beyond what is kept, for a secret may begin there.
_MARGIN: Final = 8192

# What is tried until the whole is small enough: bytes of a text, and values in all. The last fits
# in any case, even if each character has to be escaped.
_LEAST: Final = 64
_LEVELS: Final = ((MAX_TEXT, 20_000), (2048, 5_000), (512, 2_000), (_LEAST, 800))

# Texts up to here are kept however many there are; of longer ones there is so much in all.
_SHORT: Final = 256
_LONG_TEXTS: Final = 400_000

# Seconds; an agent waits. Short texts among the first values, its ids and names, are told in any
# case.
_PATIENCE: Final = 0.08
_FIRST: Final = 200

_MAX_DEPTH: Final = 40
_LEFT_OUT: Final = "..."

_KEY: Final = "-----BEGIN PRIVATE KEY-----"

_PAIRS: Final = ("name", "key")


class Reduced:
    """An agent's payload, reduced. `is_cut`: something is left out."""

    def __init__(
        self, payload: dict[str, Any], masking: Masking, patience: float = _PATIENCE
    ) -> None:
        """`patience`: seconds after which texts are left out."""
        self.is_cut = False
        end = time.monotonic() + patience
        for text, values in _LEVELS:
            reduction = _Reduction(masking, text, values, end)
            # The next only cuts more.
            masking, end = _Masked(), math.inf
            payload = reduction.of_object(payload, 0, hidden=False)
            self.is_cut |= reduction.is_cut
            self.content = encode(payload)
            if len(self.content) <= MAX_PAYLOAD:
                break
        self.payload = payload


class _Masked(Masking):
    """Of texts that are masked already."""

    def __init__(self) -> None:
        super().__init__({})

    def text(self, text: str) -> str:
        """See `Masking`."""
        return text

    def words(self, words: Iterable[str]) -> list[str]:
        """See `Masking`."""
        return list(words)


class _Reduction:
    def __init__(self, masking: Masking, max_text: int, max_values: int, end: float) -> None:
        self._mask, self._words = masking.text, masking.words
        self._max_text = max_text
        self._values_left = max_values
        self._values_after_first = max_values - _FIRST
        self._end = end
        self._long_left = _LONG_TEXTS
        self._secret_names: dict[str, bool] = {}
        self.is_cut = False

    def of_object(self, value: dict[str, Any], depth: int, *, hidden: bool) -> dict[str, Any]:
        reduced: dict[str, Any] = {}
        pair = next((value[name] for name in _PAIRS if isinstance(value.get(name), str)), None)
        has_secret = pair is not None and self._is_secret(pair[:_SHORT])
        # What an agent says of itself, ids and names, before what is long.
        for name, item in value.items() if depth else sorted(value.items(), key=_is_long):
            if not self._has_room():
                break
            shown = self._text(name, min(_SHORT, self._max_text))
            is_secret_one = self._is_secret(shown) or (has_secret and name == "value")
            reduced[shown] = self._of(item, depth + 1, hidden=hidden or is_secret_one)
        return reduced

    def _of(self, value: object, depth: int, *, hidden: bool) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            value = str(value)
        if isinstance(value, str):
            return (value and MASK) if hidden else self._text(value, self._max_text)
        if isinstance(value, dict | list):
            if depth > _MAX_DEPTH:
                self.is_cut = True
                return _LEFT_OUT
            if isinstance(value, dict):
                return self.of_object(value, depth, hidden=hidden)
            return self._of_list(value, depth, hidden=hidden)
        return value

    def _of_list(self, value: list[Any], depth: int, *, hidden: bool) -> list[Any]:
        if len(value) > self._values_left:
            value = value[: self._values_left]
            self.is_cut = True
        self._values_left -= len(value)
        if not hidden and value and all(isinstance(item, str) for item in value):
            return self._of_texts(value)
        return [self._of(item, depth + 1, hidden=hidden) for item in value]

    def _of_texts(self, texts: list[str]) -> list[str]:
        """They may be the words of a command line, or the lines of a file."""
        if not any(len(text) > _SHORT or _begins_key(text) for text in texts):
            told = itertools.takewhile(lambda _: self._has_time(), texts)
            words = self._words(map(_mended, told))
            self.is_cut |= len(words) < len(texts)
            return [self._fitting(word.encode(), self._max_text) for word in words]
        masked: list[str] = []
        is_key = False
        for text in texts:
            begins = _begins_key(text)
            masked.append(MASK if is_key and not begins else self._text(text, self._max_text))
            is_key = (is_key or begins) and END_KEY not in text.rpartition("-----BEGIN ")[2]
        return masked

    def _text(self, text: str, limit: int) -> str:
        if not self._has_time(is_short=len(text) <= _SHORT):
            self.is_cut = True
            return _LEFT_OUT
        text = _mended(text)
        if len(text) > _SHORT:
            if self._long_left <= 0:
                return self._beginning(text)
            self._long_left -= min(len(text), limit)
        if len(text) <= limit + 2 * _MARGIN:
            return self._fitting(self._mask(text).encode(), limit)
        self.is_cut = True
        # In the midst of a word may be half a secret, which nobody would know for one.
        ends = re.match(r"(?s).*[\s,]", text[limit : limit + _MARGIN])
        head = self._mask(text[: limit + (ends.end() if ends else _MARGIN)])
        rest = _next_line(text, len(text) - limit - _MARGIN)
        start = text.rfind("-----BEGIN ", 0, rest)
        goes_on = start >= 0 and _begins_key(text[start : start + 80])
        before = _KEY if goes_on and text.find(END_KEY, start, rest) < 0 else ""
        tail = self._mask(before + text[rest:])
        return head_and_tail(head.encode(), tail.encode(), len(text.encode()), limit)

    def _fitting(self, masked: bytes, limit: int) -> str:
        if len(masked) <= limit:
            return masked.decode()
        self.is_cut = True
        return head_and_tail(masked, masked, len(masked), limit)

    def _has_time(self, *, is_short: bool = False) -> bool:
        is_first = is_short and self._values_left >= self._values_after_first
        return is_first or time.monotonic() < self._end

    def _beginning(self, text: str) -> str:
        """Without looking at all of it: there are many such texts."""
        self.is_cut = True
        head = self._mask(text[: 2 * _SHORT]).encode()
        return head_and_tail(head, b"", len(text), _LEAST)

    def _has_room(self) -> bool:
        self._values_left -= 1
        if self._values_left < 0:
            self.is_cut = True
            return False
        return True

    def _is_secret(self, name: str) -> bool:
        known = self._secret_names.get(name)
        if known is None:
            known = self._secret_names[name] = is_secret(name)
        return known


def _is_long(item: tuple[str, Any]) -> bool:
    value = item[1]
    return isinstance(value, dict | list) or (isinstance(value, str) and len(value) > _SHORT)


def _next_line(text: str, at: int) -> int:
    """Where a line begins, or if they are long at least a word."""
    line = text.find("\n", at, at + _MARGIN // 2)
    if line >= 0:
        return line + 1
    space = re.compile(r"[\s,]|\Z").search(text, at)
    return len(text) if space is None else space.start()


def _mended(text: str) -> str:
    """A surrogate alone is no character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _begins_key(text: str) -> bool:
    return "PRIVATE KEY" in text and re.search(BEGIN_KEY, text) is not None
