"""What models have used, and its sums: the same as a simple model of them has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, report
from tracker.clock import MS_PER_DAY
from tracker.domain.limits import MAX_COST_USD, MAX_TOKENS, MAX_USAGE_SUM
from tracker.domain.principal import Scope
from tracker.domain.queries import ProjectQuery, RetentionPolicy
from tracker.domain.tasks import Kind, Report
from tracker.domain.usage import MICROS, NOTHING, Amounts, ModelTold, Told
from tracker.errors import NotFound


def told(model: str = "m", *totals: int | None, **by_name: int) -> ModelTold:
    return ModelTold(model, Told(*totals, **by_name))


def overall(bench: Bench, scope: Scope | None = None) -> Amounts:
    return bench.run(bench.engine.overall_stats(scope or only())).usage.total


def days(bench: Bench, project: str = "project") -> list[int]:
    """The input tokens that each day added."""
    stats = bench.run(bench.engine.project_stats(only(), project, 100))
    return [day.amounts.input_tokens for day in stats.usage_days]


def agents(bench: Bench) -> dict[str, int]:
    stats = bench.run(bench.engine.overall_stats(only()))
    return {agent.name: agent.usage.input_tokens for agent in stats.agents}


def test_none_is_null_and_zero_is_told(bench: Bench) -> None:
    bench.record(report("start", task_id="a"), report("start", task_id="b", usage=(told("m", 0),)))
    assert (bench.task(task_id="a").usage, bench.task(task_id="a").usage_total) == (None, None)
    found = bench.task(task_id="b")
    assert found.usage is not None
    assert [(model.model, model.source, model.amounts) for model in found.usage.models] == [
        ("m", "report", NOTHING)
    ]
    assert found.usage_total == NOTHING


def test_each_given_total_replaces_the_last(bench: Bench) -> None:
    bench.record(report("start", usage=(told("m", 100, 10, 5, 1, 2_000_000),)))
    bench.record(report("status", usage=(told("m", 150, cost_micros=2_500_000),)))
    bench.record(report("finish"))
    usage = bench.task().usage
    assert usage is not None
    assert usage.total == Amounts(150, 10, 5, 1, 2_500_000) == overall(bench)


def test_attempts_add_up(bench: Bench) -> None:
    for total in (100, 30):
        bench.record(report("start", usage=(told("m", total),)), report("finish"))
    assert bench.task().usage_total == Amounts(130) == overall(bench)


def test_models_stand_by_themselves(bench: Bench) -> None:
    bench.record(report("start", usage=(told("a", 1), told("b", 2, cost_micros=9), told("", 4))))
    usage = bench.task().usage
    assert usage is not None
    assert [(model.model, model.amounts.input_tokens) for model in usage.models] == [
        *(("b", 2), ("", 4), ("a", 1)),
    ]
    stats = bench.run(bench.engine.project_stats(only(), "project", 9))
    assert [model._replace(source="report") for model in stats.usage.models] == [*usage.models]


def test_a_day_gets_the_increase_and_a_decrease_is_taken_from_the_latest(bench: Bench) -> None:
    for total in (100, 150, 180):
        bench.record(report("status", usage=(told("m", total),)))
        bench.clock.advance(seconds=86_400)
    assert days(bench) == [100, 50, 30]
    bench.record(report("status", usage=(told("m", 120),)))
    assert days(bench) == [100, 20]
    bench.record(report("status", usage=(told("m", 0),)))
    assert days(bench) == []
    assert overall(bench) == NOTHING


def test_an_agent_gets_what_it_told(bench: Bench) -> None:
    bench.record(report("start", task_id="other", agent="alice"))
    bench.record(report("start", agent="alice", usage=(told("m", 100),)))
    bench.record(report("status", agent="bob", usage=(told("m", 130),)))
    assert agents(bench) == {"alice": 100, "bob": 30}
    bench.record(report("status", agent="alice", usage=(told("m", 110),)))
    assert agents(bench) == {"alice": 80}  # her latest first
    assert overall(bench) == Amounts(110)


def test_word_that_comes_late_fills_what_is_empty(bench: Bench) -> None:
    begin = bench.clock.now_ms()
    bench.clock.advance(seconds=100)
    bench.record(report("start"), report("status", usage=(told("m", 100),)))
    late = report("status", usage=(told("m", 5, 7),), occurred_at=begin + 50_000)
    bench.record(late)
    assert overall(bench) == Amounts(100, 7)
    bench.record(report("finish"))
    bench.record(report("status", usage=(told("m", 5, 9, 11),)))  # after the end
    assert overall(bench) == Amounts(100, 7, 11)


def test_late_word_of_an_earlier_attempt_is_only_kept_in_the_history(bench: Bench) -> None:
    begin = bench.clock.now_ms()
    bench.record(report("start"), report("finish"))
    bench.clock.advance(seconds=100)
    bench.record(report("start"))
    bench.record(report("status", usage=(told("m", 5),), occurred_at=begin + 50_000))
    assert overall(bench) == NOTHING
    assert b'"usage":[{"model":"m","input_tokens":5}]' in bench.log()[-1].data


def test_a_total_has_all_descendants_once(bench: Bench) -> None:
    family = {"a": None, "b": "a", "c": "b", "d": "b", "other": "nobody"}
    bench.record(
        *(
            report("start", task_id=name, parent_task_id=parent, usage=(told("m", 1),))
            for name, parent in family.items()
        ),
        report("start", "another", "e", parent_task_id="a", usage=(told("m", 1),)),
    )
    totals = {name: bench.task(task_id=name).usage_total for name in family}
    assert totals == {
        **dict.fromkeys("cd", Amounts(1)),
        **{"a": Amounts(4), "b": Amounts(3), "other": Amounts(1)},
    }
    bench.record(report("status", task_id="a", parent_task_id="c"))  # in a circle
    assert {bench.task(task_id=name).usage_total for name in "abc"} == {Amounts(4)}


def test_deleting_takes_back_and_pruning_does_not(lasting: Bench) -> None:
    bench = lasting
    for number, project in enumerate(("p", "p", "q")):
        bench.record(
            report("start", project, f"{number}", usage=(told("m", 10**number),)),
            report("finish", project, f"{number}"),
        )
    bench.run(bench.engine.delete_task("p", "0", SOMEBODY))
    assert overall(bench) == Amounts(110)
    bench.clock.advance(seconds=10 * 86_400)
    bench.record(report("start", "p", "late", usage=(told("m", 1000),)))
    bench.reopen(RetentionPolicy(days=5))
    gone = lambda: bench.run(bench.engine.overall_stats(only())).projects == 1  # noqa: E731
    bench.wait_for(gone, "the project to be pruned with its last task")
    bench.wait_for(lambda: bench.tasks("p") == ["late"], "the task to be pruned")
    assert overall(bench) == Amounts(1110)
    assert overall(bench, only("p", "q")) == Amounts(1010)
    bench.run(bench.engine.delete_project("p", SOMEBODY))
    assert overall(bench) == Amounts(100)
    bench.reopen()
    assert overall(bench) == Amounts(100)


def test_sums_that_grow_too_large_stay_at_the_largest(bench: Bench) -> None:
    most = Told(*[MAX_TOKENS] * 4, MAX_COST_USD * MICROS)
    usage = tuple(ModelTold(f"m{number}", most) for number in range(100))
    for task in range(100):
        bench.record(report("start", task_id=f"{task}", usage=usage))
    assert overall(bench) == Amounts(*[MAX_USAGE_SUM] * 5)
    assert overall(bench, only("project")) == overall(bench)
    bench.run(bench.engine.delete_project("project", SOMEBODY))
    assert overall(bench) == NOTHING


def test_models_past_the_largest_number_are_left_out(bench: Bench) -> None:
    for number in range(0, 140, 70):
        usage = tuple(told(f"m{number + nth}", 1) for nth in range(70))
        bench.record(report("status", usage=usage))
    assert overall(bench) == Amounts(100)


# In the plainest way: everything that was told is kept, and summed up for each question.


Share = tuple[str, int, str, int]
"""A model, a day, an agent, and how much was added."""


@dataclass
class ModelTask:
    session: str | None = None
    ended: bool = False
    attempt: int = 1
    reported: int = 0
    """The day of the newest report."""
    totals: dict[tuple[int, str], int] = field(default_factory=dict)
    shares: list[Share] = field(default_factory=list)

    def tell(self, model: str, total: int, day: int, agent: str, *, late: bool) -> None:
        if late and (self.attempt, model) in self.totals:
            return
        change = total - self.totals.get((self.attempt, model), 0)
        self.totals[self.attempt, model] = total
        if change > 0:
            self.shares.append((model, day, agent, change))
        for share in sorted(self.shares, key=lambda one: (-one[1], one[2] != agent, one[2])):
            if share[0] == model and change < 0:
                taken = min(share[-1], -change)
                change += taken
                self.shares.remove(share)
                self.shares.append((*share[:-1], share[-1] - taken))


class Simple:
    """The actions, as the simple model takes them. Pruned tasks leave their shares: in `left`
    while there is their project, then in `gone`."""

    def __init__(self) -> None:
        self.tasks: dict[tuple[str, str], ModelTask] = {}
        self.left: dict[str, list[Share]] = defaultdict(list)
        self.gone: list[Share] = []

    def report(
        self,
        kind: Kind,
        key: tuple[str, str],
        day: int,
        agent: str,
        session: str | None,
        usage: dict[str, int],
    ) -> None:
        known = key in self.tasks
        task = self.tasks.setdefault(key, ModelTask())
        late = kind is Kind.STATUS and task.ended
        if kind is Kind.START and known and task.ended:
            task.attempt, task.ended = task.attempt + 1, False
        if not late:
            task.session = session or task.session
        for model, total in usage.items():
            task.tell(model, total, day, agent, late=late)
        task.ended = task.ended or kind in (Kind.FINISH, Kind.ERROR)
        task.reported = day

    def prunable(self, today: int) -> list[tuple[str, str]]:
        return [key for key, task in self.tasks.items() if task.ended and task.reported < today - 1]

    def prune(self, key: tuple[str, str]) -> None:
        self.left[key[0]] += self.tasks.pop(key).shares
        if not self.of(key[0]):
            self.gone += self.left.pop(key[0])

    def of(self, project: str) -> list[tuple[str, str]]:
        return [key for key in self.tasks if key[0] == project]

    def shares(self, project: str) -> list[Share]:
        own = [share for key in self.of(project) for share in self.tasks[key].shares]
        return [*own, *self.left[project]]


def added_up(shares: Iterable[Share], position: int) -> dict[Any, int]:
    sums: dict[Any, int] = defaultdict(int)
    for share in shares:
        sums[share[position]] += share[-1]
    return {name: total for name, total in sums.items() if total}


PROJECTS, TASKS = st.sampled_from(["p", "q"]), st.sampled_from(["1", "2", "3"])
ACTIONS = st.one_of(
    *[
        st.tuples(
            *(st.just("report"), st.sampled_from(list(Kind)), PROJECTS, TASKS),
            st.sampled_from(["alice", "bob"]),
            st.sampled_from([None, None, "s", "t"]),
            st.dictionaries(st.sampled_from(["m", "n", ""]), st.integers(0, 20), max_size=2),
        )
    ]
    * 4,
    st.tuples(st.just("next day")),
    st.tuples(st.just("delete task"), PROJECTS, TASKS),
    st.tuples(st.just("delete project"), PROJECTS),
    st.tuples(st.just("reopen")),
    st.tuples(st.just("prune")),
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions=st.lists(ACTIONS, max_size=30), together=st.integers(1, 4))
def test_sums_equal_the_simple_model(
    lasting: Bench, actions: list[tuple[Any, ...]], together: int
) -> None:
    bench, simple = lasting, Simple()
    simple.gone = empty(bench)
    waiting: list[Report] = []
    for what, *given_ in [*actions, ("end",)]:
        today = bench.clock.now_ms() // MS_PER_DAY
        if what == "report":
            kind, project, task, agent, session, usage = given_
            totals = tuple(told(model, total) for model, total in usage.items())
            fields = {"agent": agent, "session": session, "usage": totals}
            waiting.append(report(kind, project, task, **fields))
            simple.report(kind, (project, task), today, agent, session, usage)
            if len(waiting) < together:
                continue
        bench.record(*waiting)
        waiting.clear()
        if what == "next day":
            bench.clock.advance(seconds=86_400)
        elif what == "reopen":
            bench.reopen()
        elif what == "prune":
            prune(bench, simple, today)
        elif what == "delete task" and tuple(given_) in simple.tasks:
            bench.run(bench.engine.delete_task(*given_, SOMEBODY))
            delete(simple, [(given_[0], given_[1])])
        elif what == "delete project" and simple.of(given_[0]):
            bench.run(bench.engine.delete_project(*given_, SOMEBODY))
            delete(simple, simple.of(given_[0]))
            simple.left.pop(given_[0], None)
    check(bench, simple)


def empty(bench: Bench) -> list[Share]:
    """Delete everything; what stays is of projects that were pruned, of whatever agent."""
    for project in bench.run(bench.engine.projects(only(), ProjectQuery())).projects:
        bench.run(bench.engine.delete_project(project.name, SOMEBODY))
    left = bench.run(bench.engine.overall_stats(only())).usage.models
    return [(model.model, 0, "", model.amounts.input_tokens) for model in left]


def delete(simple: Simple, keys: list[tuple[str, str]]) -> None:
    for key in keys:
        del simple.tasks[key]


def prune(bench: Bench, simple: Simple, today: int) -> None:
    """What ended more than a day ago."""
    old = simple.prunable(today)
    bench.reopen(RetentionPolicy(days=1.5))
    for key in old:
        simple.prune(key)
    for project, task in old:
        bench.wait_for(lambda p=project, t=task: not exists(bench, p, t), "pruning")
    bench.reopen()


def exists(bench: Bench, project: str, task: str) -> bool:
    try:
        bench.task(project, task)
    except NotFound:
        return False
    return True


def check(bench: Bench, simple: Simple) -> None:
    """Every figure that there is."""
    for scope, projects in ((only(), "pq"), (only("p"), "p"), (only("q", "never seen"), "q")):
        shares = [share for project in projects for share in simple.shares(project)]
        if scope.projects is None:
            shares += simple.gone
        stats = bench.run(bench.engine.overall_stats(scope))
        models = {model.model: model.amounts.input_tokens for model in stats.usage.models}
        assert models == added_up(shares, 0)
        of_agents = added_up(shares, 2)
        for agent in stats.agents if "" not in of_agents else ():
            assert agent.usage.input_tokens == of_agents.get(agent.name, 0)
    for project in {key[0] for key in simple.tasks}:
        stats_ = bench.run(bench.engine.project_stats(only(), project, 100))
        shares = simple.shares(project)
        found = {day.day: day.amounts.input_tokens for day in stats_.usage_days}
        assert found == added_up(shares, 1)
        assert stats_.usage.total.input_tokens == sum(share[-1] for share in shares)
    for key, task in simple.tasks.items():
        usage = bench.task(*key).usage
        assert (usage is None) == (not task.totals)
        if usage is not None:
            assert usage.total.input_tokens == sum(task.totals.values())
            assert usage.total.input_tokens == sum(share[-1] for share in task.shares)
