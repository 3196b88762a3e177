"""`tracker demo`: a simulated team of agents reports to a running server."""

from __future__ import annotations

import secrets
import time

import click

from agent_task_tracker.client import Client
from tracker.cli.connection import with_client
from tracker.cli.output import print_text


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
@with_client(patience=30.0)
def demo(client: Client, *, seconds: float, pace: float) -> None:
    """Watch the dashboard fill: a simulated team of agents reports for a minute."""
    from tracker.cli.demo_story import AGENTS, schedule

    run = f"demo-{secrets.token_hex(3)}"
    reports = schedule(seconds, secrets.randbits(32), run, pace=(pace * 0.7, pace * 1.4))
    print_text(f"{len(AGENTS)} agents work for {seconds:g} s; watch them at {client.url}")
    started = time.monotonic()
    send_by_kind = {
        "start": client.start,
        "status": client.status,
        "finish": client.finish,
        "error": client.error,
    }
    for at, kind, fields in reports:
        time.sleep(max(0.0, started + at - time.monotonic()))
        send_by_kind[kind](**fields)  # type: ignore[operator]
    click.echo(f"{len(reports)} reports sent; delete them with their projects, or keep them.")
