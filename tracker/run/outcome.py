"""How a command ended, and who hears of it."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Outcome(NamedTuple):
    """`exit_code` as a shell has it; `seconds` it took; `signal` the name of the one that ended it;
    `problem` why it did not start."""

    exit_code: int
    seconds: float
    signal: str | None = None
    problem: str | None = None


class Watcher(Protocol):
    """Tells others of a command, meanwhile. `problem`: why reports are lost."""

    problem: str | None

    def end(self, outcome: Outcome) -> None:
        """The command has ended, and its output is complete."""

    def join(self) -> None:
        """Wait until that is told, or kept for later, or it is clear that neither can be."""
