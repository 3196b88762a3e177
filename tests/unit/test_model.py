"""The state rules: what each report makes of a task (docs/contract.md, "Webhooks")."""

from __future__ import annotations

from typing import Any

import pytest

from tracker.domain.rules import apply
from tracker.domain.tasks import EVENT_TYPES, Kind, Report, Status, Task, seconds, trim_float

NOW = 1_705_312_800_000  # 2024-01-15T10:00:00Z
MINUTE = 60_000


def report(kind: Kind, **fields: Any) -> Report:
    return Report(kind, "project", "task-1", "Title", "agent", **fields)


def start(**fields: Any) -> Report:
    return report(Kind.START, **fields)


def status(status: str = "running", **fields: Any) -> Report:
    return report(Kind.STATUS, status=Status(status), **fields)


def finish(**fields: Any) -> Report:
    return report(Kind.FINISH, **fields)


def error(**fields: Any) -> Report:
    return report(Kind.ERROR, **{"error_type": "E", "error_message": "failed", **fields})


def told(*reports: Report, task: Task | None = None) -> Task:
    """The task after these reports, one a minute from NOW on."""
    now = NOW if task is None else task.updated_at + MINUTE
    for one in reports:
        task = apply(task, one, now)
        now += MINUTE
    assert task is not None
    return task


def kind_of(value: Report | str) -> str:
    """How a parameter is named in a test's id."""
    return value.kind if isinstance(value, Report) else value


STATES = {
    "pending": (status("pending"),),
    "running": (start(),),
    "completed": (start(), finish()),
    "failed": (start(), error()),
}

# What each report makes of each state.
TRANSITIONS = {
    "start": (start(), {"pending": "running", "completed": "running", "failed": "running"}),
    "status pending": (status("pending"), {"running": "pending"}),
    "status running": (status("running"), {"pending": "running"}),
    "status completed": (
        status("completed"),
        {"pending": "completed", "running": "completed"},
    ),
    "status failed": (status("failed"), {"pending": "failed", "running": "failed"}),
    "finish": (finish(), dict.fromkeys(STATES, "completed")),
    "error": (error(), dict.fromkeys(STATES, "failed")),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", TRANSITIONS)
def test_transition(name: str, state: str) -> None:
    one, changes = TRANSITIONS[name]
    before = told(*STATES[state])
    after = apply(before, one, before.updated_at + MINUTE)
    assert after.status == changes.get(state, state)
    ended = after.status in ("completed", "failed")
    assert (after.finished_at is not None) is ended
    assert (after.duration_ms is not None) is ended


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (start(), "running"),
        (status("pending"), "pending"),
        (status("running"), "running"),
        (status("completed"), "completed"),
        (status("failed"), "failed"),
        (finish(), "completed"),
        (error(), "failed"),
    ],
    ids=kind_of,
)
def test_any_report_creates_its_task(first: Report, expected: str) -> None:
    task = apply(None, first._replace(metadata={"a": 1}), NOW)
    assert task.status == expected
    assert (task.attempt, task.metadata) == (1, {"a": 1})
    assert (task.title, task.agent) == ("Title", "agent")
    assert task.started_at == task.created_at == task.updated_at == NOW
    ended = expected in ("completed", "failed")
    assert task.finished_at == (NOW if ended else None)
    assert task.duration_ms == (0 if ended else None)
    assert task.progress == (100 if expected == "completed" else 0)


def test_never_seen_and_finished_started_its_duration_ago() -> None:
    task = told(finish(duration_ms=3_450_000))
    assert task.started_at == NOW - 3_450_000
    assert (task.created_at, task.finished_at, task.duration_ms) == (NOW, NOW, 3_450_000)


class TestStart:
    @pytest.mark.parametrize("end", [finish(result="r"), error(stack_trace="s")], ids=kind_of)
    def test_after_the_end_begins_a_new_attempt(self, end: Report) -> None:
        ended = told(start(metadata={"a": 1}), status(progress=50, message="m"), end)
        task = told(start(metadata={"b": 2}), task=ended)
        now = NOW + 3 * MINUTE
        assert (task.attempt, task.progress, task.started_at) == (2, 0, now)
        cleared = ("finished_at", "duration_ms", "message", "result")
        cleared += ("error_type", "error_message", "stack_trace")
        assert {name: getattr(task, name) for name in cleared} == dict.fromkeys(cleared)
        assert task.metadata == {"a": 1, "b": 2}
        assert (task.created_at, task.updated_at) == (NOW, now)

    def test_each_restart_counts(self) -> None:
        assert told(start(), finish(), start(), error(), start()).attempt == 3

    def test_while_running_refreshes_what_it_says(self) -> None:
        running = told(start(metadata={"a": 1, "b": 1}), status(progress=40, message="m"))
        again = start(metadata={"b": 2})._replace(title="New title", agent="other agent")
        task = told(again, task=running)
        assert (task.title, task.agent) == ("New title", "other agent")
        assert task.metadata == {"a": 1, "b": 2}
        assert (task.attempt, task.progress, task.message) == (1, 40, "m")
        assert (task.started_at, task.updated_at) == (NOW, NOW + 2 * MINUTE)

    def test_of_what_waited_starts_the_time(self) -> None:
        task = told(status("pending", progress=10), start(), finish())
        assert (task.attempt, task.started_at) == (1, NOW + MINUTE)
        assert task.duration_ms == MINUTE


