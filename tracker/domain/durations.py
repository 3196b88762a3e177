"""How long tasks take: a histogram and each agent's median, over the tasks that ended last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final, NamedTuple

SAMPLE_SIZE: Final = 1000
"""How many of the tasks that ended last are measured."""

# The upper bounds of the histogram's bars, in milliseconds; one more bar holds the rest.
_BOUNDS: Final = (1000, 5000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000)


class Bar(NamedTuple):
    """One bar of the histogram. `up_to_ms` None: longer than all others."""

    up_to_ms: int | None
    tasks: int


class AgentMedian(NamedTuple):
    """The median over `sample` tasks of an agent."""

    name: str
    sample: int
    median_ms: int


class Durations(NamedTuple):
    """The durations of `sample` tasks; agents in order of their names."""

    sample: int
    median_ms: int
    histogram: Sequence[Bar]
    agents: Sequence[AgentMedian]


def measure(tasks: Iterable[tuple[str, int]]) -> Durations:
    """Summarise tasks, each given as its agent and its duration in milliseconds."""
    by_agent: dict[str, list[int]] = defaultdict(list)
    for agent, duration in tasks:
        by_agent[agent].append(duration)
    durations = [duration for values in by_agent.values() for duration in values]
    return Durations(
        len(durations),
        round(median(durations)) if durations else 0,
        _histogram(durations),
        [
            AgentMedian(name, len(values), round(median(values)))
            for name, values in sorted(by_agent.items())
        ],
    )


def _histogram(durations: Iterable[int]) -> list[Bar]:
    counts = [0] * (len(_BOUNDS) + 1)
    for duration in durations:
        counts[sum(duration > bound for bound in _BOUNDS)] += 1
    return [Bar(bound, count) for bound, count in zip((*_BOUNDS, None), counts, strict=True)]
