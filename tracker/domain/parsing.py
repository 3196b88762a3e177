"""Parses untrusted JSON, and accepts only what every parser would read in the same way.

Needs neither Falcon nor Pydantic: requests and imports are parsed by the same rules.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

from tracker.domain import numbers
from tracker.domain.limits import MAX_DEPTH
from tracker.errors import InvalidJSON, Issue, ValidationFailed

_SPACED_NAME: Final = re.compile(rb'"[ \t\r\n]+:')
_CONTAINERS: Final = frozenset({dict, list})


def parse(text: bytes, what: str = "body", max_depth: int = MAX_DEPTH) -> Any:
    """JSON (RFC 8259) whose names are unique and that nests no deeper than `max_depth`. `what`
    names it in the error. Integers keep their digits. Raises InvalidJSON, ValidationFailed."""
    text = text.removeprefix(b"\xef\xbb\xbf")  # a byte order mark may be ignored (RFC 8259, 8.1)
    try:
        parsed = numbers.loads(text)
    except numbers.NumberTooLarge:
        message = (
            f"The {what} has a number beyond 1.8e308, which many programs cannot read; send text."
        )
        raise ValidationFailed(message, [Issue(what, "A number is too large")]) from None
    except orjson.JSONDecodeError as error:
        message = f"The {what} is not JSON; see where in details."
        raise InvalidJSON(message, [Issue(what, str(error))]) from None
    if isinstance(parsed, dict | list):
        names = _count_names(parsed, what, max_depth)
        # Each name is followed by a colon. With as many colons as parsed names, no name was
        # overwritten by a duplicate; more may also be in strings, as in every time and URL.
        if names != text.count(b":") and names != _most_names(text):
            _refuse_duplicates(text, what)
    return parsed


def _most_names(text: bytes) -> int:
    """At least as many as the JSON has names. More are counted for strings in which there is what
    follows a name, and where that has spaces in it."""
    return text.count(b":") if _SPACED_NAME.search(text) else text.count(b'":')


def parse_object(text: bytes, what: str = "body", max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """See `parse`; a JSON object. Raises InvalidJSON, ValidationFailed."""
    parsed = parse(text, what, max_depth)
    if not isinstance(parsed, dict):
        message = f"The {what} has to be a JSON object."
        raise ValidationFailed(message, [Issue(what, "This has to be an object")])
    return parsed


def _count_names(parsed: Any, what: str, max_depth: int) -> int:
    """Without a call for each object and list: half a million of them, as deep as may be, take two
    thirds of the time."""
    count = 0
    found = [(parsed, max_depth)]
    while found:
        container, levels_left = found.pop()
        if type(container) is dict:
            count += len(container)
            items = container.values()
        else:
            items = container
        for item in items:
            # `in` takes half the time of isinstance; there are no subclasses. What is empty only
            # matters where it is a level too many.
            if type(item) in _CONTAINERS and (item or levels_left == 1):
                if levels_left == 1:
                    message = f"The {what} nests deeper than {max_depth} levels."
                    raise InvalidJSON(message, [Issue(what, "Too deeply nested")])
                found.append((item, levels_left - 1))
    return count


def _refuse_duplicates(text: bytes, what: str) -> None:
    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        unique: dict[str, Any] = {}
        for name, value in pairs:
            if name in unique:
                message = f"The {what} names the same field twice."
                raise InvalidJSON(message, [Issue(name[:100], "This field is given twice")])
            unique[name] = value
        return unique

    # Numbers stay text: one of thousands of digits is no error, and takes no time.
    json.loads(text, object_pairs_hook=check, parse_int=str, parse_float=str)
