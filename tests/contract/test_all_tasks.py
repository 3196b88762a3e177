"""Tasks over all projects: what a look at all of them, one by one, gives."""

from __future__ import annotations

import random
from typing import Any, get_args

import pytest

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, report
from tracker.domain.principal import ALL_PROJECTS, Scope
from tracker.domain.queries import ProjectQuery, TaskQuery, TaskSort
from tracker.domain.records import TaskPage, TaskSummary
from tracker.domain.tasks import Kind, Status

SCOPES = [
    *(ALL_PROJECTS, only("p1", "..", "q/2"), only("p1"), only("p1", "never seen")),
    *(only("never seen"), Scope(frozenset())),
]
PROJECTS = ["p1", "..", "q/2", "empty"]
WORDS = ["red", "green"]


@pytest.fixture(scope="module")
def chance() -> random.Random:
    return random.Random(15)


@pytest.fixture
def busy(bench: Bench, chance: random.Random) -> Bench:
    """Reports at random, with many equal times; one project has no tasks left."""
    for number in range(220):
        bench.clock.advance(seconds=chance.choice([0, 0, 0, 1, 50]))
        fields: dict[str, Any] = {}
        kind = chance.choice([*Kind, Kind.START])
        if kind is Kind.STATUS:
            fields["status"] = chance.choice(list(Status))
        if kind is Kind.FINISH and chance.random() < 0.5:
            fields["duration_ms"] = chance.choice([0, 5, 5000])
        if chance.random() < 0.4:
            fields["session"] = chance.choice(["s", "t"])
        bench.record(
            report(
                *(kind, chance.choice(PROJECTS[:3]), f"t{number // 3}"),
                title=f"{chance.choice(WORDS)} {chance.randrange(9)}",
                agent=chance.choice(["alice", "bob", "carol"]),
                **fields,
            )
        )
    bench.record(report("start", "empty", "gone"))
    bench.run(bench.engine.delete_task("empty", "gone", SOMEBODY))
    return bench


def listed(bench: Bench, scope: Scope, **query: Any) -> TaskPage:
    return bench.run(bench.engine.all_tasks(scope, TaskQuery(**query)))


def everything(bench: Bench) -> list[tuple[str, TaskSummary]]:
    """Each task with its project, from the projects' own lists."""
    names = [p.name for p in bench.run(bench.engine.projects(only(), ProjectQuery())).projects]
    return [
        (name, task)
        for name in names
        for task in bench.run(bench.engine.tasks(only(), name, TaskQuery(limit=500))).tasks
    ]


def matches(project: str, task: TaskSummary, query: dict[str, Any]) -> bool:
    """docs/contract.md, in the plainest way."""
    at_least, at_most = query.get("date_from"), query.get("date_to")
    return (
        query.get("project") in (None, project)
        and all(
            query.get(name) in (None, getattr(task, name))
            for name in ("status", "agent", "session", "task_id")
        )
        and (at_least is None or task.started_at >= at_least)
        and (at_most is None or (task.finished_at is not None and task.finished_at <= at_most))
        and ("q" not in query or task.title.startswith(query["q"]))
    )


def in_order(
    tasks: list[tuple[str, TaskSummary]], sort_by: TaskSort, *, descending: bool
) -> list[tuple[str, int]]:
    column = "duration_ms" if sort_by == "duration_seconds" else sort_by

    def by(entry: tuple[str, TaskSummary]) -> Any:
        return getattr(entry[1], column), entry[1].id

    valued = [entry for entry in tasks if getattr(entry[1], column) is not None]
    others = [entry for entry in tasks if getattr(entry[1], column) is None]
    ordered = sorted(valued, key=by, reverse=descending)
    ordered += sorted(others, key=lambda entry: entry[1].id, reverse=descending)
    return [(project, task.id) for project, task in ordered]


def test_a_page_is_what_a_look_at_all_tasks_gives(busy: Bench, chance: random.Random) -> None:
    tasks = everything(busy)
    times = sorted(task.started_at for _, task in tasks)
    busy.wait_for(
        lambda: (
            len(busy.run(busy.engine.search(only(), "red", 500)))
            == sum(task.title.startswith("red") for _, task in tasks)
        ),
        "the search index",
    )
    choices: dict[str, list[Any]] = {
        "project": [*PROJECTS, "never seen"],
        "status": [status.value for status in Status],
        "agent": ["alice", "bob", "nobody"],
        "session": ["s", "t", "u"],
        "task_id": ["t1", "t2", "unknown"],
        "date_from": times,
        "date_to": [time + 20_000 for time in times],
        "q": [*WORDS, "blue"],
    }
    for _ in range(400):
        query = {name: chance.choice(values) for name, values in choices.items()}
        for name in chance.sample(sorted(query), chance.choice([5, 6, 7, 7, 8, 8])):
            del query[name]
        scope = chance.choice(SCOPES)
        sort_by, descending = chance.choice(get_args(TaskSort)), chance.random() < 0.5
        limit, offset = chance.choice([1, 5, 500]), chance.choice([0, 0, 3, 2**63 - 1])
        page = listed(
            *(busy, scope),
            **{"sort_by": sort_by, "descending": descending, "limit": limit, "offset": offset},
            **query,
        )
        found = [
            (project, task)
            for project, task in tasks
            if scope.includes(project) and matches(project, task, query)
        ]
        expected = in_order(found, sort_by, descending=descending)[offset : offset + limit]
        asked = (scope, query, sort_by, descending, limit, offset)
        assert [*zip(page.projects, (t.id for t in page.tasks), strict=True)] == expected, asked
        assert page.total == len(found), asked


def test_listed_is_the_task_itself(busy: Bench) -> None:
    summaries = {task.id: task for _, task in everything(busy)}
    page = listed(busy, ALL_PROJECTS, limit=500)
    assert {task.id: task for task in page.tasks} == summaries
    assert page.total == len(summaries) > 50


@pytest.mark.parametrize("descending", [False, True])
def test_pages_follow_each_other(busy: Bench, descending: bool) -> None:
    whole = [task.id for task in listed(busy, only(), limit=500, descending=descending).tasks]
    found: list[int] = []
    while page := listed(busy, only(), limit=7, offset=len(found), descending=descending).tasks:
        found += [task.id for task in page]
    assert found == whole
