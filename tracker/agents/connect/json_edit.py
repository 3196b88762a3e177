"""Adds to JSON text and takes from it, in the style that the text has; every other character stays.

What is added to one place is one insertion, so that cutting the insertions out again gives the
text before, to the byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tracker.agents.connect.json_text import Node

_LINE_BREAK: Final = re.compile(r"\r\n|\n|\r")
_DEFAULT_UNIT: Final = "  "


class Insertion(NamedTuple):
    """`text` comes before the character that is at `at`."""

    at: int
    text: str


def insert(text: str, insertions: Sequence[Insertion]) -> str:
    """The text with all of them."""
    parts, last = [], 0
    for insertion in sorted(insertions):
        parts += [text[last : insertion.at], insertion.text]
        last = insertion.at
    return "".join([*parts, text[last:]])


def cut(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text without what is between these places."""
    parts, last = [], 0
    for start, end in sorted(spans):
        parts.append(text[last : max(last, start)])
        last = max(last, end)
    return "".join([*parts, text[last:]])


def removals(node: Node, chosen: Collection[int]) -> list[tuple[int, int]]:
    """What to cut for these children of an object or array to be gone, and their commas."""
    children = node.children
    if len(chosen) == len(children):
        return [(node.start + 1, node.end - 1)]
    spans = []
    is_first = True
    for index, (start, end) in enumerate(children):
        if index not in chosen:
            is_first = False
        elif is_first:
            spans.append((start, children[index + 1][0]))
        else:
            spans.append((children[index - 1][1], end))
    return spans


@dataclass(frozen=True)
class Style:
    """How a text is laid out. `unit`: one step of indentation; None: all is in one line."""

    newline: str
    unit: str | None
    colon: str
    comma: str

    @classmethod
    def of(cls, text: str, root: Node) -> Style:
        """As the root object is laid out."""
        newline = _LINE_BREAK.search(text)
        if not root.members:
            return cls(newline[0] if newline else "\n", _DEFAULT_UNIT, ": ", ", ")
        first = root.members[0]
        lead = text[root.start + 1 : first.start]
        gap = text[first.start : first.node.start].rpartition('"')[2]
        colon = ": " if gap[-1:] == " " else ":"
        if not _LINE_BREAK.search(lead):
            comma = ", " if lead or colon == ": " else ","
            return cls("\n", None, colon, comma)
        unit = _LINE_BREAK.split(lead)[-1] or _DEFAULT_UNIT
        return cls(newline[0] if newline else "\n", unit, colon, ", ")

    def render(self, value: Any, indent: str) -> str:
        """JSON in this style, whose first line begins somewhere in a line indented by `indent`."""
        if self.unit is None:
            return json.dumps(value, ensure_ascii=False, separators=(self.comma, self.colon))
        lines = json.dumps(
            value, ensure_ascii=False, indent=self.unit, separators=(",", self.colon)
        ).split("\n")
        return f"{self.newline}{indent}".join(lines)


class Adder:
    """Works out insertions into one text. Several into the same container are joined."""

    def __init__(self, text: str, root: Node) -> None:
        self._text = text
        self._style = Style.of(text, root)
        self._added: dict[int, tuple[Node, list[tuple[str | None, Any]]]] = {}

    def member(self, node: Node, name: str, value: Any) -> None:
        """Add a member at the end of the object."""
        self._added.setdefault(node.start, (node, []))[1].append((name, value))

    def item(self, node: Node, value: Any) -> None:
        """Add an item at the end of the array."""
        self._added.setdefault(node.start, (node, []))[1].append((None, value))

    def insertions(self) -> list[Insertion]:
        """All that was added."""
        return [self._insertion(node, added) for node, added in self._added.values()]

    def _insertion(self, node: Node, added: list[tuple[str | None, Any]]) -> Insertion:
        children = node.children
        if children:
            lead = self._lead(node)
            separator = f",{lead}"
            at, before, after = children[-1][1], separator, ""
        elif self._style.unit is None:
            lead, separator = "", self._style.comma
            at, before, after = node.start + 1, "", ""
        else:
            outer = self._indent_at(node.start)
            lead = f"{self._style.newline}{outer}{self._style.unit}"
            separator = f",{lead}"
            inner = self._text[node.start + 1 : node.end - 1]
            has_break = _LINE_BREAK.search(inner) is not None
            after = "" if has_break else f"{self._style.newline}{outer}"
            at, before = node.start + 1, lead
        indent = _LINE_BREAK.split(lead)[-1] if _LINE_BREAK.search(lead) else None
        texts = [self._render(name, value, indent) for name, value in added]
        return Insertion(at, before + separator.join(texts) + after)

    def _lead(self, node: Node) -> str:
        """The white space before the container's last child; if it stands alone in a line of other
        children, the one that the style puts there."""
        children = node.children
        start = children[-1][0]
        previous = children[-2][1] if len(children) > 1 else node.start + 1
        lead = self._text[previous:start].rpartition(",")[2]
        if len(children) == 1 and not _LINE_BREAK.search(lead):
            return self._style.comma[1:]
        return lead

    def _render(self, name: str | None, value: Any, indent: str | None) -> str:
        style = self._style
        if indent is None:  # in one line, wherever that is
            style = Style(style.newline, None, style.colon, style.comma)
        elif style.unit is None:
            style = Style(style.newline, _DEFAULT_UNIT, style.colon, style.comma)
        text = style.render(value, indent or "")
        if name is None:
            return text
        return f"{json.dumps(name, ensure_ascii=False)}{style.colon}{text}"

    def _indent_at(self, at: int) -> str:
        """The white space that the line of this place begins with."""
        start = max(self._text.rfind("\n", 0, at), self._text.rfind("\r", 0, at)) + 1
        found = re.compile(r"[ \t]*").match(self._text, start, at)
        return found[0] if found else ""
