"""`tracker show`: one task with its history."""

from __future__ import annotations

import json
from typing import Any

import click

from agent_task_tracker.client import Client
from tracker.cli.attention import notes, shown_status
from tracker.cli.connection import with_client
from tracker.cli.output import console, duration, local_time, print_json
from tracker.cli.usage_text import by_model, usage_text
from tracker.text import printable, printable_lines


@click.command()
@click.argument("project")
@click.argument("task_id")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON.")
@with_client(patience=1.0)
def show(client: Client, *, project: str, task_id: str, as_json: bool) -> None:
    """Show one task with its history."""
    task = client.task(project, task_id)
    if as_json:
        print_json(task)
        return

    from rich.text import Text

    from tracker.cli.tables import event_summary, status_text, table

    out = console()
    out.print(Text(printable(task["title"]), "bold"))
    status = status_text(shown_status(task))
    out.print(status, f"{task['progress']:g}%, attempt {task['attempt']}")
    for note in notes(task):
        out.print(Text(printable(note), status.style), soft_wrap=not out.is_terminal)
    facts = [(name, value) for name, value in _facts(task) if value]
    out.print(table(("=", ""), facts, wraps=True), crop=False)
    if task["stack_trace"]:
        out.print(Text(printable_lines(task["stack_trace"]), "dim"))
    out.print()
    events = (
        (e["id"], local_time(e["timestamp"]), e["type"], event_summary(e)) for e in task["events"]
    )
    columns = ("#EVENT", "=TIME", "=TYPE", "")
    out.print(table(columns, events, gives=("TIME", "EVENT"), wraps=True), crop=False)


def _facts(task: dict[str, Any]) -> list[tuple[str, str | None]]:
    error = task["error_type"] and f"{task['error_type']}: {task['error_message']}"
    return [
        ("Task", f"{task['project']}/{task['task_id']}"),
        ("Agent", task["agent"]),
        ("Session", task.get("session")),
        ("Parent", task.get("parent_task_id")),
        ("Started", local_time(task["started_at"])),
        ("Finished", local_time(task["finished_at"])),
        ("Duration", duration(task["duration_seconds"])),
        ("Message", task["message"]),
        ("Result", task["result"]),
        ("Error", error),
        *_usage(task),
        ("Metadata", json.dumps(task["metadata"], ensure_ascii=False) if task["metadata"] else ""),
    ]


def _usage(task: dict[str, Any]) -> list[tuple[str, str]]:
    own, total = usage_text(task.get("usage")), usage_text(task.get("usage_total"))
    models = by_model(task.get("usage"))
    return [
        ("Usage", own),
        *((("", f"{model}: {used}") for model, used in models) if len(models) > 1 else ()),
        ("With all it started", total if total != own else ""),
    ]
