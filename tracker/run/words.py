"""What a command's outputs say: the last line, the progress, the end of a failure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite
from typing import Final

from agent_task_tracker.masking import Masking
from tracker.run.tail import Tail

_MAX_MESSAGE: Final = 1000
_MAX_TRACE_BYTES: Final = 10_000

# Bytes of a trace for the headings of its two parts.
_HEADINGS: Final = 100


class Words:
    """`message`: the last line of all outputs; `progress` in percent, see `--progress-pattern`."""

    def __init__(
        self, outputs: Sequence[Tail], masking: Masking, pattern: re.Pattern[str] | None
    ) -> None:
        """`outputs`: standard output and, if it is another, standard error."""
        self._outputs = outputs
        self._masking = masking
        self._pattern = pattern
        self._last: dict[Tail, str] = {}
        self.message: str | None = None
        self.progress: float | None = None

    def look(self, *, is_end: bool = False) -> bool:
        """Take what is new at the outputs. Whether there is something to tell."""
        before = self.message, self.progress
        for output in sorted(self._outputs, key=lambda output: output.touched):
            lines = output.new_lines(is_end=is_end)
            seen = [line for line in (*lines.complete, lines.begun) if line]
            if seen:
                self.message = self._last[output] = cut(self._masking.text(seen[-1]), _MAX_MESSAGE)
            self._take_progress(lines.complete)
        return (self.message, self.progress) != before

    @property
    def complaint(self) -> str | None:
        """The last line of standard error, or if there is none, of standard output."""
        said = [self._last[output] for output in self._outputs if output in self._last]
        return said[-1] if said else None

    def trace(self) -> str | None:
        """The end of what was printed: of standard error as much as there is room for, and before
        it standard output, where many programs say what is wrong."""
        texts = [self._masking.text(output.text()).strip() for output in self._outputs]
        errors = _last_bytes(texts[-1], _MAX_TRACE_BYTES) if texts else ""
        output = ""
        if len(texts) > 1:
            output = _last_bytes(texts[0], _MAX_TRACE_BYTES - _HEADINGS - len(errors.encode()))
        if output and errors:
            return f"Standard output:\n{output}\n\nStandard error:\n{errors}"
        return output or errors or None

    def _take_progress(self, lines: Sequence[str]) -> None:
        """Of the last line that says it."""
        if self._pattern is None:
            return
        for line in reversed(lines):
            found = self._pattern.search(line)
            progress = None if found is None else _percent(found.groups())
            if progress is not None:
                self.progress = progress
                return


def cut(text: str, length: int) -> str:
    """`text` in so many characters at most."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _percent(groups: Sequence[str | None]) -> float | None:
    """One number is a percentage, two are done and total. None: they are none."""
    try:
        numbers = [float(group.replace(",", "")) for group in groups if group]
        percent = numbers[0] if len(groups) == 1 else 100 * numbers[0] / numbers[1]
    except (ValueError, IndexError, ZeroDivisionError):
        return None
    return round(min(max(percent, 0.0), 100.0), 1) if isfinite(percent) else None


def _last_bytes(text: str, size: int) -> str:
    return text.encode("utf-8", "replace")[-size:].decode("utf-8", "ignore") if size > 0 else ""
