"""`tracker wait`: until the server answers, or until all tasks have ended."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent import futures
from concurrent.futures import Future
from itertools import chain, islice
from typing import Any, Final, NamedTuple, TypeVar

import click

from agent_task_tracker.client import Client
from agent_task_tracker.errors import Refused, Unreachable
from tracker.cli.connection import find_server, with_options
from tracker.cli.output import print_text
from tracker.domain.tasks import ACTIVE, Status

T = TypeVar("T")
U = TypeVar("U")

# Seconds between two checks.
_POLL_INTERVAL: Final = 0.25

# Seconds to wait for a server that was there before.
_RETRY_SECONDS: Final = 5.0

# Seconds that a check may take, however little time is left.
_LEAST_SECONDS: Final = 2.0

_TRY_AGAIN: Final = 75  # EX_TEMPFAIL (docs/design/errors.md, "Exit codes")

# Tasks that are named, of those which have not ended or have failed.
_MAX_LISTED: Final = 10


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
    if math.isnan(timeout):
        raise click.UsageError("--timeout: expected a number of seconds")
    patience = _Patience(timeout)
    if ready:
        asked = _Server(server)
        patience.until_nothing(asked.not_ready, asked)
    if all_finished:
        client = find_server(**server, patience=min(_RETRY_SECONDS, timeout))
        tasks = _Tasks(client, project)
        patience.until_nothing(tasks.not_ended, _Server(server, client.url), tasks.open_lines)
        total, _, failed = tasks.counts
        if failed:
            _print(f"tracker: {failed} of {total} tasks failed", tasks.lines([Status.FAILED]))
            sys.exit(1)


class _Patience:
    """How long is waited, for all that is waited for; `timeout` in seconds."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout

    def until_nothing(
        self,
        missing: Callable[[], str | None],
        asked: _Server,
        which: Callable[[], list[str]] = list,
    ) -> None:
        """Return once nothing is missing. At the deadline say what is, and in further lines which,
        and exit with code 75. `asked`: who may not answer."""
        while True:
            lacking = self._ask(missing, "")
            if lacking is None:
                return
            lacking = lacking or f"{asked.name} does not answer"
            if time.monotonic() > self._deadline:
                _print(f"tracker: after {self._timeout:g} s {lacking}", self._ask(which, []))
                sys.exit(_TRY_AGAIN)
            time.sleep(_POLL_INTERVAL)

    def _ask(self, question: Callable[[], T], otherwise: U) -> T | U:
        """The answer, if there is one by the deadline: a name may take long to be found, a server
        may hang, or answer byte by byte."""
        answer: Future[T] = Future()
        context = click.get_current_context()

        def work() -> None:
            try:
                with context.scope(cleanup=False):
                    answer.set_result(question())
            except BaseException as error:  # noqa: BLE001 - raised below
                answer.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        left = min(max(_LEAST_SECONDS, self._deadline - time.monotonic()), threading.TIMEOUT_MAX)
        done, _ = futures.wait([answer], left)
        return answer.result() if done else otherwise


class _Server:
    """The one that is asked. `name`: its address, once that is known."""

    def __init__(self, options: dict[str, Any], name: str = "the server") -> None:
        self._options = options
        self.name = name

    def not_ready(self) -> str | None:
        """Why it is not, None: it is. Its ready file may have been written since the last check,
        and a proxy before it may have no server yet."""
        try:
            client = find_server(**self._options, patience=0)
            self.name = client.url
            client.health()
        except Unreachable as error:
            return f"the server is not ready: {error}"
        except Refused as refused:
            if refused.status < 500:
                raise
            return f"the server is not ready: {refused}"
        return None


class _Counts(NamedTuple):
    total: int
    active: int
    failed: int


class _Tasks:
    """The tasks that are waited for."""

    def __init__(self, client: Client, project: str | None) -> None:
        self._client = client
        self._project = project
        self._had_any = False
        self.counts = _Counts(0, 0, 0)  # of the last look

    def not_ended(self) -> str | None:
        """What is still to end, None: nothing."""
        total, active, _ = self.counts = self._count()
        self._had_any = self._had_any or total > 0
        if active:
            return f"{active} of {total} tasks had not ended"
        # None at all: the agents have not begun, or what they did was deleted.
        return None if self._had_any else "no task was reported"

    def _count(self) -> _Counts:
        if self._project is None:
            overview = self._client.stats()["overview"]
            names = ("total_tasks", "active_tasks", "failed_tasks")
            return _Counts(*(overview[name] for name in names))
        try:
            counts = self._client.stats(self._project)["task_stats"]
        except Refused as refused:
            if refused.status != 404:
                raise
            return _Counts(0, 0, 0)  # it appears with its first report
        active = sum(counts[status] for status in ACTIVE)
        return _Counts(counts["total"], active, counts["failed"])

    def open_lines(self) -> list[str]:
        """Those that `not_ended` has counted."""
        return self.lines(ACTIVE) if self.counts.active else []

    def lines(self, statuses: Iterable[Status]) -> list[str]:
        """Those of these statuses, a line each; the first of them only."""
        from tracker.cli.summaries import named, outcome

        pages = (self._client.tasks(self._project, status=status) for status in statuses)
        found = list(islice(chain.from_iterable(pages), _MAX_LISTED + 1))
        lines = [
            f"  {self._project or task['project']}: {named(task)}: {outcome(task)}"
            for task in found[:_MAX_LISTED]
        ]
        return lines if len(found) <= _MAX_LISTED else [*lines, "  …"]


def _print(said: str, lines: list[str]) -> None:
    for line in [f"{said}:" if lines else said, *lines]:
        print_text(line, err=True)
