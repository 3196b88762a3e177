"""What models have used, as JSON: cost in dollars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from tracker.clock import iso_date
from tracker.domain.limits import MAX_LISTED_MODELS, MAX_MODELS
from tracker.domain.records import DayUsage
from tracker.domain.usage import Amounts, Usage, dollars

if TYPE_CHECKING:
    from tracker.api import answers


def amounts(of: Amounts) -> answers.Amounts:
    """Tokens and cost."""
    return {
        "input_tokens": of.input_tokens,
        "output_tokens": of.output_tokens,
        "cache_read_tokens": of.cache_read_tokens,
        "cache_write_tokens": of.cache_write_tokens,
        "cost_usd": dollars(of.cost_micros),
        "estimated_cost_usd": dollars(of.estimated_micros),
    }


def of_task(usage: Usage | None, most: int = MAX_LISTED_MODELS) -> answers.Usage | None:
    """A task's own; by model of so many."""
    if usage is None:
        return None
    models: list[answers.ModelUsage] = [
        {
            "model": model.model or None,
            "source": cast("answers.SourceName", model.source),
            **amounts(model.amounts),
        }
        for model in usage.models[:most]
    ]
    return {**amounts(usage.total), "models": models}


def sums(usage: Usage) -> answers.UsageSums:
    """Over many tasks."""
    models: list[answers.ModelAmounts] = [
        {"model": model.model or None, **amounts(model.amounts)}
        for model in usage.models[:MAX_MODELS]
    ]
    return {**amounts(usage.total), "models": models}


def by_day(usage: Usage, days: Iterable[DayUsage]) -> answers.UsageByDay:
    """Of a project."""
    told: list[answers.DayUsage] = [
        {"date": iso_date(day.day), **amounts(day.amounts)} for day in days
    ]
    return {**sums(usage), "days": told}
