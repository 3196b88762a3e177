"""What counts of what several sources tell of one attempt."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bench import report
from tracker.domain.limits import MAX_MODELS
from tracker.domain.principal import Scope
from tracker.domain.usage import (
    NOTHING,
    Amounts,
    Attempt,
    ModelTold,
    Source,
    Told,
    counts,
    dollars,
    micros_of,
    tell,
)
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import reports, usage, usage_reads
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.connection import open_writer

TELLINGS = st.lists(
    st.tuples(
        st.sampled_from(Source),
        st.sampled_from(["", "m", "n"]),
        st.integers(0, 9),
        st.booleans(),
    ),
    max_size=12,
)


def told(model: str, tokens: int) -> list[ModelTold]:
    return [ModelTold(model, Told(tokens))]


def counted(tellings: Iterable[tuple[Source, str, int]]) -> dict[str, int]:
    attempt: Attempt = {}
    for source, model, tokens in tellings:
        tell(attempt, source, told(model, tokens), late=False)
    return {model: amounts.input_tokens for model, amounts in counts(attempt).items()}


def test_the_first_source_of_each_model_counts() -> None:
    otlp = [(Source.OTLP, "m", 100), (Source.OTLP, "n", 7)]
    assert counted(otlp) == {"m": 100, "n": 7}
    assert counted([*otlp, (Source.REPORT, "m", 80)]) == {"m": 80, "n": 7}
    assert counted([(Source.HOOK, "m", 1), *otlp]) == {"m": 100, "n": 7}


def test_what_is_told_of_no_model_goes_together_with_no_other_source() -> None:
    assert counted([(Source.REPORT, "", 80), (Source.OTLP, "m", 100)]) == {"": 80}
    assert counted([(Source.REPORT, "m", 80), (Source.OTLP, "", 100)]) == {"m": 80}
    assert counted([(Source.REPORT, "m", 80), (Source.REPORT, "", 5)]) == {"m": 80, "": 5}
    hidden = [(Source.REPORT, "m", 1), (Source.OTLP, "", 2), (Source.HOOK, "n", 3)]
    assert counted(hidden) == {"m": 1, "n": 3}


@given(tellings=TELLINGS)
def test_changes_add_up_to_what_counts(tellings: list[tuple[Source, str, int, bool]]) -> None:
    attempt: Attempt = {}
    sums: dict[str, Amounts] = {}
    for source, model, tokens, late in tellings:
        for of, change in tell(attempt, source, told(model, tokens), late=late).items():
            sums[of] = sums.get(of, NOTHING).plus(change)
    assert {of: amounts for of, amounts in sums.items() if any(amounts)} == {
        of: amounts for of, amounts in counts(attempt).items() if any(amounts)
    }


@given(tellings=TELLINGS)
def test_late_word_changes_nothing_that_was_told(
    tellings: list[tuple[Source, str, int, bool]],
) -> None:
    attempt: Attempt = {}
    for source, model, tokens, _ in tellings:
        known = attempt.get(source, {}).get(model)
        tell(attempt, source, told(model, tokens), late=True)
        assert attempt[source][model] == (known or Told(tokens))


def test_cost_is_kept_in_millionths() -> None:
    assert [micros_of(cost) for cost in (0, 0.1234567, 0.29, 10**6)] == [
        *(0, 123_457, 290_000, 10**12),
    ]
    assert [str(dollars(micros)) for micros in (0, 1, 290_000, 2_000_000)] == [
        *("0", "1e-06", "0.29", "2"),
    ]


def test_a_store_takes_all_sources() -> None:
    """Reports alone can tell yet; what others will have told is read in the same way."""
    attempt: Attempt = {
        Source.REPORT: {"m": Told(80)},
        Source.OTLP: {"m": Told(100), "n": Told(7)},
        Source.HOOK: {"": Told(1000)},
    }
    shares = {("m", 19_000, "agent"): Amounts(80), ("n", 19_001, "agent"): Amounts(7)}
    with closing(open_writer(None, "normal")) as connection, connection:
        reports.record(connection, 0, [WriteRequest(report("start", session="s"))])
        usage.restore(connection, 1, 1, "s", {1: attempt}, shares)
        found = usage_reads.of_tasks(connection, [1])[1]
        assert [(model.model, model.source, model.amounts) for model in found.models] == [
            *(("m", "report", Amounts(80)), ("n", "otlp", Amounts(7))),
        ]
        reports.record(connection, 0, [WriteRequest(report("status", usage=tuple(told("n", 5))))])
        assert usage_reads.of_tasks(connection, [1])[1].total == Amounts(85)
        assert recount(connection) == []


@pytest.mark.parametrize("scope", [Scope(), Scope(frozenset({"project"}))])
def test_sums_name_as_many_models_as_are_answered(scope: Scope) -> None:
    """Agents may tell of any number: what is read must not grow with them."""
    names = [f"{number:03}" for number in range(2 * MAX_MODELS)]
    with closing(open_writer(None, "normal")) as connection, connection:
        for half in (names[:MAX_MODELS], names[MAX_MODELS:]):
            of = tuple(ModelTold(name, Told(int(name), cost_micros=int(name) % 3)) for name in half)
            task = report("start", task_id=half[0], usage=of)
            reports.record(connection, 0, [WriteRequest(task)])
        ordered = sorted(names, key=lambda name: (-(int(name) % 3), -int(name)))
        for found in (
            usage_reads.overall(connection, scope),
            usage_reads.of_project(connection, 1),
        ):
            assert [model.model for model in found.models] == ordered[:MAX_MODELS]
            assert found.total.input_tokens == sum(map(int, names))
            assert found.total.cost_micros == sum(int(name) % 3 for name in names)
