"""What a planned change is, for a person to look at."""

from __future__ import annotations

import difflib
import re
from typing import Final

from tracker.agents.connect.changes import Step

# Where a file has to have it, it is not for the screen.
_KEY: Final = re.compile(r'("x-api-key" = )"[^"]*"')


def unified(step: Step) -> str:
    """The change as a unified diff."""
    name = str(step.file.path)
    before, after = step.loaded.content, step.after
    lines = difflib.unified_diff(
        _lines(before),
        _lines(after),
        "/dev/null" if before is None else name,
        "/dev/null" if after is None else name,
        lineterm="",
    )
    return _KEY.sub(r"\1\"…\"", "".join(f"{line}\n" for line in lines))


def _lines(content: bytes | None) -> list[str]:
    """Lines without their ends, the last one marked if it has none."""
    if not content:
        return []
    lines = content.decode("utf-8", "replace").split("\n")
    return lines[:-1] if not lines[-1] else [*lines[:-1], f"{lines[-1]} (no line break)"]
