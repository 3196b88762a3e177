"""`tracker start|status|finish|error`: the webhooks for shell scripts."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import click

from agent_task_tracker.errors import ClientError
from tracker.cli.connection import find_server, with_options
from tracker.cli.output import note_if_output_fails, print_json, print_text
from tracker.cli.reporting import find_reporter
from tracker.domain.limits import MAX_NAME, MAX_STALE_AFTER_SECONDS
from tracker.domain.tasks import Status
from tracker.errors import StartupError
from tracker.run.arguments import SERVER

# Seconds: longer than a restart of the server takes.
_RETRY_SECONDS = 10.0

# Seconds that a report which nobody waits for may take on its way; then it is kept for later.
_QUIET_SECONDS = 0.25


_LATE = "The task has ended and stays as it is; the status joins its history"


class _Json(click.ParamType[Any]):
    name = "json"

    def __init__(self, example: str, *types: type) -> None:
        self._example = example
        self._types = types

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click.ParamType."""
        try:
            parsed = json.loads(value)
        except ValueError as error:
            self.fail(f"this is not JSON: {error}", param, ctx)
        if not isinstance(parsed, self._types):
            self.fail(f"expected an object, as in '{self._example}'", param, ctx)
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
    click.option(
        "--metadata", type=_Json('{"priority": "high"}', dict), metavar="JSON", help="An object."
    ),
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
        "--usage",
        type=_Json('{"input_tokens": 1200, "cost_usd": 0.42}', dict, list),
        metavar="JSON",
        help="What it has used so far: an object, or a list with one for each model.",
    ),
    click.option(
        "--occurred-at", metavar="TIME", help="When it happened, in ISO 8601, if not just now."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON."),
    click.option(
        "--quiet",
        is_flag=True,
        envvar="TRACKER_QUIET",
        show_envvar=True,
        help="Hand the report over and wait for nobody: it is kept until the server takes it. "
        "Prints nothing, exit code 0.",
    ),
)


def _webhook(fields_of: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    """Make the command that reports what `fields_of` makes of its options: with those that all four
    have, and the server's answer printed."""
    kind = fields_of.__name__

    @with_options
    @functools.wraps(fields_of)
    def wrapped(as_json: bool, quiet: bool, **options: Any) -> None:
        server = {name: options.pop(name) for name in SERVER}
        fields = fields_of(**options)
        fields["task_id"] = fields["task_id"] or _id_of(fields["task"])
        if fields["attention"] is None and fields["attention_id"] is None:
            del fields["attention"]
        if quiet:
            _hand_over(kind, fields, server)
        else:
            client = find_server(**server, patience=_RETRY_SECONDS)
            _print(getattr(client, kind)(**fields), fields, as_json=as_json)

    return functools.reduce(lambda inner, option: option(inner), reversed(_OPTIONS), wrapped)


def _print(answer: dict[str, Any], fields: dict[str, Any], *, as_json: bool) -> None:
    event = f"event {answer['event_id']}"
    with note_if_output_fails(f"the report was recorded as {event}"):
        if as_json:
            print_json(answer)
        else:
            what = _LATE if answer.get("late") is True else answer["message"]
            print_text(f"{what}: {fields['project']}/{fields['task_id']}, {event}")


def _hand_over(kind: str, fields: dict[str, Any], server: dict[str, Any]) -> None:
    """Whatever comes of it, the script that reports goes on; if the report is lost, one line on
    standard error says so."""
    try:
        reporter = find_reporter(**server, quiet=True)
    except (ClientError, StartupError) as error:
        print_text(f"tracker: the report is lost: {error}", err=True)
        return
    reporter.report(kind, fields)
    closed = reporter.close(_QUIET_SECONDS)
    if closed.lost or closed.rejected:
        print_text(f"tracker: the report is lost: {closed.problem}", err=True)


def _id_of(title: str) -> str:
    """Scripts name a task by its title; the reports of one task share it."""
    if len(title) > MAX_NAME:
        raise click.UsageError(f"The title is over {MAX_NAME} characters: give --task-id as well.")
    return title


@click.command()
@_webhook
def start(**fields: Any) -> dict[str, Any]:
    """Report that a task begins.

    The same for one that has ended begins a new attempt.
    """
    return fields


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
def status(status_: str, **rest: Any) -> dict[str, Any]:
    """Report how far a task is."""
    return {"status": status_, **rest}


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
def finish(**fields: Any) -> dict[str, Any]:
    """Report that a task is done."""
    return fields


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
def error(stack_trace: Any, **rest: Any) -> dict[str, Any]:
    """Report that a task failed."""
    text = None if stack_trace is None else stack_trace.read().decode("utf-8", "replace")
    return {"stack_trace": text, **rest}
