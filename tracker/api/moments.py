"""Dates and times as requests give them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from tracker.clock import MS_PER_DAY
from tracker.domain.queries import Since

# ISO 8601's calendar dates; of its weeks, Python would silently take the Monday.
_DATE = re.compile(r"\d{4}-?\d\d-?\d\d")
_AGO = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": MS_PER_DAY, "w": 7 * MS_PER_DAY}
AGO_PATTERN: Final = "^[0-9]{1,6}[smhdw]$"
_NOT_SINCE = "expected how long ago, like 30m, 2h or 3d, or a time like 2024-01-15T10:00:00Z"
_NOT_A_DATE = "expected a date or time like 2024-01-15 or 2024-01-15T10:00:00Z"


def parse_moment(given: object, *, end_of_day: bool = False) -> int:
    """A date or a time as milliseconds; without an offset: UTC. Raises ValueError."""
    if not isinstance(given, str):
        raise ValueError(_NOT_A_DATE)  # noqa: TRY004 - Pydantic makes a message of it
    text = given.strip()
    day = _DATE.match(text)
    if day is None:
        raise ValueError(_NOT_A_DATE)
    try:
        if day.end() == len(text):
            moment = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            if end_of_day:
                moment += timedelta(days=1, milliseconds=-1)
        else:
            # A "+" that the client forgot to encode arrives as a space.
            moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(_NOT_A_DATE) from None


def parse_since(given: str) -> Since:
    """A date, a time, or how long ago that is (30m, 2h, 3d). Raises ValueError."""
    ago = _AGO.fullmatch(given.strip())
    if ago:
        return Since(int(ago[1]) * _MS[ago[2]], is_ago=True)
    try:
        return Since(parse_moment(given))
    except ValueError:
        raise ValueError(_NOT_SINCE) from None
