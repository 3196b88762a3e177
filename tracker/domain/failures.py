"""Failures that are the same but for their details: grouped by project, type and message, without
what differs each time.

Times are milliseconds since the epoch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

MAX_FAILURES: Final = 10_000
"""So many are grouped, the last ones."""

MAX_GROUPS: Final = 200
"""So many groups are told of."""

MAX_TASKS: Final = 10
"""So many of a group's tasks are named, and so many of its agents."""

MAX_COMPARED: Final = 200
"""Messages are compared as far as this, in characters."""

# One after the other, as a number may be part of a path. No placeholder holds what any looks for.
_DETAILS: Final = (
    (re.compile(r'"[^"]*"|`[^`]*`|(?<!\w)\'[^\']*\'(?!\w)'), "<text>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s<>]+"), "<url>"),
    (re.compile(r"(?<![\w<>/])(?:[A-Za-z]:)?[\w.~-]*(?:[/\\][\w.@~+-]+)+[/\\]?"), "<path>"),
    (re.compile(r"\b0[xX][0-9a-fA-F]+\b"), "<hex>"),
    (re.compile(r"\b(?=[0-9]*[a-fA-F])(?=[a-fA-F]*[0-9])[0-9a-fA-F]{7,}\b"), "<hex>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "<n>"),
    (re.compile(r"\s+"), " "),
)


class FailuresQuery(NamedTuple):
    """Tasks that failed then or later; `projects`: of these, or of all."""

    since: int
    projects: tuple[str, ...] = ()


class Failure(NamedTuple):
    """A task that failed."""

    id: int
    project: str
    task_id: str
    agent: str
    error_type: str | None
    error_message: str | None
    finished_at: int


class Group(NamedTuple):
    """Failures alike. `message`: normalised; `example`: the last one's as it is; `tasks`: the last
    ones; `agents`: those with the most, and how many failures they had."""

    project: str
    error_type: str | None
    message: str
    example: str | None
    failures: int
    first_at: int
    last_at: int
    tasks: Sequence[Failure]
    agents: Sequence[tuple[str, int]]


class Failures(NamedTuple):
    """Those that happened most come first; `total`: how many failures there are, `looked_at` of
    them in groups, of which there are `kinds`."""

    total: int
    looked_at: int
    kinds: int
    groups: Sequence[Group]


@lru_cache(maxsize=2 * MAX_FAILURES)
def normalised(message: str) -> str:
    """The message with placeholders for numbers, paths, quoted texts and the like. What is
    normalised stays as it is."""
    text, before = message[:MAX_COMPARED].strip(), None
    # Each round that changes anything leaves fewer digits, quotes, slashes or spaces.
    while text != before:
        before = text
        for details, placeholder in _DETAILS:
            text = details.sub(placeholder, text)
        text = text[:MAX_COMPARED].strip()
    return text


def grouped(failures: Iterable[Failure]) -> tuple[list[Group], int]:
    """Failures, the last ones first, in groups: those that happened most, then those that happened
    last; `MAX_GROUPS` at most, and how many there are."""
    found: dict[tuple[str, str, str], list[Failure]] = {}
    for failure in failures:
        message = normalised(failure.error_message or "")
        key = failure.project, failure.error_type or "", message
        found.setdefault(key, []).append(failure)
    # As they come, those that happened last are first.
    groups = sorted(found.items(), key=lambda group: -len(group[1]))[:MAX_GROUPS]
    return [_group(message, alike) for (_, _, message), alike in groups], len(found)


def _group(message: str, alike: Sequence[Failure]) -> Group:
    last = alike[0]
    agents = Counter(failure.agent for failure in alike)
    return Group(
        *(last.project, last.error_type, message, last.error_message),
        *(len(alike), alike[-1].finished_at, last.finished_at, alike[:MAX_TASKS]),
        agents.most_common(MAX_TASKS),
    )
