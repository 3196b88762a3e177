"""Keys of one's own, made as a user makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support.server import Server


def make_key(server: Server, name: str, role: str, *projects: str, **fields: Any) -> str:
    """A new key's secret."""
    body = {"name": name, "role": role, "projects": list(projects) or None, **fields}
    made = server.http.post("/api/keys", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["key"])


@contextmanager
def client_with(server: Server, key: str) -> Iterator[httpx.Client]:
    """A client that sends the key."""
    headers = {"X-API-Key": key}
    with httpx.Client(base_url=server.url, headers=headers, timeout=20, trust_env=False) as client:
        yield client


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of a failure."""
    return answer.status_code, str(answer.json()["error"]["code"])
