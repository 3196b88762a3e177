"""`tracker` with timeouts of the test's own."""

from __future__ import annotations

import sys

from tracker.timeouts import DEFAULT_TIMEOUTS

_PROGRAM = """
import functools
from tracker import cli
import tracker.server.run as run
from tracker.timeouts import Timeouts
run.run = functools.partial(run.run, timeouts={})
cli.main()
"""


def command_with_timeouts(**timeouts: float) -> tuple[str, ...]:
    """The command, for `Server.start`; see `tracker.timeouts.Timeouts`."""
    return (sys.executable, "-c", _PROGRAM.format(DEFAULT_TIMEOUTS._replace(**timeouts)))
