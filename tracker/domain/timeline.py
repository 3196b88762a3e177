"""What agents did over a range of time: their tasks one by one where these are few, and for each
agent how many were under way and how many ended in each of some bins of equal length.

Times are milliseconds since the epoch. A range goes from its begin until before its end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from tracker.domain.queries import TaskQuery
from tracker.domain.records import StatusCounts

MAX_TRACKS: Final = 100
"""Of so many agents, at most; the others are one track together."""

MAX_INTERVALS: Final = 500
"""So many tasks are told of one by one, at most."""

MAX_LOOKED_AT: Final = 300_000
"""So many tasks that have ended are counted, at most."""


class TimelineQuery(NamedTuple):
    """A range of time, in how many bins; `chosen`: of which tasks, whatever the page of these."""

    begin: int
    end: int
    bins: int
    chosen: TaskQuery = TaskQuery()

    @property
    def width(self) -> int:
        """Of a bin; the last one may reach past the end."""
        return -(-(self.end - self.begin) // self.bins)


class Group(NamedTuple):
    """Tasks of an agent, by their present states, that were under way from one bin until another;
    as many bins as there are: until after the range."""

    agent: str
    first: int
    last: int
    pending: int
    running: int
    completed: int
    failed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.running + self.completed + self.failed


class Interval(NamedTuple):
    """A task."""

    id: int
    project: str
    task_id: str
    title: str
    agent: str
    status: str
    attempt: int
    started_at: int
    finished_at: int | None
    parent_task_id: str | None
    session: str | None


class Track(NamedTuple):
    """An agent's tasks that were under way in the range, by their present states; and by bin, how
    many ran in it (waiting ones do not), and how many ended in it."""

    tasks: StatusCounts
    running: Sequence[int]
    completed: Sequence[int]
    failed: Sequence[int]


class Timeline(NamedTuple):
    """A range of time. `tracks`: by agent, those with the most tasks first; `others`: how many
    agents more there are, and what they did together. `intervals`: None: there are too many.
    `left_out`: how many tasks are in none of this: those past `MAX_LOOKED_AT`."""

    query: TimelineQuery
    tracks: Sequence[tuple[str, Track]]
    others: tuple[int, Track]
    intervals: Sequence[Interval] | None
    left_out: int


def tracks(groups: Iterable[Group], bins: int) -> tuple[list[tuple[str, Track]], tuple[int, Track]]:
    """Each agent's, and those of agents past `MAX_TRACKS` together."""
    by_agent: defaultdict[str, list[Group]] = defaultdict(list)
    tasks: Counter[str] = Counter()
    for group in groups:
        by_agent[group.agent].append(group)
        tasks[group.agent] += group.total
    names = sorted(tasks, key=lambda name: (-tasks[name], name))
    others = [group for name in names[MAX_TRACKS:] for group in by_agent[name]]
    shown = [(name, _track(by_agent[name], bins)) for name in names[:MAX_TRACKS]]
    return shown, (len(names) - len(shown), _track(others, bins))


def _track(groups: Iterable[Group], bins: int) -> Track:
    begun, gone, completed, failed = ([0] * (bins + 2) for _ in range(4))
    waiting = at_work = 0
    for _, first, last, pending, running, well, badly in groups:
        waiting += pending
        at_work += running
        begun[first] += running + well + badly
        gone[last + 1] += running + well + badly
        completed[last] += well
        failed[last] += badly
    ran = accumulate(more - fewer for more, fewer in zip(begun, gone, strict=True))
    return Track(
        StatusCounts(waiting, at_work, sum(completed), sum(failed)),
        *([*counts][:bins] for counts in (ran, completed, failed)),
    )
