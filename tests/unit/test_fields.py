"""Whatever a job tells, the server takes it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_task_tracker.report import KINDS, MAX_BYTES
from agent_task_tracker.reports import Reports
from tracker.api.schemas import to_report
from tracker.clock import SystemClock
from tracker.domain.parsing import parse_object
from tracker.domain.tasks import Kind


class Odd:
    """What no JSON has, and what fails when it is looked at."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __float__(self) -> float:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(alphabet=st.characters(), min_size=200, max_size=300)
    | st.binary()
    | st.datetimes()
    | st.dates()
    | st.builds(Odd)
    | st.just("x" * 20_000)
    | st.just("caf\udce9\0.py")
    | st.just(10**400)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers() | st.floats(), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=6,
)
FIELDS = (
    *("project", "task", "task_id", "agent", "metadata", "status", "progress", "message", "result"),
    *("duration_seconds", "error_type", "error_message", "stack_trace", "session"),
    *("parent_task_id", "usage", "attention", "attention_id", "stale_after_seconds"),
    *("occurred_at", "unknown"),
)


def made(kind: str, fields: dict[str, Any], notes: list[str] | None = None) -> dict[str, Any]:
    said: list[str] = [] if notes is None else notes
    return dict(json.loads(Reports().make(kind, fields, said.append).content))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), values))
def test_whatever_is_told_the_server_takes(kind: str, fields: dict[str, Any]) -> None:
    content = Reports().make(kind, fields, lambda _text: None).content
    assert len(content) <= MAX_BYTES
    to_report(Kind(kind), parse_object(content))


def test_what_is_right_stays_as_it_is() -> None:
    fields: dict[str, Any] = {
        "project": "p",
        "task": "Разработка",
        "task_id": "org/task 1?",
        "agent": "a",
        "progress": 12.5,
        "message": "so far",
        "metadata": {"a": [1, 2.5, None, True, {"b": "c"}], "n": 2**70},
        "usage": {"input_tokens": 5, "cost_usd": 0.25, "model": "m"},
        "session": "s",
        "attention": "Allow?",
        "attention_id": "1",
        "occurred_at": "2026-01-02T03:04:05.678+00:00",
    }
    notes: list[str] = []
    told = made("status", fields, notes)
    assert notes == []
    assert told.pop("kind") == "status"
    assert told.pop("idempotency_key")
    assert datetime.fromisoformat(told.pop("occurred_at")) == datetime(
        2026, 1, 2, 3, 4, 5, 678_000, UTC
    )
    del fields["occurred_at"]
    assert told == fields


def test_what_is_wrong_is_converted_and_noted() -> None:
    notes: list[str] = []
    told = made(
        "status",
        {
            "project": "p" * 300,
            "task_id": 17,
            "agent": "",
            "progress": float("nan"),
            "status": "sleeping",
            "message": "m" * 10_001,
            "metadata": {"when": date(2026, 1, 2), 1: float("inf"), "s": {"x"}},
        },
        notes,
    )
    assert (told["project"], len(told["project"])) == ("p" * 254 + "…", 255)
    assert (told["task_id"], told["agent"], told["message"][-2:]) == ("17", "unnamed", "m…")
    assert not {"progress", "status"} & set(told)
    assert told["metadata"] == {"when": "2026-01-02", "1": None, "s": ["x"]}
    assert {note.partition(":")[0] for note in notes} == {
        *("project", "task_id", "agent", "progress", "status", "message"),
    }


@pytest.mark.parametrize(
    ("given_", "told"), [(-5, 0), (140, 100), ("40", 40), (True, 1), (33.3, 33.3)]
)
def test_progress_is_within_its_bounds(given_: Any, told: float) -> None:
    assert made("status", {"progress": given_})["progress"] == told


def test_a_request_is_cleared_by_its_id() -> None:
    told = made("status", {"attention": None, "attention_id": "1", "message": None})
    assert told["attention"] is None
    assert "message" not in told
    assert "attention" not in made("status", {"attention": None})


def test_what_is_too_large_is_left_out_part_by_part() -> None:
    fields = {"metadata": {str(n): "x" * 90_000 for n in range(20)}, "message": "kept"}
    notes: list[str] = []
    told = made("status", fields, notes)
    assert (told["message"], "metadata" in told) == ("kept", False)
    assert any("metadata" in note for note in notes)


def test_a_report_says_when_it_happened() -> None:
    before = SystemClock().now_ms()
    told = datetime.fromisoformat(made("start", {})["occurred_at"])
    assert before <= told.timestamp() * 1000 <= SystemClock().now_ms()
