"""Tasks over all projects: what a look at all of them, one by one, gives."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import Any, get_args

import pytest

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, report
from tracker.domain.attention import Attention
from tracker.domain.principal import ALL_PROJECTS, Scope
from tracker.domain.queries import ProjectQuery, Since, TaskQuery, TaskSort
from tracker.domain.records import StatusCounts, TaskFigures, TaskPage
from tracker.domain.tasks import Kind, Status, TaskSummary
from tracker.domain.usage import NO_USAGE, NOTHING, ModelTold, Told, Usage

SCOPES = [
    *(ALL_PROJECTS, only("p1", "..", "q/2"), only("p1"), only("p1", "never seen")),
    *(only("never seen"), Scope(frozenset())),
]
PROJECTS = ["p1", "..", "q/2", "empty"]
WORDS = ["red", "green"]
MODELS = ["Opus 4", "opus", "ГПТ"]


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
        if chance.random() < 0.2:
            fields["metadata"] = {"estimated_duration": chance.choice([0, 30, 10_000])}
        if chance.random() < 0.3:
            amounts = Told(input_tokens=7, cost_micros=chance.choice([None, 0, 5, 100]))
            fields["usage"] = (ModelTold(chance.choice([*MODELS, ""]), amounts),)
        if chance.random() < 0.2:
            fields["attention"] = Attention(
                chance.choice(["", "x"]), chance.choice(["Allow?", None])
            )
        if chance.random() < 0.3:
            fields["parent_task_id"] = f"t{chance.randrange(9)}-parent"
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
    return [(name, task) for name, page in pages(bench).items() for task in page.tasks]


def pages(bench: Bench) -> dict[str, TaskPage]:
    names = [p.name for p in bench.run(bench.engine.projects(only(), ProjectQuery())).projects]
    return {
        name: bench.run(bench.engine.tasks(only(), name, TaskQuery(limit=500))) for name in names
    }


def meant(name: str, names: set[str]) -> set[str]:
    return {name} if name in names else {one for one in names if name.casefold() in one.casefold()}


def matches(
    task: TaskSummary,
    query: dict[str, Any],
    usage: Usage,
    now: int,
) -> bool:
    """docs/contract.md, in the plainest way."""
    at_least, at_most = query.get("date_from"), query.get("date_to")
    of = {"parent": task.parent_task_id, "attempt": task.attempt}
    of |= {name: getattr(task, name) for name in ("session", "task_id", "title")}
    states = {
        "attention": '"text":"' in (task.requests or "") and task.finished_at is None,
        "silent": task.silent_since is not None,
        "overdue": bool(task.overdue),
    }
    models = {model.model for model in usage.models}
    return (
        task.status in query.get("status", [task.status])
        and ("agents" not in query or task.agent in query["agents"])
        and all(query.get(name) in (None, value) for name, value in of.items())
        and all(query.get(name) in (None, value) for name, value in states.items())
        and task.attempt >= query.get("attempt_min", 1)
        and ("models" not in query or not models.isdisjoint(query["models"]))
        and usage.total.cost_micros >= query.get("cost_min", 0)
        and ("since" not in query or (task.finished_at or now) >= query["since"].at(now))
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
    used = {number: one for page in pages(busy).values() for number, one in page.usage.items()}
    now = busy.clock.now_ms()
    choices: dict[str, list[Any]] = {
        "projects": [("p1",), ("..",), (*PROJECTS,), ("p1", "q/2"), ("never seen",)],
        "status": [*((status.value,) for status in Status), ("failed", "running"), (*Status,)],
        "agent": ["alice", "bob", "nobody", "O", "AL", ""],
        "since": [*map(Since, times), *(Since(ago, is_ago=True) for ago in (0, 60_000, 10**9))],
        "model": ["opus", "OPUS", "Opus 4", "гпт", "4", "none"],
        "cost_min": [1, 5, 100, 10_000],
        "attention": [True, False],
        "silent": [True, False],
        "overdue": [True, False],
        "attempt": [1, 2, 9],
        "attempt_min": [1, 2, 9],
        "parent": ["t1-parent", "t2-parent", "unknown"],
        "session": ["s", "t", "u"],
        "task_id": ["t1", "t2", "unknown"],
        "date_from": times,
        "date_to": [time + 20_000 for time in times],
        "q": [*WORDS, "blue"],
        "title": [tasks[0][1].title, "red"],
    }
    for _ in range(1200):
        names = chance.sample(sorted(choices), chance.choice([0, 0, 1, 1, 1, 2, 2, 3]))
        query = {name: chance.choice(choices[name]) for name in names}
        scope = chance.choice(SCOPES)
        sort_by, descending = chance.choice(get_args(TaskSort)), chance.random() < 0.5
        limit, offset = chance.choice([1, 5, 500]), chance.choice([0, 0, 3, 2**63 - 1])
        page = listed(
            *(busy, scope),
            **{"sort_by": sort_by, "descending": descending, "limit": limit, "offset": offset},
            **{"figures": chance.random() < 0.5, **query},
        )
        seen = [
            (project, task)
            for project, task in tasks
            if scope.includes(project) and project in query.get("projects", [project])
        ]
        names_of = {
            "agent": {task.agent for _, task in seen},
            "model": {one.model for _, task in seen for one in used.get(task.id, NO_USAGE).models},
        }
        meant_ = {
            f"{name}s": meant(query[name], names_of[name]) for name in names_of if name in query
        }
        found = [
            (project, task)
            for project, task in seen
            if matches(task, query | meant_, used.get(task.id, NO_USAGE), now)
        ]
        expected = in_order(found, sort_by, descending=descending)[offset : offset + limit]
        asked = (scope, query, sort_by, descending, limit, offset)
        assert [*zip(page.projects, (t.id for t in page.tasks), strict=True)] == expected, asked
        assert page.total == len(found), asked
        if page.figures is not None:
            assert page.figures == figures([task for _, task in found], used), asked


def figures(tasks: list[TaskSummary], used: Mapping[int, Usage]) -> TaskFigures:
    """Of these, one by one."""
    durations = [task.duration_ms for task in tasks if task.duration_ms is not None]
    total = NOTHING
    for task in tasks:
        total = total.plus(used.get(task.id, NO_USAGE).total)
    counts = Counter(task.status for task in tasks)
    return TaskFigures(
        StatusCounts(*(counts[status] for status in Status)),
        sum(durations),
        round(median(durations)) if durations else 0,
        total,
        len(tasks),
        True,
    )


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
