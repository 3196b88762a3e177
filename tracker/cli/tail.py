"""`tracker tail`: the newest events, and with -f each as it comes, with live progress bars."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from agent_task_tracker.client import Client
from agent_task_tracker.errors import Refused
from tracker.cli.attention import shown_status
from tracker.cli.connection import with_client
from tracker.cli.marks import WAITING
from tracker.cli.output import console, local_time, print_json, print_text
from tracker.domain.tasks import ACTIVE, DELETIONS, EventType
from tracker.text import printable

if TYPE_CHECKING:
    from rich.progress import TaskID
    from rich.text import Text

Event = dict[str, Any]


@click.command()
@click.option("--project", help="Events of this project only.")
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="So many to begin."
)
@click.option("-f", "--follow", is_flag=True, help="Go on as events come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each event.")
@with_client(patience=5.0)
def tail(client: Client, *, project: str | None, lines: int, follow: bool, as_json: bool) -> None:
    """Print the newest events; -f goes on as they come."""
    last = client.last_event_id()
    newest = client.newest_events(lines, project=project)
    if project is not None and not newest:
        _expect(client, project, follow=follow)
    live = follow and not as_json and sys.stdout.isatty()
    with contextlib.ExitStack() as stack:
        print_event: Callable[[Event], None] = print_json
        if live:
            print_event = stack.enter_context(_LiveView()).print_event
        elif not as_json:
            out = console()
            print_event = lambda event: out.print(_line(event), soft_wrap=True)  # noqa: E731
        for event in newest:
            print_event(event)
        if follow:
            stack.enter_context(contextlib.suppress(KeyboardInterrupt))
            since = max([last, *(event["id"] for event in newest)])
            for event in client.follow(since, project=project):
                print_event(event)


def _expect(client: Client, project: str, *, follow: bool) -> None:
    """Raises Refused: there is no such project; one that is followed may still come."""
    try:
        client.stats(project)
    except Refused as refused:
        if not (follow and refused.status == 404):
            raise
        print_text(f"tracker: there is no project {project!r} yet; waiting for it", err=True)


class _LiveView:
    """Lines of events, and below them a progress bar for each running task."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            console=console(),
            transient=True,
            auto_refresh=False,  # a failed write in its thread would print a traceback
        )
        self._shown: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> _LiveView:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def print_event(self, event: Event) -> None:
        """Print the event and move its task's bar."""
        self._bars.print(_line(event))
        data = event["data"]
        if event["type"] == "resync_required":  # those tasks may be gone, or have ended
            self._drop(set(self._shown))
        if event["type"] == EventType.PROJECT_DELETED:
            self._drop({task for task in self._shown if task[0] == data.get("project")})
        if "task_id" not in data:
            return
        task = (data.get("project", ""), data["task_id"])
        if data.get("status") in ACTIVE and event["type"] != EventType.TASK_DELETED:
            waits = "  needs you" if shown_status(data) == WAITING else ""
            name = printable(f"{task[0]}  {data.get('title', '')}{waits}")
            if task not in self._shown:
                self._shown[task] = self._bars.add_task(name, total=100)
            bar = self._shown[task]
            self._bars.update(bar, description=name, completed=data.get("progress"))
        else:
            self._drop({task} & self._shown.keys())
        self._bars.refresh()

    def _drop(self, tasks: set[tuple[str, str]]) -> None:
        for task in tasks:
            self._bars.remove_task(self._shown.pop(task))


def _line(event: Event) -> Text:
    from rich.text import Text

    from tracker.cli.tables import event_summary, status_text

    data = event["data"]
    if event["type"] == "resync_required":
        return Text("Older events are gone; what is left follows.", "yellow")
    line = Text(local_time(event["timestamp"]), "dim")
    name = "/".join(data[part] for part in ("project", "task_id") if part in data)
    line.append(f"  {printable(name)}  ", "")
    is_gone = event["type"] in DELETIONS
    line.append_text(status_text("deleted" if is_gone else shown_status(data) or event["type"]))
    summary = printable(event_summary(event))
    line.append(f"  {printable(data.get('title', ''))}  {summary}".rstrip(), "")
    return line
