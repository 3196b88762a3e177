"""What tasks' models have used: tokens, and cost in millionths of a dollar (docs/contract.md, "What
agents tell beyond the document").

Several sources may tell of one attempt: its agent's reports, telemetry, hooks. What counts is
worked out here; the sums are an engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from tracker.domain.limits import MAX_MODELS, MAX_TOKENS, MAX_USAGE_SUM

MICROS: Final = 1_000_000


class Source(StrEnum):
    """Who tells. Those that go before others come first."""

    __hash__ = str.__hash__  # Enum's differs, and is written in Python

    REPORT = "report"
    OTLP = "otlp"
    HOOK = "hook"


class Amounts(NamedTuple):
    """What was used; in a difference, below 0 what was used less. `estimated_micros`: what is not
    in `cost_micros`, for nobody told it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_micros: int = 0
    estimated_micros: int = 0

    # Written out: each report with usage comes here.

    def plus(self, other: Amounts) -> Amounts:
        """Both together."""
        a, b, c, d, e, f = self
        u, v, w, x, y, z = other
        return Amounts(a + u, b + v, c + w, d + x, e + y, f + z)

    def minus(self, other: Amounts) -> Amounts:
        """The difference."""
        a, b, c, d, e, f = self
        u, v, w, x, y, z = other
        return Amounts(a - u, b - v, c - w, d - x, e - y, f - z)


NOTHING: Final = Amounts()


class Told(NamedTuple):
    """Running totals of one attempt, as one source tells them of one model; None: not told.
    `estimated_micros` nobody tells: see `tracker.domain.prices`."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cost_micros: int | None = None
    estimated_micros: int | None = None

    @property
    def amounts(self) -> Amounts:
        """What is not told counts as nothing."""
        a, b, c, d, e, f = self
        return Amounts(a or 0, b or 0, c or 0, d or 0, e or 0, f or 0)

    def after(self, newer: Told) -> Told:
        """Each total that is given replaces the one before."""
        if None not in newer[:-1]:
            return newer
        return Told._make(old if new is None else new for old, new in zip(self, newer, strict=True))

    def plus(self, more: Told) -> Told:
        """So much more of each total that is given; no more than an attempt may have."""
        return Told._make(
            old if new is None else min((old or 0) + new, MAX_TOKENS)
            for old, new in zip(self, more, strict=True)
        )


NOT_TOLD: Final = Told()


class ModelTold(NamedTuple):
    """What a report tells of one model; the name is empty if it does not say which."""

    model: str
    told: Told


Attempt = dict[Source, dict[str, Told]]
"""What was told of an attempt, by source and model."""


def tell(
    attempt: Attempt,
    source: Source,
    usage: Iterable[ModelTold],
    *,
    late: bool,
    is_more: bool = False,
    estimated: Callable[[str, Told], Told] = lambda _model, told: told,
) -> dict[str, Amounts]:
    """Add to `attempt` what `source` tells; how much more of it counts then, by model. `late`:
    newer word came before, so that this only fills what is empty. `is_more`: it tells of no totals,
    but how much has come to them. Models past `MAX_MODELS` of a source are left out. `estimated`:
    see `tracker.domain.prices`."""
    own = attempt.setdefault(source, {})
    before = counts(attempt) if len(attempt) > 1 else None
    changes: dict[str, Amounts] = {}
    for model, told in usage:
        known = own.get(model)
        if known is None:
            if len(own) < MAX_MODELS:
                own[model] = estimated(model, told)
                changes[model] = own[model].amounts
        else:
            if is_more:
                own[model] = known.plus(told)
            else:
                own[model] = told.after(known) if late else known.after(told)
            own[model] = estimated(model, own[model])
            change = own[model].amounts.minus(known.amounts)
            changes[model] = changes.get(model, NOTHING).plus(change)
    if before is None:  # all that a single source tells counts
        return changes
    after = counts(attempt)
    return {
        model: after.get(model, NOTHING).minus(before.get(model, NOTHING))
        for model in before.keys() | after.keys()
    }


def shown(attempt: Attempt) -> dict[Source, set[str]]:
    """What of it counts: for each model the first source that tells of it. What is told of no
    model in particular may be of any, and so goes together with no other source's."""
    counted: set[str] = set()
    of_source = {}
    for source in Source:
        models = set(attempt.get(source, ()))
        if counted:
            models = set() if "" in counted else models - counted - {""}
        counted |= models
        of_source[source] = models
    return of_source


def counts(attempt: Attempt) -> dict[str, Amounts]:
    """What of it counts, by model."""
    return {
        model: attempt[source][model].amounts
        for source, models in shown(attempt).items()
        for model in models
    }


class ModelUsage(NamedTuple):
    """What was used of one model; `source` is None in sums over tasks."""

    model: str
    source: str | None
    amounts: Amounts


class Usage(NamedTuple):
    """What was used, by model; those with the highest cost first. `rest`: of models that are not
    among them, for there may be any number."""

    models: Sequence[ModelUsage] = ()
    rest: Amounts = NOTHING

    @property
    def total(self) -> Amounts:
        """Over all models; no more than can be counted."""
        total = self.rest
        for model in self.models:
            total = total.plus(model.amounts)
        return Amounts._make(min(amount, MAX_USAGE_SUM) for amount in total)


NO_USAGE: Final = Usage()


def as_content(amounts: Mapping[str, int | None]) -> dict[str, Any]:
    """Amounts by name as JSON has them, cost in dollars; what was not told is left out."""
    given = {name: amount for name, amount in amounts.items() if amount is not None}
    micros = given.pop("cost_micros", None)
    return given if micros is None else {**given, "cost_usd": dollars(micros)}


def dollars(micros: int) -> float:
    """Millionths as dollars; whole where they are whole."""
    return micros // MICROS if micros % MICROS == 0 else micros / MICROS


def micros_of(dollars_: float) -> int:
    """Dollars as whole millionths."""
    return round(dollars_ * MICROS)
