"""Logging to standard error: lines for people, or JSON for machines. Keys are never logged."""

from __future__ import annotations

import logging
import math
import sys
from datetime import UTC, datetime
from typing import Final

from tracker.clock import Clock
from tracker.config.settings import LogFormat, LogLevel
from tracker.text import json_line, printable, printable_lines

# Seconds between two warnings of the same kind.
_INTERVAL: Final = 60.0


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "timestamp": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json_line(entry)


class TextFormatter(logging.Formatter):
    """Time, level and message in a line. A traceback follows indented, so that none of its lines
    can pass for an entry of the log."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_timestamp(record)} {record.levelname} {printable(record.getMessage())}"
        if record.exc_info:
            trace = printable_lines(self.formatException(record.exc_info))
            line = "\n  ".join([line, *trace.split("\n")])
        return line


class SeldomWarning:
    """A warning that is logged once a minute at most, however often there is reason to."""

    def __init__(self, clock: Clock, logger: logging.Logger) -> None:
        self._clock = clock
        self._logger = logger
        self._logged_at = -math.inf

    def log(self, text: str, *args: object) -> None:
        """Log it, unless that was done just now."""
        now = self._clock.monotonic()
        if now - self._logged_at >= _INTERVAL:
            self._logged_at = now
            self._logger.warning(text, *args)


def configure(level: LogLevel, format_: LogFormat) -> None:
    """Set up the process's logging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format_ == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # At "info" uvicorn logs URLs with their query string, which may hold a key.
    for name in ("uvicorn", "uvicorn.asgi", "websockets"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # Its warnings are about invalid requests: any client could fill the log with them.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
