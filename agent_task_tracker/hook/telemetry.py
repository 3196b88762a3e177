"""`tracker hook AGENT --telemetry`: the headers with which an agent's exporter sends."""

from __future__ import annotations

import contextlib
import json
import time

from agent_task_tracker.address import Address
from agent_task_tracker.connections import Connection
from agent_task_tracker.hook.sending import Line
from agent_task_tracker.keys import is_loopback

# Seconds for a server on this machine to prove that it has the key.
_PATIENCE = 2.0


def headers(connection: Connection) -> str:
    """As a JSON object. Raises NotSent, OSError, ValueError, ClientError: what answers on this
    machine does not prove that it has the key, so it does not get it."""
    if connection.is_proven and is_loopback(Address(connection.url).host):
        line = Line(connection, time.monotonic() + _PATIENCE)
        with contextlib.closing(line):
            line.connect()
    return json.dumps({"X-API-Key": connection.key})
