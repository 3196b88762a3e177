"""How long tasks take: a histogram and each agent's median, over those that ended last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final, NamedTuple

SAMPLE: Final = 1000
"""Of how many of the tasks that ended last the durations are told."""

# The upper bounds of the histogram's bars, in milliseconds; one more bar holds the rest.
_BOUNDS: Final = (1000, 5000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000)


class Bar(NamedTuple):
    """Of a histogram: how many tasks took so long. `up_to_ms` None: longer than all others."""

    up_to_ms: int | None
    tasks: int


class AgentMedian(NamedTuple):
    """The median of an agent's tasks, and of how many."""

    name: str
    sample: int
    median_ms: int


class Durations(NamedTuple):
    """Of `sample` tasks; agents by name."""

    sample: int
    median_ms: int
    histogram: Sequence[Bar]
    agents: Sequence[AgentMedian]


def measure(tasks: Iterable[tuple[str, int]]) -> Durations:
    """What these make, each an agent and a duration in milliseconds."""
    of_agent: dict[str, list[int]] = defaultdict(list)
    for agent, duration in tasks:
        of_agent[agent].append(duration)
    durations = [duration for some in of_agent.values() for duration in some]
    return Durations(
        len(durations),
        round(median(durations)) if durations else 0,
        _histogram(durations),
        [
            AgentMedian(name, len(some), round(median(some)))
            for name, some in sorted(of_agent.items())
        ],
    )


def _histogram(durations: Iterable[int]) -> list[Bar]:
    counts = [0] * (len(_BOUNDS) + 1)
    for duration in durations:
        counts[sum(duration > bound for bound in _BOUNDS)] += 1
    return [Bar(bound, count) for bound, count in zip((*_BOUNDS, None), counts, strict=True)]
