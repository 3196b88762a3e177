"""Conversations and runs that tasks belong to: what a look at the tasks themselves gives."""

from __future__ import annotations

import random
from collections import defaultdict

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, report
from tracker.domain.attention import Attention
from tracker.domain.principal import ALL_PROJECTS, Scope
from tracker.domain.queries import ProjectQuery, RetentionPolicy, SessionQuery, TaskQuery
from tracker.domain.records import AgentSession, TaskSummary
from tracker.domain.tasks import Kind, Status
from tracker.domain.usage import NOTHING, Amounts, ModelTold, Told

MAX_OFFSET = 2**63 - 1


def sessions(
    bench: Bench, scope: Scope = ALL_PROJECTS, **query: object
) -> dict[tuple[str, str], AgentSession]:
    """By project and name, in the order of the page."""
    page = bench.run(bench.engine.agent_sessions(scope, SessionQuery(**query)))  # type: ignore[arg-type]
    return {(session.project, session.name): session for session in page.sessions}


def total(bench: Bench, scope: Scope = ALL_PROJECTS, **query: object) -> int:
    return bench.run(bench.engine.agent_sessions(scope, SessionQuery(**query))).total  # type: ignore[arg-type]


def used(tokens: int) -> tuple[ModelTold, ...]:
    return (ModelTold("m", Told(tokens)),)


def test_a_session_from_its_first_report_to_its_last(bench: Bench) -> None:
    begin = bench.clock.now_ms()
    bench.record(report("start", task_id="a", session="s", agent="main", usage=used(3)))
    bench.clock.advance(seconds=10)
    bench.record(report("start", task_id="b", session="s", agent="sub", usage=used(4)))
    (session,) = sessions(bench).values()
    assert (session.agent, session.first_at, session.last_at) == ("main", begin, begin + 10_000)
    assert (session.tasks.running, session.usage) == (2, Amounts(7))
    assert [line.task_id for line in session.active] == ["b", "a"]
    bench.record(report("finish", task_id="a"), report("error", task_id="b"))
    (session,) = sessions(bench).values()
    assert (session.tasks.completed, session.tasks.failed, session.active) == (1, 1, [])


def test_it_waits_while_a_task_needs_a_person(bench: Bench) -> None:
    def waits() -> bool:
        (session,) = sessions(bench).values()
        return session.waits

    bench.record(report("start", session="s"))
    assert not waits()
    bench.record(report("status", attention=Attention("1", "Allow?")))
    assert waits()
    bench.record(report("status", attention=Attention("1", None)))
    assert not waits()
    bench.record(report("status", attention=Attention("", "Allow?")))
    assert waits()
    bench.record(report("finish"))
    assert not waits()


def test_a_task_takes_its_usage_along(bench: Bench) -> None:
    bench.record(
        report("start", task_id="a", usage=used(1)),
        report("start", task_id="b", session="old", usage=used(10)),
        report("start", task_id="c", session="old", usage=used(100)),
    )
    bench.record(report("status", task_id="a", session="old"))
    assert sessions(bench)["project", "old"].usage == Amounts(111)
    bench.record(
        report("status", task_id="b", session="new", usage=used(20)),
        report("status", task_id="c", session="new"),
    )
    found = {name: session.usage for (_, name), session in sessions(bench).items()}
    assert found == {"new": Amounts(120), "old": Amounts(1)}
    bench.record(report("status", task_id="a", session="new"))
    assert {name: s.usage for (_, name), s in sessions(bench).items()} == {"new": Amounts(121)}


def test_tasks_that_change_places(bench: Bench) -> None:
    """One leaves a session as its last task, and another enters it, in one group."""
    bench.record(
        report("start", task_id="a", session="s", usage=used(1)),
        report("start", task_id="b", session="t", usage=used(10)),
    )
    bench.record(
        report("status", task_id="a", session="t"), report("status", task_id="b", session="s")
    )
    found = {name: session.usage for (_, name), session in sessions(bench).items()}
    assert found == {"s": Amounts(10), "t": Amounts(1)}