class TestStatus:
    def test_keeps_what_it_does_not_say(self) -> None:
        task = told(start(), status(progress=40, message="m"), status())
        assert (task.progress, task.message) == (40, "m")

    def test_says_zero(self) -> None:
        task = told(start(), status(progress=40, message="m"), status(progress=0, message=""))
        assert (task.progress, task.message) == (0, "")

    def test_running_after_pending_starts_the_time(self) -> None:
        task = told(status("pending"), status("running"), status("running"), finish())
        assert task.started_at == NOW + MINUTE
        assert task.duration_ms == 2 * MINUTE

    @pytest.mark.parametrize("end", [finish(), error()], ids=kind_of)
    @pytest.mark.parametrize("late", ["pending", "running", "completed", "failed"])
    def test_late_leaves_the_task_untouched(self, end: Report, late: str) -> None:
        ended = told(start(metadata={"a": 1}), end)
        report = status(late, progress=5, message="late", metadata={"a": 2})
        assert apply(ended, report._replace(title="Other"), NOW + 9 * MINUTE) is ended

    def test_completed_ends_as_finish_does(self) -> None:
        begun = told(start(), status(progress=30))
        by_status = told(status("completed", message="m"), task=begun)
        assert by_status == told(finish(), task=begun)._replace(message="m")
        assert by_status.progress == 100

    def test_failed_ends_as_error_does(self) -> None:
        begun = told(start(), status(progress=30))
        by_status = told(status("failed", message="m"), task=begun)
        by_error = told(error(error_type=None, error_message=None), task=begun)
        assert by_status == by_error._replace(message="m")
        assert by_status.progress == 30


class TestEnd:
    def test_duration_is_measured(self) -> None:
        task = told(start(), status(), finish())
        assert (task.finished_at, task.duration_ms) == (NOW + 2 * MINUTE, 2 * MINUTE)

    def test_duration_that_was_given_stands(self) -> None:
        task = told(start(), finish(duration_ms=5))
        assert (task.started_at, task.finished_at, task.duration_ms) == (NOW, NOW + MINUTE, 5)

    def test_duration_is_never_negative(self) -> None:
        # The machine's clock may step back between the two.
        assert apply(told(start()), finish(), NOW - MINUTE).duration_ms == 0

    def test_error_keeps_the_progress(self) -> None:
        assert told(start(), status(progress=40), error()).progress == 40

    def test_finish_after_error_stands(self) -> None:
        task = told(start(), error(stack_trace="s"), finish(result="r"))
        assert (task.status, task.result, task.progress) == ("completed", "r", 100)
        assert (task.error_type, task.error_message, task.stack_trace) == (None, None, None)
        assert (task.finished_at, task.duration_ms) == (NOW + 2 * MINUTE, 2 * MINUTE)
        assert task.attempt == 1

    def test_error_after_finish_stands(self) -> None:
        task = told(start(), finish(result="r", duration_ms=7), error(stack_trace="s"))
        assert (task.status, task.result) == ("failed", None)
        assert (task.error_type, task.error_message, task.stack_trace) == ("E", "failed", "s")
        assert (task.finished_at, task.duration_ms) == (NOW + 2 * MINUTE, 2 * MINUTE)

    @pytest.mark.parametrize("end", [finish(), error()], ids=kind_of)
    def test_said_again_does_not_move(self, end: Report) -> None:
        task = told(start(), end, end)
        assert (task.finished_at, task.duration_ms) == (NOW + MINUTE, MINUTE)
        assert task.updated_at == NOW + 2 * MINUTE

    def test_said_again_may_add(self) -> None:
        first = told(start(), finish(result="r"))
        assert told(finish(), task=first).result == "r"
        task = told(finish(result="better", duration_ms=9), task=first)
        assert (task.result, task.duration_ms, task.finished_at) == ("better", 9, NOW + MINUTE)

    def test_of_a_new_attempt_measures_that_attempt(self) -> None:
        task = told(start(), finish(), status(), start(), finish())
        assert task.duration_ms == MINUTE


class TestMetadata:
    def test_newer_top_level_keys_replace_older(self) -> None:
        task = told(
            start(metadata={"kept": 1, "nested": {"a": 1, "b": 1}}),
            status(metadata={"nested": {"a": 2}}),
            finish(metadata={"added": None}),
        )
        assert task.metadata == {"kept": 1, "nested": {"a": 2}, "added": None}

    @pytest.mark.parametrize("nothing", [None, {}])
    def test_nothing_changes_nothing(self, nothing: dict[str, Any] | None) -> None:
        assert told(start(metadata={"a": 1}), finish(metadata=nothing)).metadata == {"a": 1}

    def test_is_not_changed_in_place(self) -> None:
        first = {"a": 1}
        told(start(metadata=first), status(metadata={"a": 2}))
        assert first == {"a": 1}


def test_every_kind_has_its_event() -> None:
    assert {kind.value: type_ for kind, type_ in EVENT_TYPES.items()} == {
        "start": "task_started",
        "status": "task_status_updated",
        "finish": "task_finished",
        "error": "task_error",
    }


@pytest.mark.parametrize(
    ("ms", "expected"), [(None, "None"), (0, "0"), (3_600_000, "3600"), (1500, "1.5"), (1, "0.001")]
)
def test_seconds_read_as_printed(ms: int | None, expected: str) -> None:
    assert str(seconds(ms)) == expected


def test_progress_reads_as_printed() -> None:
    assert [str(trim_float(n)) for n in (75.0, 75, 33.3, 0.0)] == ["75", "75", "33.3", "0"]
