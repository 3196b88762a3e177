"""The two mounts of the handler of webhooks: our connections ask it directly, any other ASGI server
through `WebhookMount`. What a test says of requests has to hold by either."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tests.support.server import COMMAND

_PROGRAM = """
from tracker import cli
from tracker.server.http import HttpProtocol
HttpProtocol._is_idle = lambda self: False
cli.main()
"""

MOUNTS: Mapping[str, tuple[str, ...]] = {
    "the connection": tuple(COMMAND),
    "the ASGI mount": (sys.executable, "-c", _PROGRAM),
}
"""The command, for `Server.start`. By the second no connection takes a webhook for itself."""
