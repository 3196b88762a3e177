"""Whoever may see some projects sees what there would be if there were no others."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, report
from tracker.domain.idempotency import idempotency
from tracker.domain.principal import Scope
from tracker.domain.queries import EventFilter, ProjectQuery, TaskQuery
from tracker.domain.tasks import Kind
from tracker.errors import NotFound

LAST = 2**63 - 1
SCOPES = [only("p0"), only("p1", "p3"), only("p1", "never seen"), Scope(frozenset()), only()]


@pytest.fixture
def busy(bench: Bench) -> Bench:
    """Reports of four projects, mixed."""
    chance = random.Random(5)
    kinds = list(Kind)
    for number in range(300):
        bench.clock.advance(seconds=chance.randrange(100))
        project = f"p{chance.randrange(4)}"
        title = f"title {chance.choice(['red', 'green'])} {project}"
        task = f"t{number // 3}"
        bench.record(report(chance.choice(kinds), project, task, title=title, agent=project))
    return bench


@pytest.mark.parametrize("scope", SCOPES)
def test_the_log(busy: Bench, scope: Scope) -> None:
    everything = busy.run(busy.engine.events(only(), 0, EventFilter(), 1000)).events
    assert len(everything) == 300
    filters = [
        *(EventFilter(), EventFilter(type="task_error"), EventFilter("p1"), EventFilter("p2")),
        *(EventFilter("p1", type="task_finished"), EventFilter(task_id="t3")),
        EventFilter("p1", "t3"),
    ]
    for wanted in filters:
        of_task = {event.id for event in everything if b'"task_id":"%b"' % b"t3" in event.data}
        expected = [
            event.id
            for event in everything
            if scope.includes(event.project)
            and wanted.project in (None, event.project)
            and wanted.type in (None, event.type)
            and (wanted.task_id is None or event.id in of_task)
        ]
        found: list[int] = []
        cursor = 0
        while True:  # page by page
            page = busy.run(busy.engine.events(scope, cursor, wanted, 7))
            found += [event.id for event in page.events]
            cursor = page.cursor
            if cursor == page.bounds.last:
                break
        assert found == expected
        newest = busy.run(busy.engine.newest_events(scope, LAST, wanted, 9)).events
        assert [event.id for event in newest] == expected[-9:]
    live = busy.run(busy.engine.page(scope, 0))
    shown = [event.id for event in everything if scope.includes(event.project)]
    assert [event.id for event in live.events] == shown[: len(live.events)]


@pytest.mark.parametrize("scope", SCOPES)
def test_lists_and_searches(busy: Bench, scope: Scope) -> None:
    run, engine = busy.run, busy.engine
    names = sorted(name for name in ("p0", "p1", "p2", "p3") if scope.includes(name))
    page = run(engine.projects(scope, ProjectQuery(sort_by="name", descending=False, limit=3)))
    assert ([project.name for project in page.projects], page.total) == (names[:3], len(names))
    total = sum(
        project.tasks.total for project in run(engine.projects(only(), ProjectQuery())).projects
    )
    busy.wait_for(
        lambda: len(run(engine.search(only(), "title", 500))) == total, "the search index"
    )
    everywhere = run(engine.search(only(), "red", 500))
    for words in ("red", "red title", "RED p1", "p2", "t1"):
        found = run(engine.search(scope, words, 500))
        all_ = run(engine.search(only(), words, 500))
        assert list(found) == [line for line in all_ if scope.includes(line.project)]
    assert everywhere
    recent = run(engine.overall_stats(scope)).recent
    assert all(scope.includes(one.project) for one in recent)
    ended = run(engine.now(scope, 500, 500)).ended
    assert all(scope.includes(line.project) for line in ended)
    for few in (1, 5):
        assert list(run(engine.now(scope, few, few)).ended) == list(ended)[:few]
    assert all(one.finished_at >= two.finished_at for one, two in pairwise(ended))  # type: ignore[operator]


def test_one_thing_outside(busy: Bench) -> None:
    run, engine, scope = busy.run, busy.engine, only("p0")
    task = busy.tasks("p1")[0]
    for asked in (
        engine.tasks(scope, "p1", TaskQuery()),
        engine.task(scope, "p1", task),
        engine.project_stats(scope, "p1", 30),
    ):
        with pytest.raises(NotFound):
            run(asked)


def test_a_project_is_meant_by_its_name(busy: Bench) -> None:
    run, engine, scope = busy.run, busy.engine, only("p0", "later")
    run(engine.delete_project("p0", SOMEBODY))
    assert run(engine.projects(scope, ProjectQuery())).total == 0
    busy.record(report("start", "p0"), report("start", "later"))
    assert run(engine.projects(scope, ProjectQuery())).total == 2


def test_idempotency_keys_are_each_owners(bench: Bench) -> None:
    one = report("start")
    keys = [idempotency(owner, "same", one, b"body") for owner in (0, 1, 2, 1)]
    outcomes = [bench.outcomes((one, key))[0] for key in keys]
    assert [outcome.event_id for outcome in outcomes] == [1, 2, 3, 2]
