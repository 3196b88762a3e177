"""`tracker`, except that it waits for others as long as the test says: to see what comes then."""

from __future__ import annotations

import sys

from tracker.timing import CONTRACT

_PROGRAM = """
import functools
from tracker import cli, server
from tracker.timing import Timing
server.run = functools.partial(server.run, timing={})
cli.main()
"""


def hasty(**timing: float) -> tuple[str, ...]:
    """The command, for `Server.start`; see `tracker.timing.Timing`."""
    return (sys.executable, "-c", _PROGRAM.format(CONTRACT._replace(**timing)))
