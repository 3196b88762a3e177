"""What the API offers: one entry a route and method. A test holds it to the routes there are.

What follows from a route (its key, its limit, its path's names) is left to `document`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from tracker.api import answers, insight_answers, insight_parameters, parameters, schemas
from tracker.api.openapi import examples
from tracker.domain import messages
from tracker.domain.principal import Right

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"

# For tags, in the order in which they are shown.
TAGS: Final[Mapping[str, str]] = {
    "Webhooks": "Agents and CI jobs tell what they are doing. A 2xx means that it is in the "
    "database, durably.",
    "Telemetry": "Agents and frameworks that have an exporter of OpenTelemetry send theirs here.",
    "Projects and tasks": "What has been reported, for frontends and scripts.",
    "Events": "The log: every report is one event with an ever-growing number.",
    "Statistics": "Counted as reports come in, so asking is cheap.",
    "Dashboard": "What the page at `/` reads; yours to use too.",
    "Keys": "A key for each agent, CI job and frontend, that can do only what it needs; and who "
    "did what.",
    "Health": "Checks for monitors. They are not rate-limited.",
}


class Response(NamedTuple):
    """One kind of answer: `shape`, a type of `tracker.api.answers`; None means no content."""

    description: str
    shape: Any = None
    example: Any = None
    media_type: str = JSON


class Operation(NamedTuple):
    """One method of one route.

    `conditional`: answers with an ETag, or 304. `stored`: needs the database, so 503 is possible.
    `failures`: its own, besides those that follow from the rest. `right`: what it takes, as the
    resource declares it too.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    answers: Mapping[int, Response]
    description: str = ""
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    example: Any = None
    conditional: bool = False
    stored: bool = True
    sets_cookie: bool = False
    failures: tuple[str, ...] = ()
    right: Right = Right.READ


def _webhook(
    kind: str,
    summary: str,
    description: str,
    *,
    body: type[BaseModel],
    example: Any,
    answer: Response,
) -> Operation:
    created = {201: answer._replace(description="Recorded, and the task is new.")}
    return Operation(
        method="post",
        path=f"/webhook/{kind}",
        id=f"report_{kind}",
        tag="Webhooks",
        summary=summary,
        description=description,
        headers=("Idempotency-Key",),
        body=body,
        example=example,
        answers={200: answer} | (created if kind == "start" else {}),
        right=Right.REPORT,
    )


def _read(
    path: str,
    id_: str,
    tag: str,
    summary: str,
    answer: Response,
    *,
    description: str = "",
    query: type[BaseModel] | None = None,
    stored: bool = True,
) -> Operation:
    return Operation(
        method="get",
        path=path,
        id=id_,
        tag=tag,
        summary=summary,
        description=description,
        query=query,
        headers=("If-None-Match",),
        answers={200: answer},
        conditional=True,
        stored=stored,
    )


def _check(
    path: str,
    id_: str,
    summary: str,
    answers_: Mapping[int, Response],
    description: str = "",
    right: Right = Right.READ,
) -> Operation:
    return Operation(
        method="get",
        path=path,
        id=id_,
        tag="Health",
        summary=summary,
        description=description,
        answers=answers_,
        stored=False,
        right=right,
    )


