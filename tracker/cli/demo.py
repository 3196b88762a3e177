"""`tracker demo`: a simulated team of agents reports to a running server."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import click

from agent_task_tracker.client import segment
from agent_task_tracker.errors import ClientError, Refused, Unreachable
from agent_task_tracker.shapes import BATCH
from agent_task_tracker.transport import Transport
from tracker.cli.connection import locate_server, with_options
from tracker.cli.output import print_text
from tracker.cli.signals import tidy_end

if TYPE_CHECKING:
    from tracker.cli.demo_story import ScheduledReport
    from tracker.cli.discovery import FoundServer

# Seconds between two requests: at most 60 a minute, of the 100 that a key has by default.
_INTERVAL: Final = 1.0

_MAX_REPORTS: Final = 500  # of a request

# Seconds to keep trying: at first and at the end, and once there was a server. The latter is more
# than a limit takes to be open again.
_LITTLE_PATIENCE: Final = 5.0
_PATIENCE: Final = 75.0


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    help="How long the team works.",
)
@click.option(
    "--pace",
    type=click.FloatRange(0.1, 600),
    default=18.0,
    show_default=True,
    help="How long an agent takes for a task, about, in seconds.",
)
@click.option("--keep", is_flag=True, help="Leave the projects of the demo there.")
@with_options
def demo(*, seconds: float, pace: float, keep: bool, **server: Any) -> None:
    """Watch the dashboard fill: a simulated team of agents reports for a minute.

    Its projects have names of their own, and are deleted at the end.
    """
    from tracker.cli.demo_story import AGENTS, schedule

    run = f"demo-{secrets.token_hex(3)}"
    reports = schedule(seconds, secrets.randbits(32), run, pace=(pace * 0.7, pace * 1.4))
    team = _Team(locate_server(**server), run)
    print_text(f"{len(AGENTS)} agents work for {seconds:g} s; watch them at {team.url}")
    with tidy_end():
        try:
            team.work(reports)
        finally:
            ended_by = sys.exception()
            if team.has_begun and not isinstance(ended_by, Unreachable):
                team.leave(keep=keep)
            elif isinstance(ended_by, SystemExit | KeyboardInterrupt):
                with suppress(ClientError):  # perhaps nobody was there, and nothing has to go
                    team.leave(keep=keep)


class _Team:
    """Its projects are its own: their names begin with `run`."""

    def __init__(self, server: FoundServer, run: str) -> None:
        self._first = server.transport(_LITTLE_PATIENCE)
        self._later = server.transport(_PATIENCE)
        self._run = run
        # Also of what was on its way when a signal came.
        self._projects: set[str] = set()
        self._sent: list[ScheduledReport] = []
        self.url = self._first.url

    @property
    def has_begun(self) -> bool:
        """Whether anything was sent."""
        return bool(self._sent)

    def work(self, reports: Sequence[ScheduledReport]) -> None:
        """Send what is due, as time passes."""
        started = time.monotonic()
        while rest := reports[len(self._sent) :]:
            time.sleep(
                max(_INTERVAL if self._sent else 0.0, started + rest[0].at - time.monotonic())
            )
            now = time.monotonic() - started
            due = [report for report in rest if report.at <= now][:_MAX_REPORTS]
            self._send(due, self._later if self._sent else self._first)

    def leave(self, *, keep: bool) -> None:
        """End the tasks that have not ended; delete the projects, or `keep` them."""
        from tracker.cli.demo_story import ends

        sent = len(self._sent)
        rest = ends(self._sent)
        for at in range(0, len(rest), _MAX_REPORTS):
            self._send(rest[at : at + _MAX_REPORTS], self._later)
        projects = sorted(self._projects)
        where = f"{len(projects)} projects, {self._run}/…"
        if keep:
            print_text(f"{sent} reports sent, to {where}")
            return
        for project in projects:
            try:
                self._first.send("DELETE", f"/api/projects/{segment(project)}")
            except Refused as refused:
                if refused.status != 404:  # somebody has deleted it
                    raise ClientError(f"{where}, cannot be deleted: {refused}") from None
        print_text(f"{sent} reports sent; their {len(projects)} projects are deleted (see --keep)")

    def _project(self, report: ScheduledReport) -> str:
        return f"{self._run}/{report.fields['project']}"

    def _send(self, reports: Sequence[ScheduledReport], transport: Transport) -> None:
        bodies = [
            {
                **report.fields,
                "kind": report.kind,
                "project": self._project(report),
                "idempotency_key": secrets.token_urlsafe(18),
            }
            for report in reports
        ]
        self._projects.update(map(self._project, reports))
        body = json.dumps({"reports": bodies}, ensure_ascii=False).encode()
        answer = transport.post("/webhook/batch", body, None, BATCH)
        self._sent += reports
        for result in answer["results"]:
            if "error" in result:
                raise ClientError(f"a report was refused: {result['error'].get('message')}")
