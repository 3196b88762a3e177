"""A request's head, whether a connection of ours or an ASGI server has received it.

Rules that need only the head are checked with it, so that they are the same for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

RawHeaders = Sequence[tuple[bytes, bytes]]
"""All of them, in the order in which they came, their names in lower case."""


@dataclass(slots=True)
class RequestHead:
    """Method, query, headers, and who sent them."""

    method: str
    query: bytes
    headers: RawHeaders
    client: tuple[str, int] | None
    is_websocket: bool = False
    _first: dict[bytes, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._first = dict(reversed(self.headers))

    @classmethod
    def of(cls, scope: dict[str, Any]) -> RequestHead:
        """From an ASGI scope."""
        return cls(
            scope.get("method", "GET"),
            scope["query_string"],
            scope["headers"],
            scope.get("client"),
            is_websocket=scope["type"] == "websocket",
        )

    @property
    def is_unambiguous(self) -> bool:
        """Whether no header is repeated, and there is no query, as in most requests."""
        return len(self._first) == len(self.headers) and not self.query

    def get(self, name: bytes) -> str | None:
        """The first header of this name (lower case); None: there is none."""
        value = self._first.get(name)
        return None if value is None else value.decode("latin-1")

    def elements(self, name: bytes) -> list[str]:
        """The elements of a header that is a list, of all its lines (RFC 9110, 5.6.1)."""
        elements = (one.strip() for line in self._all(name) for one in line.split(","))
        return [element for element in elements if element]

    def parameters(self, name: str) -> list[str]:
        """Each value of a parameter of the query string that is not empty."""
        if not self.query or (name.encode() not in self.query and b"%" not in self.query):
            return []
        query = parse_qsl(self.query.decode("latin-1"), max_num_fields=None)
        return [value for key, value in query if key == name and value]

    def cookies(self, name: str) -> list[str]:
        """Each value of a cookie (RFC 6265, 5.4)."""
        return [
            cookie[len(name) + 1 :].strip('"')
            for line in self._all(b"cookie")
            for cookie in map(str.strip, line.split(";"))
            if cookie.startswith(f"{name}=")
        ]

    def _all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key == name]
