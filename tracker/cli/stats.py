"""`tracker stats`: figures over everything, or of one project."""

from __future__ import annotations

from typing import Any

import click

from agent_task_tracker.client import Client
from tracker.cli.connection import with_client
from tracker.cli.output import console, duration, print_json
from tracker.cli.usage_text import by_model, usage_text


@click.command()
@click.argument("project", required=False)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON.")
@with_client(patience=1.0)
def stats(client: Client, *, project: str | None, as_json: bool) -> None:
    """Show figures over everything, or of one project."""
    figures = client.stats(project)
    if as_json:
        print_json(figures)
        return

    from tracker.cli.tables import table

    out = console()
    counts = figures["overview"] if project is None else figures["task_stats"]
    out.print(table(("=", "#"), (*_named(counts), *_performance(figures["performance"]))))
    used = figures.get("usage")
    if usage_text(used):
        rows = [("All models", usage_text(used)), *by_model(used)]
        out.print()
        out.print(table(("MODEL", "USAGE"), rows, wraps=True), crop=False)
    out.print()
    if project is None:
        out.print(
            table(
                ("AGENT", "#TASKS", "#SUCCESS", "#AVERAGE", "USAGE"),
                (
                    (
                        a["name"],
                        a["task_count"],
                        f"{a['success_rate']}%",
                        duration(a["average_duration"]),
                        usage_text(a.get("usage")),
                    )
                    for a in figures["agents"]
                ),
                gives=("USAGE", "AVERAGE"),
            )
        )
    else:
        out.print(
            table(
                ("=DAY", "#COMPLETED", "#FAILED"),
                ((day["date"], day["completed"], day["failed"]) for day in figures["timeline"]),
            )
        )


def _named(counts: dict[str, int]) -> list[tuple[str, object]]:
    return [(name.replace("_", " ").capitalize(), count) for name, count in counts.items()]


def _performance(figures: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        ("Success rate", f"{figures['success_rate']}%"),
        ("Success rate of the ended", f"{figures['finished_success_rate']}%"),
        ("Average duration", duration(figures["average_duration"])),
    ]
