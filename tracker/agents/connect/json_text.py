"""JSON with the place of everything in its text, so that an edit can leave the rest as it is.

Stricter than `json.loads`: RFC 8259 to the letter, and what is ambiguous (a name twice in an
object) is refused, since whoever else reads the file may read it differently.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

# Configuration that is nested deeper, nobody has written.
_MAX_DEPTH: Final = 100

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SCALAR: Final = re.compile(
    r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
    r"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
    r"|true|false|null"
)


class NotPlainJson(Exception):
    """The text is not JSON, or not unambiguous; the exception's text says why and in which line."""


@dataclass(slots=True)
class Node:
    """A value: where it begins and ends in the text. Of an object the `members`, of an array the
    `items`; other values have neither."""

    value: Any
    start: int
    end: int
    members: list[Member] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    @property
    def children(self) -> list[tuple[int, int]]:
        """Where each item begins and ends, or each member, its name included."""
        if isinstance(self.value, dict):
            return [(member.start, member.node.end) for member in self.members]
        return [(item.start, item.end) for item in self.items]

    def member(self, name: str) -> Node | None:
        """The value under a name of this object."""
        return next((member.node for member in self.members if member.name == name), None)


@dataclass(slots=True)
class Member:
    """A name and its value; `start`: of the name."""

    name: str
    start: int
    node: Node


def parse(text: str) -> Node:
    """Raises NotPlainJson."""
    reader = _Reader(text)
    node = reader.read(reader.skip(0), 0)
    if reader.skip(node.end) != len(text):
        raise reader.error("something follows the end", reader.skip(node.end))
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def error(self, what: str, at: int) -> NotPlainJson:
        line = self._text.count("\n", 0, at) + 1
        if self._text[at : at + 2] in ("//", "/*"):
            what = "a comment, which JSON does not have"
        return NotPlainJson(f"line {line}: {what}")

    def skip(self, at: int) -> int:
        """The next place that is no white space."""
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def read(self, at: int, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise self.error("nested too deeply", at)
        match self._text[at : at + 1]:
            case "{":
                return self._object(at, depth)
            case "[":
                return self._array(at, depth)
        found = _SCALAR.match(self._text, at)
        if found is None:
            raise self.error("no JSON value", at)
        try:
            value = json.loads(found[0])
        except ValueError:  # more digits than Python reads
            raise self.error("a number that is too long", at) from None
        return Node(value, at, found.end())

    def _object(self, start: int, depth: int) -> Node:
        node = Node({}, start, start)
        at = self.skip(start + 1)
        while self._text[at : at + 1] != "}" or node.members:
            name = self.read(at, depth)
            if not isinstance(name.value, str):
                raise self.error("a name in quotes is missing", at)
            if name.value in node.value:
                raise self.error(f"the name {json.dumps(name.value)} is there twice", at)
            at = self.skip(name.end)
            if self._text[at : at + 1] != ":":
                raise self.error("a colon is missing", at)
            inner = self.read(self.skip(at + 1), depth + 1)
            node.value[name.value] = inner.value
            node.members.append(Member(name.value, name.start, inner))
            at, ended = self._after_child(inner.end, "}")
            if ended:
                break
        node.end = at + 1
        return node

    def _array(self, start: int, depth: int) -> Node:
        node = Node([], start, start)
        at = self.skip(start + 1)
        while self._text[at : at + 1] != "]" or node.items:
            inner = self.read(at, depth + 1)
            node.value.append(inner.value)
            node.items.append(inner)
            at, ended = self._after_child(inner.end, "]")
            if ended:
                break
        node.end = at + 1
        return node

    def _after_child(self, at: int, closing: str) -> tuple[int, bool]:
        """Where the next child begins, or where the closing bracket is."""
        at = self.skip(at)
        found = self._text[at : at + 1]
        if found == closing:
            return at, True
        if found != ",":
            raise self.error(f"a comma or {closing} is missing", at)
        following = self.skip(at + 1)
        if self._text[following : following + 1] == closing:
            raise self.error("a comma after the last one", at)
        return following, False
