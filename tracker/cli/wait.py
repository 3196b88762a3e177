"""`tracker wait`: until the server answers, or until all tasks have ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import click

from agent_task_tracker.client import Client
from agent_task_tracker.errors import Refused, Unreachable
from tracker.cli.connection import find_server, with_options
from tracker.domain.tasks import ACTIVE

# Seconds between two checks.
_POLL_INTERVAL: Final = 0.25

# Seconds to wait for a server that was there before.
_RETRY_SECONDS: Final = 5.0

_TRY_AGAIN: Final = 75  # EX_TEMPFAIL (docs/design/errors.md, "Exit codes")


@click.command()
@click.option("--ready", is_flag=True, help="Until the server answers.")
@click.option(
    "--all-finished",
    is_flag=True,
    help="Until there are tasks and all have ended; exit code 0: all completed, 1: some failed.",
)
@click.option("--project", help="With --all-finished: the tasks of this project only.")
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Then give up, with exit code 75.",
)
@with_options
def wait(
    *, ready: bool, all_finished: bool, project: str | None, timeout: float, **server: Any
) -> None:
    """Wait for the server, or for all tasks to end."""
    if not ready and not all_finished:
        raise click.UsageError("Give --ready, --all-finished or both.")
    poller = _Poller(timeout)
    if ready:
        poller.wait_for(lambda: _is_ready(server), "the server is not ready")
    if all_finished:
        client = find_server(**server, patience=_RETRY_SECONDS)
        poller.wait_for(lambda: _count(client, project).all_ended, "not all tasks have ended")
        sys.exit(1 if _count(client, project).failed else 0)


class _Poller:
    """Polls conditions up to a common deadline; `timeout` in seconds."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout

    def wait_for(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Return once the condition is true; at the deadline exit with code 75."""
        while not condition():
            if time.monotonic() > self._deadline:
                click.echo(f"tracker: after {self._timeout:g} s {otherwise}", err=True)
                sys.exit(_TRY_AGAIN)
            time.sleep(_POLL_INTERVAL)


def _is_ready(server: dict[str, Any]) -> bool:
    """Whether the server answers. Its ready file may have been written since the last check."""
    try:
        find_server(**server, patience=0).health()
    except Unreachable:
        return False
    return True


class _Counts(NamedTuple):
    total: int
    active: int
    failed: int

    @property
    def all_ended(self) -> bool:
        """No task at all means that the agents have not begun."""
        return self.total > 0 and self.active == 0


def _count(client: Client, project: str | None) -> _Counts:
    if project is None:
        overview = client.stats()["overview"]
        return _Counts(overview["total_tasks"], overview["active_tasks"], overview["failed_tasks"])
    try:
        counts = client.stats(project)["task_stats"]
    except Refused as refused:
        if refused.status != 404:
            raise
        return _Counts(0, 0, 0)  # it appears with its first report
    return _Counts(counts["total"], sum(counts[status] for status in ACTIVE), counts["failed"])
