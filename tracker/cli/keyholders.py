"""Who has the keys and the audit log: a server that runs, asked through its API; or the database of
one that is stopped. The answers are the same."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import click

from agent_task_tracker import shapes
from agent_task_tracker.errors import NoTracker, Unreachable
from agent_task_tracker.transport import Transport
from tracker.cli import env_file
from tracker.cli.connection import with_options
from tracker.cli.database import find_database, print_notice
from tracker.cli.reporting import discover
from tracker.domain.audit import AuditQuery

Json = dict[str, Any]

_with_database = click.option(
    "--db",
    metavar="FILE",
    help="The database of a stopped server, in place of a running one.  [default: as `tracker "
    "serve`, if no server answers where it would and none is named]",
)


class KeyHolder(Protocol):
    """Answers in the shapes of the API (`tracker.domain.key_answers`)."""

    def keys(self) -> list[Json]:
        """All keys, by name."""

    def create(
        self, name: str, role: str, projects: Sequence[str], expires_in_ms: int | None
    ) -> Json:
        """A new key; no projects: all of them."""

    def rotate(self, name: str, overlap_ms: int) -> Json:
        """Another secret for a key."""

    def revoke(self, name: str) -> None:
        """End a key."""

    def audit(self, query: AuditQuery) -> Json:
        """A page of the audit log."""


class _Server:
    """Asks a server. Raises ClientError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def keys(self) -> list[Json]:
        """See `KeyHolder`."""
        return list(self._transport.get("/api/keys", {}, shapes.KEYS)["keys"])

    def create(
        self, name: str, role: str, projects: Sequence[str], expires_in_ms: int | None
    ) -> Json:
        """See `KeyHolder`."""
        body = {
            "name": name,
            "role": role,
            "projects": list(projects) or None,
            "expires_in_seconds": None if expires_in_ms is None else expires_in_ms / 1000,
        }
        return self._transport.send("POST", "/api/keys", body, shapes.NEW_KEY)

    def rotate(self, name: str, overlap_ms: int) -> Json:
        """See `KeyHolder`."""
        body = {"overlap_seconds": overlap_ms / 1000}
        return self._transport.send("POST", f"{_path(name)}/rotate", body, shapes.NEW_KEY)

    def revoke(self, name: str) -> None:
        """See `KeyHolder`."""
        self._transport.send("DELETE", _path(name))

    def audit(self, query: AuditQuery) -> Json:
        """See `KeyHolder`."""
        parameters = {
            "limit": query.limit,
            "before": query.before,
            "action": query.action,
            "by": query.name,
        }
        return self._transport.get("/api/audit", parameters, shapes.AUDIT)


def with_keyholder(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where the keys are, and pass the command their holder."""

    @functools.wraps(command)
    def wrapped(
        *,
        db: str | None,
        url: str | None,
        ready_file: str | None,
        api_key: str | None,
        ca_file: str | None,
        **options: Any,
    ) -> None:
        if db is None:
            server = {"url": url, "ready_file": ready_file, "api_key": api_key, "ca_file": ca_file}
            command(find_keyholder(server), **options)
        elif url is None and ready_file is None:
            command(_in_file(find_database(db)), **options)
        else:
            raise click.UsageError(
                "--db names the database of a stopped server, --url and --ready-file a running "
                "server: give the one or the other."
            )

    return _with_database(with_options(wrapped))


def find_keyholder(server: Mapping[str, str | None]) -> KeyHolder:
    """The server; or the database of the one that would answer where nobody does."""
    found, warnings = discover(**server)
    env_file.warn(warnings)
    transport = found.transport(patience=0)
    if found.is_named:
        return _Server(transport)
    try:
        transport.get("/health", {}, shapes.HEALTH, without_key=True)
    except (Unreachable, NoTracker):
        database = find_database(None)
        if not database.exists():
            raise
        print_notice(f"No server answers at {found.url}; this is about the database {database}.")
        return _in_file(database)
    return _Server(transport)


def _in_file(path: Path) -> KeyHolder:
    from tracker.cli.key_database import KeyDatabase  # whose imports a server's holder spares

    return KeyDatabase(path)


def _path(name: str) -> str:
    return f"/api/keys/{quote(name, safe='', errors='replace')}"
