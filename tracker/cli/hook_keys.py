"""The key of a connected agent: made on its server, tried, revoked."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from agent_task_tracker import connections, shapes
from agent_task_tracker.credentials import of_connection
from agent_task_tracker.destination import destination
from agent_task_tracker.errors import ClientError, Refused, Unreachable
from agent_task_tracker.report import HOOK, kind_of
from agent_task_tracker.spool import Spool
from agent_task_tracker.transport import Transport
from tracker.agents.connect.ledger import Connection, Ledger, Revocation
from tracker.cli.discovery import FoundServer
from tracker.cli.keyholders import find_keyholder
from tracker.cli.reporting import discover
from tracker.domain.principal import Role
from tracker.errors import NotFound, StartupError, TrackerError

_TIMEOUT: Final = 10.0
_PATIENCE: Final = 2.0

# Keys of this name that others have, or that nobody knows any more.
_MAX_NUMBER: Final = 20
_MAX_NAME: Final = 60

_BATCH: Final[shapes.Shape] = {"results": [{}]}


class AgentKey(NamedTuple):
    """A key of the role `report`, and its name on the server; None: it was given."""

    key: str
    name: str | None


def make_key(server: FoundServer, agent: str, given: str | None) -> AgentKey:
    """A key for the agent, made with the server's master key or one of the role admin. A key that
    was `given` and may only report is used itself. Raises ClientError."""
    transport = server.transport(_PATIENCE)
    host = re.sub(r"[^A-Za-z0-9._@-]+", "-", platform.node()) or "host"
    name = f"hook-{agent}-{host}"[:_MAX_NAME]
    for number in range(1, _MAX_NUMBER):
        numbered = name if number == 1 else f"{name}-{number}"
        body = {"name": numbered, "role": Role.REPORT.value}
        try:
            made = transport.send("POST", "/api/keys", body, shapes.NEW_KEY)
        except Refused as refused:
            if refused.status == 403 and given:
                _try(transport)
                return AgentKey(given, None)
            if refused.status != 409:
                raise
        else:
            return AgentKey(made["key"], numbered)
    raise ClientError(
        f"{server.url}: has {_MAX_NUMBER} keys {name}…; revoke some: tracker key list"
    )


def take_over(agent: str, connection: Connection, spool: Spool) -> int:
    """Have what the agent's hooks kept for the same server with keys of before sent with the
    present one, for nobody sends it any more. Returns how many that were. Raises OSError."""
    to = connections.Connection(connection.url, connection.key).destination
    moved = 0
    for waiting in [
        waiting
        for content in (spool.contents() if spool.is_there() else ())
        if content.destination.address == to.address and content.destination != to
        for waiting in spool.waiting(content.destination)
        if kind_of(waiting.name) == HOOK
    ]:
        report = spool.read(waiting)
        if report is not None and report.project == agent:
            spool.put(report, to)
            spool.remove(waiting)
            moved += 1
    return moved


def works(connection: Connection) -> bool:
    """Whether its server takes its key. Raises ClientError: it cannot be asked."""
    url, ca_file = connection.url, connection.ca_file
    credentials = of_connection(connections.Connection(url, connection.key, ca_file))
    transport = Transport(url, credentials, _TIMEOUT, 0.0, ca_file)
    try:
        _try(transport)
    except Refused as refused:
        if refused.status in (401, 403):
            return False
        raise
    except Unreachable as unproven:
        # A server that has not the key any more proves nothing either.
        try:
            transport.get("/health", {}, shapes.HEALTH, without_key=True)
        except Refused:  # it is none of ours
            raise unproven from None
        return False
    return True


def revoke_pending(ledger: Ledger, server: Mapping[str, str | None]) -> list[str]:
    """Revoke the keys that wait for it, on the server that options lead to, or in the database of
    one that is stopped. Returns, for those left, why; the ledger is locked. Raises ConfigError."""
    left, problems = [], []
    for pending in ledger.revocations():
        problem = _revoke(pending, server)
        if problem is not None:
            left.append(pending)
            problems.append(
                f"the key {pending.key_name} of {pending.url} is not revoked yet: {problem}"
            )
    ledger.put_revocations(left)
    return problems


def is_same_server(url: str, other: str) -> bool:
    """Whether both are addresses of one server. Raises ClientError: one of them is none."""
    return destination(url, "") == destination(other, "")


def _revoke(pending: Revocation, server: Mapping[str, str | None]) -> str | None:
    """Returns what prevents it."""
    try:
        found, _ = discover(**server)
        if not is_same_server(found.url, pending.url):
            return (
                f"another server is in use here; `tracker key revoke {pending.key_name} --url "
                f"{pending.url}` with its admin key ends it, or this command with --url and "
                "--api-key"
            )
        find_keyholder(server).revoke(pending.key_name)
    except NotFound:
        return None
    except Refused as refused:
        return None if refused.status == 404 else str(refused)
    except (ClientError, StartupError, TrackerError) as error:
        return str(error)
    return None


def _try(transport: Transport) -> None:
    """Report nothing, for which a key of the role `report` is needed."""
    transport.send("POST", "/webhook/batch", {"reports": []}, _BATCH)
