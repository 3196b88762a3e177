"""The event loops that a server may run on."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tests.support.server import COMMAND

_WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None\n"
_AS_ON_WINDOWS = (
    "import asyncio\n"
    "def add_reader(*_): raise NotImplementedError\n"
    "asyncio.SelectorEventLoop.add_reader = add_reader\n"
)
_MAIN = "from tracker import cli\ncli.main()\n"

LOOPS: Mapping[str, tuple[str, ...]] = {
    "uvloop": tuple(COMMAND),
    "asyncio": (sys.executable, "-c", _WITHOUT_UVLOOP + _MAIN),
    "Windows": (sys.executable, "-c", _WITHOUT_UVLOOP + _AS_ON_WINDOWS + _MAIN),
}
"""The command, for `Server.start`. The last cannot watch sockets, as on Windows."""
