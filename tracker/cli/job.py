"""Starts what `tracker run` runs, without the command line's library where that is not needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from tracker.cli.streams import reopen_closed
from tracker.run.arguments import SERVER, Job, job, parse

if TYPE_CHECKING:
    from tracker.run.outcome import Watcher
    from tracker.run.reports import Reporter
    from tracker.run.tail import Tail


def run_at_once(words: Sequence[str]) -> None:
    """Run the command that the words after `tracker run` say, if they are plainly right; does not
    return then."""
    arguments = parse(words)
    if arguments is None:
        return
    try:
        described = job(arguments.command, arguments.options, os.environ)
    except ValueError:  # said by the slow way
        return
    run_job(described, arguments.options, reopen_closed())


def run_job(job: Job, options: Mapping[str, str], closed: frozenset[int] = frozenset()) -> NoReturn:
    """Run a command, and end as it ends. `options`: where the server is; `closed`: the standard
    streams that were, before they were opened again."""

    def watch(outputs: Sequence[Tail], began: float) -> Watcher:
        # Only now: the command runs meanwhile.
        from tracker.run.reports import Reports

        reports = Reports(job, os.environ, outputs, lambda: _find(options), began)
        reports.start()
        return reports

    if sys.platform == "win32":
        from tracker.run import windows

        windows.run(job.command, watch)
    from tracker.run import posix

    posix.run(job.command, watch, closed=closed)


def _find(options: Mapping[str, str]) -> Reporter:
    """The one for the server that the options lead to."""
    from tracker.cli.reporting import find_reporter

    return find_reporter(**{name: options.get(name) for name in SERVER}, quiet=True)
