"""`tracker ls`: projects, or tasks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import click

from agent_task_tracker.client import Client
from tracker.cli.attention import brief_note, shown_status
from tracker.cli.connection import with_client
from tracker.cli.output import console, duration, local_time, print_json
from tracker.domain.tasks import Status
from tracker.text import printable

if TYPE_CHECKING:
    from rich.console import Console

_CELLS: Final[dict[str, Callable[[dict[str, Any]], object]]] = {
    "PROJECT": itemgetter("project"),
    "TASK": itemgetter("task_id"),
    "STATUS": shown_status,
    "#PROGRESS": lambda task: f"{task['progress']:g}%",
    "#DURATION": lambda task: duration(task["duration_seconds"]),
    "STARTED": lambda task: local_time(task["started_at"]),
    "AGENT": itemgetter("agent"),
    "TITLE": itemgetter("title"),
}


@click.command()
@click.argument("project", required=False)
@click.option("--tasks", "all_tasks", is_flag=True, help="Tasks even without PROJECT.")
@click.option("--status", type=click.Choice([status.value for status in Status]))
@click.option("--agent", help="Tasks of this agent only.")
@click.option("-q", "--query", help="Tasks with these words in title, id, agent, result or error.")
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each.")
@with_client(patience=1.0)
def ls(
    client: Client,
    *,
    project: str | None,
    all_tasks: bool,
    status: str | None,
    agent: str | None,
    query: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List projects, or tasks.

    Without PROJECT, --tasks and what chooses tasks list those of all projects. Projects are in the
    order of their names, tasks newest first.
    """
    of_projects = project is None and not (all_tasks or status or agent or query)
    if of_projects:
        items = list(islice(client.projects(), limit))
    else:
        items = list(islice(client.tasks(project, status=status, agent=agent, q=query), limit))
    if as_json:
        for item in items:
            print_json(item)
        return

    from tracker.cli.tables import table

    if of_projects:
        output = table(
            ("PROJECT", "#TASKS", "#ACTIVE", "UPDATED"),
            (
                (p["name"], p["task_count"], p["active_tasks"], local_time(p["updated_at"]))
                for p in items
            ),
        )
    else:
        columns: tuple[str, ...] = (
            "TASK",
            "STATUS",
            "#PROGRESS",
            "#DURATION",
            "STARTED",
            "AGENT",
            "TITLE",
        )
        if project is None:
            columns = ("PROJECT", *columns)
        output = table(columns, ([_CELLS[column](item) for column in columns] for item in items))
    out = console()
    out.print(output)
    if not of_projects:
        _print_notes(out, items)


def _print_notes(out: Console, tasks: list[dict[str, Any]]) -> None:
    """Below the table, where there is room for all that is asked."""
    from rich.text import Text

    from tracker.cli.tables import status_text

    notes = [(task, brief_note(task)) for task in tasks]
    noted = [(task, note) for task, note in notes if note]
    if noted:
        out.print()
    for task, note in noted:
        style = status_text(shown_status(task)).style
        out.print(Text(printable(f"{task['task_id']}: {note}"), style), soft_wrap=True)
