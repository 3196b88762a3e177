"""How long the server waits for its peers."""

from __future__ import annotations

from typing import Final, NamedTuple


class Timeouts(NamedTuple):
    """Seconds; tests pass fewer."""

    ping: float = 20.0
    """Between two pings of an open WebSocket."""

    pong: float = 20.0
    """For the answer to a ping."""

    send: float = 30.0
    """For a subscriber that takes nothing of what it was sent."""

    request: float = 30.0
    """For a client that stopped sending its request, or does not read the response."""

    head: float = 10.0
    """For the headers of a request as a whole."""

    handshake: float = 10.0
    """For a TLS handshake."""

    keep_alive: int = 75
    """Between a client's requests on one connection: longer than agents pause between reports, so
    that they seldom meet a connection being closed."""

    heartbeat: float = 15.0
    """Silence on a stream of server-sent events, until a comment is sent."""

    guesses: float = 60.0
    """For an address that sent wrong keys: from the first one until the count starts again."""

    close: float = 2.0
    """For the peer to close its side of a connection, which then is aborted."""


DEFAULT_TIMEOUTS: Final = Timeouts()
"""Promised in docs/contract.md, "Events"; the last in docs/contract.md, "Start and stop"."""
