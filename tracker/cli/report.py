"""`tracker report`: what became of the tasks, for a CI job's summary page or a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click

from agent_task_tracker.client import Client
from tracker.cli import summaries
from tracker.cli.connection import with_client
from tracker.cli.output import print_utf8
from tracker.domain.tasks import Status

_FORMATS: Final[dict[str, Callable[[list[summaries.Project]], str]]] = {
    "md": summaries.markdown,
    "junit": summaries.junit,
    "json": summaries.as_json,
}

# Stack traces are fetched for so many of the newest failed tasks, one by one.
_MAX_TRACES: Final = 100


@click.command()
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(_FORMATS)),
    default="md",
    show_default=True,
    help="md for a summary page, junit for test readers, json for programs.",
)
@click.option("--project", help="This project only.")
@with_client(patience=5.0)
def report(client: Client, *, format_: str, project: str | None) -> None:
    """Summarise tasks for a CI job, a JUnit reader or a program."""
    names = [p["name"] for p in client.projects()] if project is None else [project]
    projects = [summaries.Project(client.stats(name), list(client.tasks(name))) for name in names]
    tasks = [(project.name, task) for project in projects for task in project.tasks]
    failed = [(name, task) for name, task in tasks if task["status"] == Status.FAILED]
    for name, task in failed[:_MAX_TRACES]:
        task["stack_trace"] = client.task(name, task["task_id"])["stack_trace"]
    print_utf8(_FORMATS[format_](projects))