OPERATIONS: Final = (
    _webhook(
        "start",
        "Start a task",
        "A start for a task that has ended begins a new attempt; for one still running it "
        "refreshes title, agent and metadata.",
        body=schemas.StartBody,
        example=examples.START,
        answer=Response("Recorded; the task was known.", answers.StartAnswer, examples.STARTED),
    ),
    _webhook(
        "status",
        "Report progress",
        "A task that has ended is not reopened: a late report is kept in its history. `completed` "
        "and `failed` end the task. A task never seen is created.",
        body=schemas.StatusBody,
        example=examples.STATUS,
        answer=Response("Recorded.", answers.StatusAnswer, examples.UPDATED),
    ),
    _webhook(
        "finish",
        "Finish a task",
        "Ends the task as completed, also after an error. A task never seen is created.",
        body=schemas.FinishBody,
        example=examples.FINISH,
        answer=Response("Recorded.", answers.FinishAnswer, examples.FINISHED),
    ),
    _webhook(
        "error",
        "Report a failure",
        "Ends the task as failed, also after a finish. A task never seen is created.",
        body=schemas.ErrorBody,
        example=examples.ERROR,
        answer=Response("Recorded.", answers.ErrorAnswer, examples.ERROR_RECORDED),
    ),
    Operation(
        method="post",
        path="/webhook/batch",
        id="report_batch",
        tag="Webhooks",
        summary="Send many reports at once",
        description="One request to the rate limit. What was accepted is in the database when the "
        "answer comes, whatever became of the others.",
        body=schemas.BatchBody,
        example=examples.BATCH,
        answers={
            200: Response(
                "What became of each, in order.", answers.BatchAnswer, examples.BATCH_RECORDED
            )
        },
        right=Right.REPORT,
    ),
    _read(
        "/api/projects",
        "list_projects",
        "Projects and tasks",
        "List projects",
        Response("A page of projects.", answers.ProjectsPage, examples.PROJECTS),
        query=parameters.ProjectsQuery,
    ),
    _read(
        "/api/projects/{project_name}",
        "get_project",
        "Projects and tasks",
        "Show a project",
        Response("As in the list.", answers.Project, examples.PROJECT),
        query=parameters.OneProjectQuery,
    ),
    Operation(
        method="delete",
        path="/api/projects/{project_name}",
        id="delete_project",
        tag="Projects and tasks",
        summary="Delete a project",
        description="Its tasks and their events go too.",
        answers={204: Response("Deleted.")},
        right=Right.ADMIN,
    ),
    _read(
        "/api/projects/{project_name}/tasks",
        "list_tasks",
        "Projects and tasks",
        "List a project's tasks",
        Response("A page of tasks.", answers.TasksPage, examples.TASKS),
        query=parameters.TasksQuery,
    ),
    _read(
        "/api/projects/{project_name}/tasks/{task_id}",
        "get_task",
        "Projects and tasks",
        "Show a task with its history",
        Response("The task.", answers.TaskWithHistory, examples.TASK),
    ),
    Operation(
        method="delete",
        path="/api/projects/{project_name}/tasks/{task_id}",
        id="delete_task",
        tag="Projects and tasks",
        summary="Delete a task",
        description="Its events go too.",
        answers={204: Response("Deleted.")},
        right=Right.ADMIN,
    ),
    _read(
        "/api/tasks",
        "list_all_tasks",
        "Projects and tasks",
        "List the tasks of all projects",
        Response("A page of tasks.", answers.AllTasksPage, examples.ALL_TASKS),
        description="Each with its project. Also the way to a project or task whose name is `.` or "
        "`..`, which no path can carry.",
        query=parameters.AllTasksQuery,
    ),
    _read(
        "/api/sessions",
        "list_sessions",
        "Projects and tasks",
        "List agents' sessions",
        Response("A page of sessions.", answers.SessionsPage, examples.SESSIONS),
        description="Conversations and runs: what reports name as `session`, within a project.",
        query=parameters.SessionsQuery,
    ),
    _read(
        "/api/events",
        "list_events",
        "Events",
        "Read the log",
        Response("Events after `since`.", answers.EventsPage, examples.EVENTS),
        description="Give `last_id` of one page as `since` of the next; nothing is missed.",
        query=parameters.EventsQuery,
    ),
    _read(
        "/api/events/{event_id}",
        "get_event",
        "Events",
        "Show one event",
        Response("The event.", messages.Event, examples.EVENT),
    ),
    Operation(
        method="get",
        path="/api/events/stream",
        id="stream_events",
        tag="Events",
        summary="Follow the log live",
        description="[Server-sent events](https://html.spec.whatwg.org/multipage/"
        "server-sent-events.html), each with the message that `/ws` sends as `data`, its `type` "
        "as `event`, its number as `id`. The answer never ends; a comment every 15 s keeps it "
        "open. If `since` cannot be honoured, the first event is `resync_required`.",
        query=parameters.EventStreamQuery,
        headers=("Last-Event-ID",),
        answers={200: Response("Events as they come.", None, examples.STREAM, EVENT_STREAM)},
        stored=False,
    ),
    _read(
        "/api/stats",
        "get_stats",
        "Statistics",
        "Figures over all projects",
        Response("The figures.", answers.Stats, examples.STATS),
    ),
    _read(
        "/api/stats/projects/{project_name}",
        "get_project_stats",
        "Statistics",
        "Figures of one project",
        Response("The figures.", answers.ProjectStats, examples.PROJECT_STATS),
        query=parameters.ProjectStatsQuery,
    ),
    _read(
        "/api/websocket/stats",
        "get_websocket_stats",
        "Statistics",
        "Open WebSockets",
        Response("The figures.", answers.WebSocketStats, examples.WEBSOCKET_STATS),
        description="Sockets that follow all projects count under `total_connections` only.",
        stored=False,
    ),
    _read(
        "/api/stats/trends",
        "get_trends",
        "Statistics",
        "Ends a day, and how long tasks take",
        Response("Over all projects.", answers.Trends, examples.TRENDS),
        query=parameters.TrendsQuery,
    ),
    _read(
        "/api/stats/insights",
        "get_insights",
        "Statistics",
        "Cost, success and duration of the last days",
        Response(
            "By day, project, agent, model, title.", insight_answers.Insights, examples.INSIGHTS
        ),
        description="Of tasks that ended, with all that they have used. Days are those of a time "
        "zone.",
        query=insight_parameters.InsightsParameters,
    ),
    _read(
        "/api/failures",
        "list_failures",
        "Statistics",
        "What failed of late, alike together",
        Response(
            "Those with the most failures first.", insight_answers.Failures, examples.FAILURES
        ),
        description="Alike: of one project, with one type, and with one message but for numbers, "
        "paths, addresses, quoted texts and the like.",
        query=insight_parameters.FailuresParameters,
    ),
    _read(
        "/api/timeline",
        "get_timeline",
        "Statistics",
        "What agents did over a range of time",
        Response("By agent.", insight_answers.Timeline, examples.TIMELINE),
        description="For each agent how many tasks were under way and how many ended, by bins of "
        "equal length; and each task while there are no more than 500.",
        query=insight_parameters.TimelineParameters,
    ),
    _read(
        "/api/now",
        "get_now",
        "Dashboard",
        "What runs, and what ended last",
        Response("Over all projects.", answers.Now, examples.NOW),
        description="Follow the log from `last_id` for what happens after it.",
        query=insight_parameters.NowQuery,
    ),
    _read(
        "/api/search",
        "search_tasks",
        "Dashboard",
        "Search the tasks of all projects",
        Response("The newest that hold all the words.", answers.Found, examples.FOUND),
        query=parameters.SearchQuery,
    ),
    Operation(
        method="get",
        path="/api/info",
        id="get_info",
        tag="Dashboard",
        summary="The server's settings in force",
        answers={
            200: Response("The settings, the time, the newest event.", answers.Info, examples.INFO)
        },
        right=Right.SIGNED_IN,
        stored=False,
    ),
    Operation(
        method="post",
        path="/api/session",
        id="sign_in",
        tag="Dashboard",
        summary="Trade the API key for a browser session",
        description="The session is a cookie that scripts cannot read. It lasts 12 hours, or until "
        "it is signed out or the key changes, and stands for the key on this server's own pages.",
        answers={201: Response("Signed in.", answers.SessionAnswer, examples.SESSION)},
        stored=False,
        sets_cookie=True,
    ),
    Operation(
        method="delete",
        path="/api/session",
        id="sign_out",
        tag="Dashboard",
        summary="End the browser session, or all sessions",
        description="At once and everywhere: its streams are closed, and its cookie is worth "
        "nothing any more, whoever has it. 503 means that it may come back with a restart of the "
        "server.",
        answers={204: Response("Signed out.")},
        right=Right.SIGNED_IN,
        query=parameters.SignOutQuery,
        sets_cookie=True,
    ),
    _check(
        "/health",
        "check_health",
        "Is the server alive?",
        {200: Response("It is.", answers.Health, examples.HEALTH)},
        "Answers also while the database is unavailable.",
        Right.OPEN,
    ),
    _check(
        "/healthz",
        "check_alive",
        "Does the server answer at all?",
        {200: Response("It is.", answers.Alive, examples.ALIVE)},
        "What probes of containers and load balancers ask; answered whatever the `Host`.",
        Right.OPEN,
    ),
    _check(
        "/readyz",
        "check_ready",
        "Can reports be recorded?",
        {
            200: Response("They can.", answers.Ready, examples.READY),
            503: Response("They cannot now.", answers.NotReady, examples.NOT_READY),
        },
        "The database is asked for that, once a second at most. Answered whatever the `Host`.",
        Right.OPEN,
    ),
    Operation(
        method="get",
        path="/proof",
        id="prove_key",
        tag="Health",
        summary="Is this the server that has the key?",
        description="For clients on the server's own machine that found a key in a file: they show "
        "it to nobody who has not shown that they have it too. docs/api.md says what is signed.",
        query=parameters.ProofQuery,
        answers={200: Response("It is.", answers.Proof, examples.PROOF)},
        failures=("NotProven",),
        stored=False,
        right=Right.OPEN,
    ),
    _check(
        "/db-check",
        "check_database",
        "Does the database work?",
        {
            200: Response(
                "It took a write and answered a read.", answers.DatabaseCheck, examples.DATABASE
            ),
            503: Response("It did not.", answers.DatabaseFailure, examples.DATABASE_FAILURE),
        },
    ),
    _check(
        "/redis-check",
        "check_hub",
        "Does live delivery work?",
        {
            200: Response("An event came through.", answers.HubCheck, examples.HUB),
            503: Response("None came through.", answers.HubFailure, examples.HUB_FAILURE),
        },
        "There is no Redis here; what does its work inside the server is checked in its place.",
    ),
)
