"""How a status looks: its colour in a terminal, its sign on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tracker.domain.tasks import Status

STYLES: Final[Mapping[str, str]] = {
    Status.PENDING: "yellow",
    Status.RUNNING: "blue",
    Status.COMPLETED: "green",
    Status.FAILED: "red",
}
# What is shown in place of a status.
WAITING: Final = "waiting"
SILENT: Final = "silent"
SHOWN_STYLES: Final[Mapping[str, str]] = {**STYLES, WAITING: "bold magenta", SILENT: "bold yellow"}
ICONS: Final[Mapping[str, str]] = {
    Status.PENDING: "⏳",
    Status.RUNNING: "🔵",
    Status.COMPLETED: "✅",
    Status.FAILED: "❌",
}
