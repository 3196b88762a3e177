"""`tracker start|status|finish|error`: the webhooks for shell scripts."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import click

from agent_task_tracker.client import Client
from tracker.cli.connection import with_client
from tracker.cli.output import note_if_output_fails, print_json, print_text
from tracker.domain.limits import MAX_NAME, MAX_STALE_AFTER_SECONDS
from tracker.domain.tasks import Status

# Seconds: longer than a restart of the server takes.
_RETRY_SECONDS = 10.0


class _JsonObject(click.ParamType[dict[str, Any]]):
    name = "json"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """See click.ParamType."""
        try:
            parsed = json.loads(value)
        except ValueError as error:
            self.fail(f"this is not JSON: {error}", param, ctx)
        if not isinstance(parsed, dict):
            self.fail('expected an object, as in \'{"priority": "high"}\'', param, ctx)
        return parsed


_OPTIONS = (
    click.option("--project", required=True, envvar="TRACKER_PROJECT", show_envvar=True),
    click.option("--task", required=True, help="The task's title."),
    click.option(
        "--task-id", help="Names the task within its project.  [default: the title itself]"
    ),
    click.option(
        "--agent", default="shell", envvar="TRACKER_AGENT", show_envvar=True, show_default=True
    ),
    click.option("--metadata", type=_JsonObject(), metavar="JSON", help="An object."),
    click.option(
        "--session", envvar="TRACKER_SESSION", show_envvar=True, help="The run that it belongs to."
    ),
    click.option("--parent", "parent_task_id", metavar="TASK-ID", help="The task that started it."),
    click.option("--attention", metavar="TEXT", help="It needs a person, for this."),
    click.option(
        "--attention-id",
        metavar="ID",
        help="Names what it needs a person for; without --attention: it no longer does.",
    ),
    click.option(
        "--stale-after",
        "stale_after_seconds",
        type=click.FloatRange(0, MAX_STALE_AFTER_SECONDS, min_open=True),
        metavar="SECONDS",
        help="How long its silence is normal.",
    ),
    click.option(
        "--occurred-at", metavar="TIME", help="When it happened, in ISO 8601, if not just now."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON."),
)


def _webhook(command: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    """Add the options that all four have, and print the server's response."""

    @with_client(patience=_RETRY_SECONDS)
    @functools.wraps(command)
    def wrapped(client: Client, **options: Any) -> None:
        as_json = options.pop("as_json")
        options["task_id"] = options["task_id"] or _id_of(options["task"])
        if options["attention"] is None and options["attention_id"] is None:
            del options["attention"]
        answer = command(client, **options)
        event = f"event {answer['event_id']}"
        with note_if_output_fails(f"the report was recorded as {event}"):
            if as_json:
                print_json(answer)
            else:
                print_text(
                    f"{answer['message']}: {options['project']}/{options['task_id']}, {event}"
                )

    return functools.reduce(lambda inner, option: option(inner), reversed(_OPTIONS), wrapped)


def _id_of(title: str) -> str:
    """Scripts name a task by its title; the reports of one task share it."""
    if len(title) > MAX_NAME:
        raise click.UsageError(f"The title is over {MAX_NAME} characters: give --task-id as well.")
    return title


@click.command()
@_webhook
def start(client: Client, **names: Any) -> dict[str, Any]:
    """Report that a task begins.

    The same for one that has ended begins a new attempt.
    """
    return client.start(**names)


@click.command()
@click.option(
    "--status",
    "status_",
    type=click.Choice([status.value for status in Status]),
    default=Status.RUNNING.value,
    show_default=True,
)
@click.option("--progress", type=click.FloatRange(0, 100), help="In percent.")
@click.option("--message", help="What the task is doing.")
@_webhook
def status(client: Client, status_: str, **rest: Any) -> dict[str, Any]:
    """Report how far a task is."""
    return client.status(status=status_, **rest)


@click.command()
@click.option("--result", help="What came of it.")
@click.option(
    "--duration",
    "duration_seconds",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="[default: measured by the server since the start]",
)
@_webhook
def finish(client: Client, **rest: Any) -> dict[str, Any]:
    """Report that a task is done."""
    return client.finish(**rest)


@click.command()
@click.option("--message", "error_message", required=True, help="What went wrong.")
@click.option("--type", "error_type", default="Error", show_default=True, help="Kind of error.")
@click.option(
    "--stack-trace",
    type=click.File("rb"),
    metavar="FILE",
    help="A log or trace to attach, - for standard input. Of one over 10 KB the head and the tail "
    "are sent.",
)
@_webhook
def error(client: Client, stack_trace: Any, **rest: Any) -> dict[str, Any]:
    """Report that a task failed."""
    text = None if stack_trace is None else stack_trace.read().decode("utf-8", "replace")
    return client.error(stack_trace=text, **rest)
