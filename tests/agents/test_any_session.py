"""Sessions as an agent may tell them, in any order: what must hold of the tasks whatever comes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker.agents.session import interpret
from tracker.agents.session_tasks import INTERRUPTED, Context
from tracker.agents.steps import (
    Answered,
    Asked,
    Idle,
    Prompted,
    Reading,
    Replied,
    Said,
    SessionBegan,
    SessionEnded,
    Step,
    SubagentBegan,
    SubagentEnded,
    ToolBegan,
    ToolEnded,
    TurnEnded,
    TurnFailed,
    TurnInterrupted,
    Woken,
)
from tracker.agents.texts import as_name
from tracker.api.schemas import ErrorBody, FinishBody, StartBody, StatusBody
from tracker.domain import rules
from tracker.domain.tasks import ENDED, Kind, Report, Status, Task

NOW = 1_800_000_000_000
_MODELS = {
    Kind.START: StartBody,
    Kind.STATUS: StatusBody,
    Kind.FINISH: FinishBody,
    Kind.ERROR: ErrorBody,
}


class Told(NamedTuple):
    """A payload: so many milliseconds after the session began."""

    at: int
    steps: tuple[Step, ...]
    turn: str = ""
    subagent: tuple[str, str] = ("", "")


class Tracker:
    """Takes payloads as the store does."""

    def __init__(self) -> None:
        self.state: dict[str, Any] | None = None
        self.tasks: dict[str, Task] = {}
        self.reports: list[Report] = []

    def hear(self, told: Told, delay: int = 10_000) -> None:
        reading = Reading("s", "e", told.steps, turn=told.turn, subagent=told.subagent)
        context = Context("agent", "s", "project", NOW + told.at, {"cwd": "/x"})
        now = NOW + delay
        found = interpret(context, reading, "", self.state, now)
        self.state = json.loads(json.dumps(found.state))
        for report in found.reports:
            check(report)
            self.reports.append(report)
            before = self.tasks.get(report.task_id)
            self.tasks[report.task_id] = rules.apply(before, report, now)

    def outcome(self) -> dict[str, Any]:
        return {
            name: (task.status, task.title, task.error_type, [one.id for one in task.requests.open])
            for name, task in self.tasks.items()
        }


def check(report: Report) -> None:
    """Its fields are such that a webhook could bring them."""
    body: dict[str, Any] = {
        "project": report.project,
        "task": report.title,
        "task_id": report.task_id,
        "agent": report.agent,
        "metadata": report.metadata,
        "session": report.session,
        "parent_task_id": report.parent_task_id,
        "message": report.message,
        "result": report.result,
        "error_type": report.error_type,
        "error_message": report.error_message,
    }
    if report.attention is not None:
        body |= {"attention": report.attention.text, "attention_id": report.attention.id}
    if report.attention is not None and not report.attention.id:
        body["attention_id"] = None
    _MODELS[report.kind].model_validate({k: v for k, v in body.items() if v is not None})


ODD = st.sampled_from(["", "a", "b", "x" * 300, "\0", "a/b", "\x1b[31m", "é" * 5000])
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(SessionBegan, ODD),
    st.just(SessionEnded()),
    st.builds(Prompted, ODD),
    st.builds(Woken, ODD),
    st.builds(TurnEnded, ODD, ODD, ODD, st.booleans()),
    st.builds(TurnFailed, ODD, ODD),
    st.builds(TurnInterrupted, ODD),
    st.just(Idle()),
    st.builds(ToolBegan, ODD, ODD, ODD, st.one_of(st.none(), st.tuples(ODD, ODD))),
    st.builds(ToolEnded, ODD, ODD, ODD, ODD),
    st.builds(Asked, ODD, ODD, ODD),
    st.builds(Answered, ODD, ODD),
    st.builds(SubagentBegan, ODD, ODD, ODD),
    st.builds(SubagentEnded, ODD, ODD, ODD),
    st.builds(Replied, ODD),
    st.builds(Said, ODD),
)
ANYTHING = st.builds(
    Told,
    st.integers(0, 5000),
    st.lists(STEPS, min_size=1, max_size=2).map(tuple),
    st.sampled_from(["", "p", "q", "r" * 300]),
    st.sampled_from([("", ""), ("", ""), ("a", "kind"), ("b", ""), ("c" * 300, "k" * 300)]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(ANYTHING, max_size=25))
def test_whatever_comes_the_reports_can_be_taken(payloads: list[Told]) -> None:
    tracker = Tracker()
    for told in payloads:
        tracker.hear(told)
    for task in tracker.tasks.values():
        assert task.status not in ENDED or not task.requests.open
    state = tracker.state or {"open": {}}
    running = {name for name, task in tracker.tasks.items() if task.status is Status.RUNNING}
    assert running == {as_name(f"s/{name}") for name in state["open"]}


@settings(max_examples=100, deadline=None)
@given(st.lists(ANYTHING, max_size=20))
def test_nothing_runs_after_the_end_of_a_session(payloads: list[Told]) -> None:
    tracker = Tracker()
    tracker.hear(Told(5001, (SessionEnded(),)))
    for told in payloads:
        tracker.hear(told)
    assert {task.status for task in tracker.tasks.values()} <= ENDED
    for told in payloads:
        tracker.hear(told)
    assert {task.status for task in tracker.tasks.values()} <= ENDED


def test_a_wild_session_is_remembered_in_bounds() -> None:
    tracker = Tracker()
    text = "x" * 9000
    for number in range(1200):
        tool = ToolBegan(f"{number}", f"{number}", text, ("kind", text))
        asked = Asked(text, f"{number}")
        tracker.hear(Told(number, (Prompted(text), tool, asked, Replied(text)), f"{number}"))
        tracker.hear(Told(number, (SubagentBegan(f"a{number}", "k"), Said(text)), f"{number}"))
        tracker.hear(Told(number, (tool, asked), "0"))
    assert len(json.dumps(tracker.state)) < 500_000


class Made(NamedTuple):
    """A turn, and how it ends."""

    payloads: list[Told]
    status: Status


@st.composite
def turns(draw: st.DrawFn, name: str, begin: int) -> Made:
    """A whole one, told by an agent which names turns and tool calls."""
    at = begin
    payloads = [Told(at, (Prompted(f"Do {name}\nnow"),), name)]
    for number in range(draw(st.integers(0, 3))):
        call, signature = f"{name}{number}", draw(st.sampled_from(["ls", "rm"]))
        at += draw(st.integers(1, 1500))
        kind = draw(st.sampled_from(["tool", "permission", "denied", "subagent"]))
        if kind == "subagent" and number == 0:
            signature = "spawn"
            payloads.append(Told(at, (ToolBegan(call, signature, "Agent", ("T", "Find")),), name))
            child = (f"{name}-child", "T")
            payloads.append(Told(at + 1, (SubagentBegan(*child),), name))
            payloads.append(Told(at + 2, (ToolBegan("c", "ls", "Bash: ls"),), name, child))
            payloads.append(Told(at + 3, (ToolEnded("c", "ls"),), name, child))
            payloads.append(Told(at + 4, (SubagentEnded(*child, "Found"),), name))
            at += 5
        else:
            payloads.append(Told(at, (ToolBegan(call, signature, "Bash"),), name))
        if kind in ("permission", "denied"):
            at += 1
            payloads.append(Told(at, (Asked("Allow?", "", signature),), name))
        at += draw(st.integers(1, 1500))
        if kind == "denied":
            payloads.append(Told(at, (Answered(call, signature),), name))
        else:
            payloads.append(Told(at, (ToolEnded(call, signature, "Bash"),), name))
    at += draw(st.integers(1, 1000))
    if draw(st.booleans()):
        payloads.append(Told(at, (TurnEnded("Done"),), name))
        return Made(payloads, Status.COMPLETED)
    payloads.append(Told(at, (TurnFailed("limit", "too much"),), name))
    return Made(payloads, Status.FAILED)


def heard(payloads: Sequence[Told]) -> Tracker:
    tracker = Tracker()
    for told in payloads:
        tracker.hear(told, delay=60_000)
    return tracker


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_payloads_of_a_turn_may_overtake_each_other(data: st.DataObject) -> None:
    made = data.draw(turns("p", 0))
    in_order = heard(made.payloads).outcome()
    assert in_order["s/p"][:2] == (made.status, "Do p")
    shuffled = data.draw(st.permutations(made.payloads))
    outcome = heard(shuffled).outcome()
    if is_named_late(shuffled):
        in_order["s/p-child"] = outcome["s/p-child"]
    assert outcome == in_order


def is_named_late(payloads: Sequence[Told]) -> bool:
    """The call that names a sub-agent comes when that has ended, or the sub-agent when its turn
    has: it keeps its type as its title."""
    steps = [one for told in payloads for one in told.steps]
    called, began, ended, over = (
        next((at for at, one in enumerate(steps) if is_it(one)), -1)
        for is_it in (
            lambda one: isinstance(one, ToolBegan) and one.starts,
            lambda one: isinstance(one, SubagentBegan),
            lambda one: isinstance(one, SubagentEnded),
            lambda one: isinstance(one, TurnEnded | TurnFailed),
        )
    )
    return called > ended or max(called, began) > over


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_turns_may_overtake_each_other(data: st.DataObject) -> None:
    first = data.draw(turns("p", 0))
    second = data.draw(turns("q", first.payloads[-1].at + data.draw(st.integers(1, 2000))))
    end = second.payloads[-1].at + 1
    payloads = [Told(0, (SessionBegan(),)), *first.payloads, *second.payloads]
    shuffled = data.draw(st.permutations([*payloads, Told(end, (SessionEnded(),))]))
    tracker = heard(shuffled)
    for name, made in (("p", first), ("q", second)):
        task = tracker.tasks[f"s/{name}"]
        assert (task.status, task.title) == (made.status, f"Do {name}")
        assert made.status is Status.COMPLETED or task.error_type == "limit"
        assert not task.requests.open


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["said", "asked", "ended", "idle", "prompt"]), max_size=8))
@example(["idle", "prompt"])
def test_a_turn_that_has_ended_stays_so(later: list[str]) -> None:
    steps: dict[str, Step] = {
        "said": Said("x"),
        "asked": Asked("Allow?", "1"),
        "ended": TurnEnded("again"),
        "idle": Idle(),
        "prompt": Prompted("next"),
    }
    tracker = Tracker()
    tracker.hear(Told(0, (Prompted("x"),), "p"))
    tracker.hear(Told(1, (TurnEnded("Done"),), "p"))
    for at, step in enumerate(later, 2):
        tracker.hear(Told(at, (steps[step],), f"q{at}" if step == "prompt" else "p"))
    task = tracker.tasks["s/p"]
    assert (task.status, task.result, task.attempt) == (Status.COMPLETED, "Done", 1)
    tracker.hear(Told(5000, (ToolBegan("c", "s", "Bash"),), "p"))
    assert tracker.tasks["s/p"].status is Status.RUNNING


def test_a_turn_that_runs_when_its_session_ends_is_interrupted() -> None:
    tracker = Tracker()
    tracker.hear(Told(0, (Prompted("x"),), "p"))
    tracker.hear(Told(9, (SessionEnded(),)))
    tracker.hear(Told(5, (ToolBegan("c", "s", "Bash"),), "p"))
    tracker.hear(Told(3, (Prompted("y"),), "q"))
    assert {task.error_type for task in tracker.tasks.values()} == {INTERRUPTED}
