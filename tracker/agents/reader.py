"""Reads fields of payloads whose form nobody guarantees."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from tracker.domain.limits import MAX_TIME
from tracker.errors import Issue, ValidationFailed

# Items of a list; more are an agent gone wild.
_MOST_ITEMS: Final = 200


class Fields:
    """An object's fields; of what is no object, none."""

    def __init__(self, content: Any) -> None:
        self._content: dict[str, Any] = content if isinstance(content, dict) else {}

    @property
    def event(self) -> str:
        """What has happened, by the name that most agents use for it."""
        return self.text("hook_event_name") or self.text("event")

    def get(self, name: str) -> Any:
        """The field, or None."""
        return self._content.get(name)

    def text(self, name: str) -> str:
        """The field, if it is a text; else none."""
        value = self._content.get(name)
        return value if isinstance(value, str) else ""

    def first(self, *names: str) -> str:
        """The first of the fields that is a text and not empty, or none."""
        return next((self.text(name) for name in names if self.text(name)), "")

    def texts(self, name: str) -> list[str]:
        """The texts in a list."""
        return [one for one in self._items(name) if isinstance(one, str)]

    def within(self, *names: str) -> Fields:
        """The object in a field of an object in a field, and so on."""
        found: Any = self._content
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return Fields(found)

    def each(self, name: str) -> list[Fields]:
        """The objects in a list."""
        return [Fields(one) for one in self._items(name)]

    def required(self, *names: str) -> str:
        """The first of the fields that is a text and not empty. Raises ValidationFailed."""
        found = self.first(*names)
        if found:
            return found
        message = f"The payload has no {names[0]}, so it is of no session."
        raise ValidationFailed(message, [Issue(names[0], "This field is required")])

    def _items(self, name: str) -> list[Any]:
        """The first ones of a list."""
        value = self._content.get(name)
        return value[:_MOST_ITEMS] if isinstance(value, list) else []


# More digits are no time that anyone means.
_MOST_DIGITS: Final = 15


def moment(given: object) -> int | None:
    """A time as agents write it (milliseconds since the epoch, perhaps as a text, or ISO 8601), in
    milliseconds; None: it is none."""
    at = _parsed(given) if isinstance(given, str) else given
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 < at <= MAX_TIME:
        return None
    return round(at)


def _parsed(text: str) -> float | None:
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= _MOST_DIGITS else None
    try:
        parsed = datetime.fromisoformat(text)
        parsed = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
        return parsed.timestamp() * 1000
    except (ValueError, OverflowError):
        return None
