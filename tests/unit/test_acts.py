"""What ends an acknowledgement and a snooze."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.acts import Act, Deed, done
from tracker.domain.attention import Attention
from tracker.domain.rules import apply
from tracker.domain.tasks import ENDED, Kind, Report, Status, Task

NOW = 1_705_312_800_000
ATTENTION = st.one_of(
    st.none(),
    st.builds(Attention, st.sampled_from(["", "a", "b"]), st.sampled_from(["x", "y"])),
    st.builds(Attention, st.sampled_from(["a", "b"]), st.none()),
)


def report(kind: Kind, status: Status = Status.RUNNING, said: Attention | None = None) -> Report:
    return Report(kind, "p", "t", "T", "agent", status=status, attention=said)


REPORTS = st.builds(report, st.sampled_from(Kind), st.sampled_from(Status), ATTENTION)
RUNNING = apply(None, report(Kind.START), NOW)
ENDED_TASKS = {kind: apply(None, report(kind), NOW) for kind in (Kind.FINISH, Kind.ERROR)}


def settled(task: Task) -> Task:
    return done(done(task, Deed(Act.ACKNOWLEDGE, "me"), NOW), Deed(Act.SNOOZE, "me", NOW + 9), NOW)


@pytest.mark.parametrize(
    ("task", "kind", "ends"),
    [
        (RUNNING, Kind.START, False),
        (RUNNING, Kind.STATUS, False),
        (RUNNING, Kind.FINISH, True),
        (RUNNING, Kind.ERROR, True),
        (ENDED_TASKS[Kind.ERROR], Kind.START, True),
        (ENDED_TASKS[Kind.ERROR], Kind.STATUS, False),
        (ENDED_TASKS[Kind.ERROR], Kind.FINISH, True),
        (ENDED_TASKS[Kind.ERROR], Kind.ERROR, False),
        (ENDED_TASKS[Kind.FINISH], Kind.START, True),
        (ENDED_TASKS[Kind.FINISH], Kind.STATUS, False),
        (ENDED_TASKS[Kind.FINISH], Kind.FINISH, False),
        (ENDED_TASKS[Kind.FINISH], Kind.ERROR, True),
    ],
)
def test_what_ends_it(task: Task, kind: Kind, *, ends: bool) -> None:
    after = apply(settled(task), report(kind), NOW + 1)
    assert (after.acknowledged_at, after.snoozed_until) == (
        (None, None) if ends else (NOW, NOW + 9)
    )


@given(st.lists(REPORTS, max_size=6), st.lists(REPORTS, min_size=1, max_size=6))
def test_it_lasts_while_nothing_is_new(before: list[Report], after: list[Report]) -> None:
    """And whatever is done about a task, reports do to all else of it what they would have done."""
    plain = RUNNING
    for told in before:
        plain = apply(plain, told, NOW)
    task = settled(plain)
    for number, told in enumerate(after, 1):
        was, plain = plain, apply(plain, told, NOW + number)
        acted = task.acknowledged_at is not None
        task = apply(task, told, NOW + number)
        assert task._replace(acknowledged_at=None, snoozed_until=None) == plain
        opened = {(one.id, one.text) for one in plain.requests.open}
        opened -= {(one.id, one.text) for one in was.requests.open}
        ended = plain.status in ENDED and was.status is not plain.status
        is_new = bool(opened) or ended or plain.attempt > was.attempt
        assert (task.acknowledged_at is not None) == (acted and not is_new)
        assert (task.snoozed_until is None) == (task.acknowledged_at is None)


def test_what_changes_nothing_is_told_apart() -> None:
    task = settled(RUNNING)
    assert settled(task) is task
    assert done(task, Deed(Act.ACKNOWLEDGE, "other"), NOW + 5) is task
    for act in Act:
        assert done(RUNNING, Deed(act, "me", is_undone=True), NOW) is RUNNING
        task = done(task, Deed(act, "me", is_undone=True), NOW)
    assert task == RUNNING
