"""What tasks' models have used: tokens, and cost in millionths of a dollar (docs/contract.md, "What
agents tell beyond the document").

Several sources may tell of one attempt: its agent's reports, telemetry, hooks. What counts is
worked out here; the sums are an engine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from tracker.domain.limits import MAX_MODELS, MAX_USAGE_SUM

MICROS: Final = 1_000_000


class Source(StrEnum):
    """Who tells. Those that go before others come first."""

    REPORT = "report"
    OTLP = "otlp"
    HOOK = "hook"


class Amounts(NamedTuple):
    """What was used."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_micros: int = 0

    def plus(self, other: Amounts) -> Amounts:
        """Both together; no more than can be counted."""
        return Amounts._make(
            min(own + others, MAX_USAGE_SUM) for own, others in zip(self, other, strict=True)
        )

    def minus(self, other: Amounts) -> Amounts:
        """The difference, which may be below 0."""
        return Amounts._make(own - others for own, others in zip(self, other, strict=True))


NOTHING: Final = Amounts()


class Told(NamedTuple):
    """Running totals of one attempt, as one source tells them of one model; None: not told."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cost_micros: int | None = None

    @property
    def amounts(self) -> Amounts:
        """What is not told counts as nothing."""
        return Amounts._make(total or 0 for total in self)

    def after(self, newer: Told) -> Told:
        """Each total that is given replaces the one before."""
        return Told._make(old if new is None else new for old, new in zip(self, newer, strict=True))


NOT_TOLD: Final = Told()


class ModelTold(NamedTuple):
    """What a report tells of one model; the name is empty if it does not say which."""

    model: str
    told: Told


Attempt = dict[tuple[Source, str], Told]
"""What was told of an attempt, by source and model."""


def tell(attempt: Attempt, source: Source, usage: Iterable[ModelTold], *, late: bool) -> None:
    """Add to `attempt` what `source` tells. `late`: newer word came before, so that this only fills
    what is empty. Models past `MAX_MODELS` of a source are left out."""
    for model, told in usage:
        known = attempt.get((source, model))
        if known is None:
            if sum(of is source for of, _ in attempt) < MAX_MODELS:
                attempt[source, model] = told
        else:
            attempt[source, model] = told.after(known) if late else known.after(told)


def shown(attempt: Attempt) -> set[tuple[Source, str]]:
    """What of it counts: for each model the first source that tells of it. What is told of no
    model in particular may be of any, and so goes together with no other source's."""
    counted: set[str] = set()
    keys: set[tuple[Source, str]] = set()
    for source in Source:
        models = {model for of, model in attempt if of is source}
        if counted:
            models = set() if "" in counted else models - counted - {""}
        counted |= models
        keys |= {(source, model) for model in models}
    return keys


def counts(attempt: Attempt) -> dict[str, Amounts]:
    """What of it counts, by model."""
    return {model: attempt[source, model].amounts for source, model in shown(attempt)}


class ModelUsage(NamedTuple):
    """What was used of one model; `source` is None in sums over tasks."""

    model: str
    source: str | None
    amounts: Amounts


class Usage(NamedTuple):
    """What was used, by model; those with the highest cost first."""

    models: Sequence[ModelUsage] = ()

    @property
    def total(self) -> Amounts:
        """Over all models."""
        total = NOTHING
        for model in self.models:
            total = total.plus(model.amounts)
        return total


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