def test_those_that_reported_last_come_first(bench: Bench) -> None:
    for name in ("a", "b", "c", "a"):
        bench.record(report("status", task_id=f"task of {name}", session=name))
        bench.clock.advance(seconds=1)
    bench.record(report("finish", task_id="task of b", occurred_at=bench.clock.now_ms() - 60_000))
    names = [name for _, name in sessions(bench)]
    assert names == ["a", "c", "b"]
    assert [name for _, name in sessions(bench, limit=1, offset=1)] == ["c"]
    for query in ({}, {"active": True}, {"project": "project"}):
        assert sessions(bench, offset=MAX_OFFSET, **query) == {}


def test_it_goes_with_its_last_task(lasting: Bench) -> None:
    bench = lasting
    bench.record(
        *(report("finish", task_id=name, session="s", usage=used(1)) for name in "ab"),
        report("finish", "other", session="s", usage=used(5)),
    )
    bench.run(bench.engine.delete_task("project", "a", SOMEBODY))
    assert sessions(bench)["project", "s"].usage == Amounts(1)
    bench.clock.advance(seconds=10 * 86_400)
    bench.record(report("start", task_id="c", session="s"))
    bench.reopen(RetentionPolicy(days=5))
    bench.wait_for(lambda: bench.tasks("project") == ["c"], "the task to be pruned")
    bench.wait_for(lambda: list(sessions(bench)) == [("project", "s")], "the other to go")
    assert sessions(bench)["project", "s"].usage == Amounts(1)  # pruning leaves the sums
    bench.run(bench.engine.delete_task("project", "c", SOMEBODY))
    assert sessions(bench) == {}
    bench.record(report("start", task_id="d", session="s"))
    assert sessions(bench)["project", "s"].usage == NOTHING


def test_sessions_equal_a_look_at_all_tasks(lasting: Bench) -> None:
    bench, chance = lasting, random.Random(7)
    for round_ in range(30):
        bench.clock.advance(seconds=chance.randrange(100))
        bench.record(
            *(
                report(
                    chance.choice(list(Kind)),
                    f"p{chance.randrange(3)}",
                    f"t{chance.randrange(12)}",
                    status=chance.choice(list(Status)),
                    session=chance.choice([None, None, "r", "s", "t"]),
                    usage=used(chance.randrange(50)) if chance.random() < 0.6 else (),
                )
                for _ in range(chance.choice([1, 3, 30]))
            )
        )
        if round_ % 4 == 3:
            name = f"p{chance.randrange(3)}"
            bench.run(bench.engine.delete_task(name, bench.tasks(name)[0], SOMEBODY))
        if round_ == 20:
            bench.run(bench.engine.delete_project("p2", SOMEBODY))
            bench.reopen()
        for scope in (only(), only("p1"), only("p0", "p2", "never seen"), Scope(frozenset())):
            look_at_all(bench, scope)


def look_at_all(bench: Bench, scope: Scope) -> None:
    """Compare the sessions of a scope with its tasks."""
    tasks: dict[tuple[str, str], list[TaskSummary]] = defaultdict(list)
    tokens: dict[tuple[str, str], int] = defaultdict(int)
    for project in bench.run(bench.engine.projects(scope, ProjectQuery())).projects:
        page = bench.run(bench.engine.tasks(scope, project.name, TaskQuery(limit=500)))
        for task in page.tasks:
            if task.session is not None:
                tasks[project.name, task.session].append(task)
                if task.id in page.usage:
                    tokens[project.name, task.session] += page.usage[task.id].total.input_tokens
    found = sessions(bench, scope)
    assert {
        key: ([*session.tasks], session.usage.input_tokens) for key, session in found.items()
    } == {
        key: ([[task.status for task in of].count(status) for status in Status], tokens[key])
        for key, of in tasks.items()
    }
    assert [session.last_at for session in found.values()] == sorted(
        (session.last_at for session in found.values()), reverse=True
    )
    active = {key for key, session in found.items() if session.tasks.active}
    assert sessions(bench, scope, active=True).keys() == active
    assert sessions(bench, scope, active=False).keys() == found.keys() - active
    assert total(bench, scope) == len(found)
    assert total(bench, scope, active=True) == len(active)
    of_project = {key for key in found if key[0] == "p1"}
    assert sessions(bench, scope, project="p1").keys() == of_project
    assert total(bench, scope, project="p1", active=False) == len(of_project - active)
    for project, name in found:
        page = bench.run(bench.engine.tasks(scope, project, TaskQuery(session=name)))
        assert {task.id for task in page.tasks} == {task.id for task in tasks[project, name]}
        assert page.total == len(page.tasks)
