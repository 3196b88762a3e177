"""The key that a client sends, and to which server.

A key from a file is sent only to a server that has proved to have it.
"""

from __future__ import annotations

import json
import secrets
from http.client import HTTPConnection, HTTPException
from typing import Final, Protocol

from agent_task_tracker.address import Address, UnixConnection
from agent_task_tracker.connections import Connection
from agent_task_tracker.errors import ClientError, Unreachable
from agent_task_tracker.keys import is_loopback, public_id
from agent_task_tracker.proof import encode, is_proof, key_id

# Bytes; a proof is far shorter.
_MAX_RESPONSE_BYTES: Final = 4096

NEEDED: Final = "the server's API key is needed: set API_KEY, or give --api-key"

# Statuses that say "not now".
_UNAVAILABLE: Final = frozenset({502, 503, 504})


class Credentials(Protocol):
    """The authentication of a request."""

    @property
    def key_id(self) -> str:
        """Tells keys of one server apart, and reveals none; empty: there is no key."""

    @property
    def source(self) -> str:
        """Where the key comes from, for people; empty: whoever has given it knows."""

    def headers(self, connection: HTTPConnection, prefix: str) -> dict[str, str]:
        """Headers for requests on `connection`, which must be sent on it, without connecting
        again, and on no other. `prefix` is the path under which the server answers.

        Raises:
            ClientError: the request must not be sent.
            OSError, HTTPException: the connection broke.
        """


class ExplicitKey:
    """A key that the user gave for this server; sent without conditions."""

    def __init__(self, key: str, source: str = "") -> None:
        """Raises ClientError: no header can carry the key."""
        if not isinstance(key, str):
            raise ClientError(
                f"the API key is {type(key).__name__}, no string; is the variable set that it is "
                "taken from?"
            )
        if not (key.isascii() and key.isprintable()):
            raise ClientError(
                f"the API key{_of(source)} holds characters that a header cannot; check it"
            )
        self._key = key
        self.source = source

    @property
    def key_id(self) -> str:
        """See `Credentials`."""
        return public_id(self._key)

    def headers(self, _connection: HTTPConnection, _prefix: str) -> dict[str, str]:
        """See `Credentials`."""
        return {"X-API-Key": self._key} if self._key else {}


class StoredKey:
    """A key that a server generated and keeps in a file. Another program may have that server's
    port by now: on each connection the key is sent only after the other end has proved to have
    it."""

    def __init__(self, key: str, found_in: str) -> None:
        self._key = key
        self._found_in = found_in

    @property
    def source(self) -> str:
        """See `Credentials`."""
        return self._found_in

    @property
    def key_id(self) -> str:
        """See `Credentials`."""
        return key_id(self._key)

    def headers(self, connection: HTTPConnection, prefix: str) -> dict[str, str]:
        """See `Credentials`."""
        self.demand_proof(connection, prefix)
        return {"X-API-Key": self._key}

    def demand_proof(self, connection: HTTPConnection, prefix: str) -> None:
        """Raises Unreachable unless the other end has the key, or is a Unix socket that only this
        user can have made: whoever runs as the same user can read the key's file anyway.
        `connection` stays open and does not reconnect, since another program might accept that."""
        if connection.sock is None:
            connection.connect()
        connection.auto_open = 0
        if isinstance(connection, UnixConnection):
            self._demand_ownership(connection)
            return
        nonce = secrets.token_bytes(32)
        query = f"key_id={key_id(self._key)}&nonce={encode(nonce)}"
        address, port = connection.sock.getpeername()[:2]
        connection.request("GET", f"{prefix}/proof?{query}")
        response = connection.getresponse()
        body = response.read(_MAX_RESPONSE_BYTES)  # what is longer is no proof
        if response.status in _UNAVAILABLE:
            raise HTTPException(f"{response.status} {response.reason}")
        if response.status != 200 or not is_proof(_proof_in(body), self._key, nonce, address, port):
            raise Unreachable(
                f"what answers at {connection.host}:{connection.port} did not prove that it has "
                f"the key in {self._found_in}, so nothing was sent to it: it is another server, or "
                "older than this program; start the right one with `tracker serve`, or name the "
                "key by API_KEY"
            )

    def _demand_ownership(self, connection: UnixConnection) -> None:
        problem = connection.why_untrusted()
        if problem is not None:
            raise Unreachable(
                f"{connection.path}: {problem}, so another user may listen there, and the key in "
                f"{self._found_in} was not sent; name the key by API_KEY, or move the socket"
            )


class MissingKey:
    """There is no key that may be sent, so no request is."""

    source = ""

    def __init__(self, reason: ClientError) -> None:
        self.reason = reason

    @property
    def key_id(self) -> str:
        """See `Credentials`."""
        return ""

    def headers(self, connection: HTTPConnection, _prefix: str) -> dict[str, str]:
        """See `Credentials`. Connects first: that there is no server is the better message."""
        connection.connect()
        raise self.reason


def unaccepted(credentials: Credentials) -> str:
    """What a server's 401 means."""
    if not credentials.key_id:
        return NEEDED
    return (
        f"the server does not accept the API key{_of(credentials.source)}: it is another's, or "
        "was revoked or has expired; set API_KEY, or give --api-key"
    )


def _of(source: str) -> str:
    return f" (from {source})" if source else ""


def of_connection(connection: Connection) -> Credentials:
    """The key of a connected agent."""
    host = Address(connection.url).host
    if connection.is_proven and is_loopback(host):
        return StoredKey(connection.key, "connections.json")
    return ExplicitKey(connection.key)


def _proof_in(body: bytes) -> object:
    try:
        return json.loads(body)["proof"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
