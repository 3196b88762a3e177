"""The user's API document (tests/data/api_document.md), its examples parsed out of it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parents[1] / "data" / "api_document.md").read_text(encoding="utf-8")

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

# Where responses differ from the document (docs/contract.md, "Health").
DATABASE = "sqlite"
NO_REDIS = None


def section(heading: str) -> str:
    """The text under a heading, up to the next one."""
    match = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", TEXT, re.M | re.S)
    assert match, f"the document has no heading {heading!r}"
    return match[1]


def _blocks(text: str) -> list[Any]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.S)]


def request(heading: str) -> dict[str, Any]:
    """The example under **Request:**."""
    text = section(heading).partition("**Request:**")[2].partition("**Response:**")[0]
    (example,) = _blocks(text)
    return dict(example)


def response(heading: str) -> dict[str, Any]:
    """The example under **Response:**."""
    (example,) = _blocks(section(heading).partition("**Response:**")[2])
    return dict(example)


def example(heading: str) -> dict[str, Any]:
    """The only example under the heading."""
    (only,) = _blocks(section(heading))
    return dict(only)


def defaults(heading: str) -> dict[str, int]:
    """The parameters' defaults: `limit` and the like."""
    return {
        name: int(value)
        for name, value in re.findall(r"- `(\w+)` .*\(default: (\d+)\)", section(heading))
    }


def moment(text: str) -> datetime:
    """A time of the document or of the server."""
    return datetime.fromisoformat(text).astimezone(UTC)


def assert_like(actual: Any, documented: Any, place: str = "answer") -> None:
    """Every documented field is there with the documented type; more fields may be.

    Of a list, every item is like the documented one; the list is not empty.
    """
    match documented:
        case dict():
            assert isinstance(actual, dict), place
            for name, value in documented.items():
                assert name in actual, f"{place} lacks {name}"
                assert_like(actual[name], value, f"{place}.{name}")
        case list():
            assert isinstance(actual, list), place
            assert actual, f"{place} is empty"
            for item in actual:
                assert_like(item, documented[0], f"{place}[]")
        case bool() | None:
            assert actual is documented, place
        case int() | float():
            assert isinstance(actual, int | float), f"{place}: {actual!r}"
            assert not isinstance(actual, bool), place
        case str() if "T" in documented and documented.endswith("Z"):
            assert TIMESTAMP.fullmatch(actual), f"{place}: {actual!r}"
        case str():
            assert isinstance(actual, str), f"{place}: {actual!r}"
