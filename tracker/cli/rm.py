"""`tracker rm`: a task, or a project with all of its tasks."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from agent_task_tracker.client import Client
from tracker.cli.connection import with_client
from tracker.cli.database import as_json, print_result
from tracker.cli.output import print_text
from tracker.text import printable

_FAILED: Final = 1


@click.command()
@click.argument("project")
@click.argument("task_id", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_client(patience=1.0)
@as_json
def rm(client: Client, *, project: str, task_id: str | None, yes: bool, as_json: bool) -> None:
    """Remove a task, or a project, with all history.

    Of PROJECT the task TASK_ID; without it, PROJECT with all of its tasks. It is gone from lists,
    figures and the event log: see `tracker backup`.
    """
    what, removed = _look_up(client, project, task_id)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"There is nobody to ask; --yes removes {printable(what)}.")
        if not click.confirm(f"Remove {printable(what)}?", err=True):
            print_text("Nothing was removed.", err=True)
            sys.exit(_FAILED)
    if task_id is None:
        client.delete_project(project)
    else:
        client.delete_task(project, task_id)
    print_result(removed, f"Removed {what}.", as_json=as_json)


def _look_up(client: Client, project: str, task_id: str | None) -> tuple[str, dict[str, Any]]:
    """What it is, in words and for programs. Raises Refused: there is none."""
    if task_id is None:
        tasks = client.project(project)["task_count"]
        of = "1 task" if tasks == 1 else f"{tasks} tasks"
        return f"the project {project} with {of}", {"project": project, "tasks": tasks}
    task = client.task(project, task_id)
    what = f"the task {project}/{task_id} ({task['title']}, {task['status']})"
    return what, {"project": project, "task_id": task_id}
