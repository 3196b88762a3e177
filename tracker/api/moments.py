"""Dates and times as requests give them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

# ISO 8601's calendar dates; of its weeks, Python would silently take the Monday.
_DATE = re.compile(r"\d{4}-?\d\d-?\d\d")
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
