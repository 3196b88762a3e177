"""Finds the server for its clients, and the key to it.

The address: as told, else from the ready file told, else TRACKER_URL, else TRACKER_READY_FILE,
else where `tracker serve` listens with the same settings.

The key: as told; else the ready file's (an ephemeral server's is there); else API_KEY; else, if
the server is on this machine, the one it made on its first run and keeps beside its database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracker.client import Client
from tracker.errors import ClientError, Unreachable
from tracker.keys import is_loopback, kept_in
from tracker.settings import default_database, load
from tracker.transport import split

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def find(
    environment: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    *,
    url: str | None = None,
    ready_file: str | None = None,
    api_key: str | None = None,
    patience: float = 10.0,
) -> Client:
    """A client of the server that is meant; it has not been spoken to yet. Raises as `address`."""
    url, key = address(environment, dotenv, url=url, ready_file=ready_file, api_key=api_key)
    return Client(url, key, patience=patience)


def address(
    environment: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    *,
    url: str | None = None,
    ready_file: str | None = None,
    api_key: str | None = None,
) -> tuple[str, str]:
    """The server's address, and the key to it; empty if there is none.

    Raises:
        Unreachable: there is no such ready file, so no such server.
        ClientError: the address, the ready file or the key cannot be used.
        ConfigError: a variable's value is not what its setting takes.
    """
    settings = load({}, environment, dotenv)
    database: str | None = settings.db or str(default_database())
    if url is None and ready_file is None:
        url = environment.get("TRACKER_URL") or dotenv.get("TRACKER_URL")
        ready_file = settings.ready_file
    if url is None and ready_file is not None:
        ready = _read(Path(ready_file))
        url, database = ready["url"], ready.get("db")
        api_key = api_key or ready.get("key")
    elif url is None:
        host = _EVERYWHERE.get(settings.host, settings.host)
        url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    return url, api_key or settings.api_key or _kept(url, database)


def _read(path: Path) -> dict[str, Any]:
    try:
        ready = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unreachable(
            f"{path}: there is no such ready file, so the server is not running (yet); "
            "`tracker wait --ready` waits for it"
        ) from None
    except (OSError, ValueError) as error:
        raise ClientError(f"{path}: cannot be read as a ready file: {error}") from None
    if not isinstance(ready, dict) or not isinstance(ready.get("url"), str):
        raise ClientError(f"{path}: this is not a server's ready file")
    return ready


def _kept(url: str, database: str | None) -> str:
    """The key of a server on this machine; empty if there is none that may be read.

    A server elsewhere is never shown it.
    """
    if database is None or not is_loopback(split(url).hostname or ""):
        return ""
    try:
        return kept_in(Path(database)).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
