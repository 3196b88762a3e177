"""`tracker ls`: projects, or tasks."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import click

from agent_task_tracker.client import Client
from tracker.cli.attention import brief_note, shown_status
from tracker.cli.connection import with_client
from tracker.cli.output import console, duration, local_time, print_json
from tracker.cli.signals import tidy_end
from tracker.domain.tasks import Status
from tracker.text import printable

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

Json = dict[str, Any]

_CELLS: Final[dict[str, Callable[[Json], object]]] = {
    "PROJECT": itemgetter("project"),
    "TASK": itemgetter("task_id"),
    "=STATUS": shown_status,
    "#PROGRESS": lambda task: f"{task['progress']:g}%",
    "#DURATION": lambda task: duration(task["duration_seconds"]),
    "=STARTED": lambda task: local_time(task["started_at"]),
    "AGENT": itemgetter("agent"),
    "TITLE": itemgetter("title"),
}
# What is left out first where there is little room.
_GIVES: Final = ("STARTED", "AGENT", "DURATION", "PROJECT", "PROGRESS", "TASK")

# Seconds between two looks of --watch.
_WATCH_INTERVAL: Final = 2.0


@click.command()
@click.argument("project", required=False)
@click.option("--tasks", "all_tasks", is_flag=True, help="Tasks even without PROJECT.")
@click.option("--status", type=click.Choice([status.value for status in Status]))
@click.option("--agent", help="Tasks of this agent only.")
@click.option("-q", "--query", help="Tasks with these words in title, id, agent, result or error.")
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many."
)
@click.option("--watch", is_flag=True, help="On a terminal: keep it up to date, until Ctrl-C.")
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
    watch: bool,
    as_json: bool,
) -> None:
    """List projects, or tasks.

    Without PROJECT: first the tasks that run, then the projects in the order of their names; with
    --tasks or what chooses tasks, those of all projects. Tasks come newest first. With --json a
    task has all that it takes to start it again, and no PROJECT lists the projects alone.
    """
    if watch and (as_json or not sys.stdout.isatty()):
        raise click.UsageError("--watch is for a terminal; programs take `tracker tail -f --json`")
    of_projects = project is None and not (all_tasks or status or agent or query)

    def tasks(status: str | None = status) -> list[Json]:
        found = client.tasks(project, status=status, agent=agent, q=query)
        return list(islice(found, limit))

    def projects() -> list[Json]:
        return list(islice(client.projects(), limit))

    if as_json:
        for item in projects() if of_projects else tasks():
            print_json(item if of_projects else _whole(client, {"project": project, **item}))
        return

    def view() -> Group:
        from rich.console import Group

        if not of_projects:
            return Group(*_tasks(tasks(), with_project=project is None))
        running = _tasks(tasks(Status.RUNNING), with_project=True, if_any=True)
        return Group(*running, _projects(projects()))

    if watch:
        _watch(view)
    else:
        console().print(view(), soft_wrap=True)


def _whole(client: Client, task: Json) -> Json:
    """The task with all that a page has cut, so that it can be started again as it was."""
    if not task.get("truncated"):
        return task
    all_of_it = client.task(task["project"], task["task_id"])
    return {**task, **{name: all_of_it[name] for name in task if name in all_of_it}}


def _tasks(tasks: list[Json], *, with_project: bool, if_any: bool = False) -> list[RenderableType]:
    """A table, and below it what is asked, where there is room for all of it. `if_any`: nothing for
    none, and an empty line at the end."""
    from rich.text import Text

    from tracker.cli.tables import status_text, table

    if if_any and not tasks:
        return []
    names = [name for name in _CELLS if with_project or name != "PROJECT"]
    rows = ([_CELLS[name](task) for name in names] for task in tasks)
    shown: list[RenderableType] = [table(names, rows, gives=_GIVES)]
    notes = [(task, note) for task in tasks if (note := brief_note(task))]
    if notes:
        shown.append("")
    for task, note in notes:
        style = status_text(shown_status(task)).style
        shown.append(Text(printable(f"{task['task_id']}: {note}"), style, overflow="fold"))
    return [*shown, ""] if if_any else shown


def _projects(projects: list[Json]) -> RenderableType:
    from tracker.cli.tables import table

    return table(
        ("PROJECT", "#TASKS", "#ACTIVE", "=UPDATED"),
        (
            (p["name"], p["task_count"], p["active_tasks"], local_time(p["updated_at"]))
            for p in projects
        ),
        gives=("UPDATED",),
    )


def _watch(view: Callable[[], Group]) -> None:
    """Show it in place of what the terminal showed, again and again, until Ctrl-C."""
    from rich.live import Live

    # Not refreshed by a thread of its own: a failed write there would print a traceback.
    with (
        tidy_end(),  # the terminal's cursor and its former content come back
        contextlib.suppress(KeyboardInterrupt),
        Live(view(), console=console(), screen=True, auto_refresh=False) as live,
    ):
        while True:
            time.sleep(_WATCH_INTERVAL)
            live.update(view(), refresh=True)
