"""Reads fields of payloads whose form nobody guarantees."""

from __future__ import annotations

from typing import Any

from tracker.errors import Issue, ValidationFailed


class Fields:
    """An object's fields; of what is no object, none."""

    def __init__(self, content: Any) -> None:
        self._content: dict[str, Any] = content if isinstance(content, dict) else {}

    @property
    def event(self) -> str:
        """What has happened, by the name that most agents use for it."""
        return self.text("hook_event_name")

    def get(self, name: str) -> Any:
        """The field, or None."""
        return self._content.get(name)

    def text(self, name: str) -> str:
        """The field, if it is a text; else none."""
        value = self._content.get(name)
        return value if isinstance(value, str) else ""

    def within(self, *names: str) -> Fields:
        """The object in a field of an object in a field, and so on."""
        found: Any = self._content
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return Fields(found)

    def each(self, name: str) -> list[Fields]:
        """The objects in a list."""
        value = self._content.get(name)
        return [Fields(one) for one in value] if isinstance(value, list) else []

    def required(self, *names: str) -> str:
        """The first of the fields that is a text and not empty. Raises ValidationFailed."""
        for name in names:
            if self.text(name):
                return self.text(name)
        message = f"The payload has no {names[0]}, so it is of no session."
        raise ValidationFailed(message, [Issue(names[0], "This field is required")])
