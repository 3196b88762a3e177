"""What stands in a Markdown document: its code blocks, headings, links and code spans."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(?P<fence>```+)(?P<language>[^\n]*)\n(?P<code>.*?)^(?P=fence)$", re.M | re.S)
_HEADING = re.compile(r"^(#+) (.+)$", re.M)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")


class Block(NamedTuple):
    """One fenced block."""

    where: str
    language: str
    code: str


class Document:
    """One Markdown file of this checkout."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = (ROOT / name).read_text(encoding="utf-8")
        self.prose = _FENCE.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        """The fenced blocks, in order; a fence that is not closed would make one fewer."""
        blocks = [
            Block(
                f"{self.name}:{self.text.count(chr(10), 0, match.start()) + 1}",
                match["language"].strip(),
                match["code"],
            )
            for match in _FENCE.finditer(self.text)
        ]
        assert len(re.findall(r"^```", self.text, re.M)) == 2 * len(blocks), self.name
        return blocks

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        return [(len(marks), text) for marks, text in _HEADING.findall(self.prose)]

    @property
    def links(self) -> list[str]:
        """Where its links lead."""
        return _LINK.findall(self.prose)

    @property
    def spans(self) -> list[str]:
        """Its pieces of code within the text."""
        return _SPAN.findall(self.prose)

    def table(self, first_header: str) -> list[list[str]]:
        """The cells of the rows of the table whose first column is headed so."""
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in self.text.split(f"| {first_header} |", 1)[1].split("\n\n")[0].splitlines()
        ]
        return [row for row in rows[2:] if len(row) > 1]
