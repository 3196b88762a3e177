"""What the API offers people to do about tasks; see `operations`."""

from __future__ import annotations

from functools import partial
from typing import Final

from tracker.api import acts, answers
from tracker.api.openapi import examples
from tracker.api.openapi.operations import Operation, Response
from tracker.domain.principal import Right

_PATH: Final = "/api/projects/{project_name}/tasks/{task_id}"
_operation = partial(
    Operation,
    tag="Projects and tasks",
    right=Right.ANSWER,
    answers={
        200: Response("The task as it is now.", answers.TaskOfProject, examples.TASK_OF_PROJECT)
    },
)

ACT_OPERATIONS: Final = (
    _operation(
        method="post",
        path=f"{_PATH}/acknowledge",
        id="acknowledge_task",
        summary="Acknowledge what a task needs a person for",
        description="Until there is something new to see to. An event, `task_acknowledged`, tells "
        "it to everybody; once more changes nothing.",
    ),
    _operation(
        method="delete",
        path=f"{_PATH}/acknowledge",
        id="unacknowledge_task",
        summary="Take an acknowledgement back",
    ),
    _operation(
        method="post",
        path=f"{_PATH}/snooze",
        id="snooze_task",
        summary="Put off what a task needs a person for",
        description="For so long, or until there is something new to see to. The event is "
        "`task_snoozed`.",
        body=acts.SnoozeBody,
        example={"minutes": 30},
    ),
    _operation(
        method="delete",
        path=f"{_PATH}/snooze",
        id="unsnooze_task",
        summary="End a snooze",
    ),
    _operation(
        method="post",
        path=f"{_PATH}/fail",
        id="fail_task",
        summary="End a task as failed, by hand",
        description="For a task whose agent will not tell any more. As a report to "
        "`/webhook/error`; `metadata.failed_by` names the key.",
        body=acts.FailBody,
        example={"reason": "The machine it ran on is gone"},
        failures=("Conflict",),
    ),
)
