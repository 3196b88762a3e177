"""Keeps what models have used, and the sums of it, as reports and deletions are written.

A task adds to the sums what of its usage counts (`tracker.domain.usage`): an increase on the day
that it was told, by the agent that told it; a decrease is taken from the days it was added on,
the latest first, so that no day is below 0. What each task has added is remembered
(`usage_shares`): deleting the task takes it back, and its session takes it along. Pruning leaves
the sums as they are. Reads are in `tracker.store.sqlite.usage_reads`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import apsw
import orjson

from tracker.clock import MS_PER_DAY
from tracker.domain.limits import MAX_USAGE_SUM
from tracker.domain.prices import Prices
from tracker.domain.usage import (
    NOTHING,
    Amounts,
    Attempt,
    Source,
    Told,
    shown,
    tell,
)
from tracker.store.changes import Changes, UsageTold
from tracker.store.sqlite import bulk
from tracker.store.sqlite.columns import fill, listed

ALL_PROJECTS: Final = 0
"""The number under which the sums over all projects are kept."""

AttemptKey = tuple[int, int]
"""The task's number, and the attempt's."""

Share = tuple[int, str, int, str]
"""A task's number, a model, a day, an agent."""

SumKey = tuple[int, str, str | int]
"""A project's number, what is summed by, and its name."""

Sums = Mapping[SumKey, Amounts]

Place = tuple[int, str | None]
"""A task's project and session."""

_NONE: Final[Sums] = MappingProxyType({})

_COLUMNS: Final = listed(Amounts._fields)
# What is past this would be no number of JavaScript's, and far past it none of SQLite's.
_ADDED: Final = ", ".join(
    f"{name} = max(0, min({name} + excluded.{name}, {MAX_USAGE_SUM}))" for name in Amounts._fields
)
_FIND = fill(
    """
  SELECT task, attempt, source, model, {columns} FROM usage
  WHERE (task, attempt) IN (VALUES {rows})
""",
    columns=_COLUMNS,
)
_SAVE = fill(
    """
  INSERT INTO usage (task, attempt, source, model, shown, {columns}) VALUES {rows}
  ON CONFLICT (task, attempt, source, model) DO UPDATE SET shown = excluded.shown, {told}
""",
    columns=_COLUMNS,
    told=", ".join(f"{name} = excluded.{name}" for name in Amounts._fields),
)
_ADD_SHARES = fill(
    """
  INSERT INTO usage_shares (task, model, day, agent, {columns}) VALUES {rows}
  ON CONFLICT (task, model, day, agent) DO UPDATE SET {added}
""",
    columns=_COLUMNS,
    added=_ADDED,
)
_ADD_SUMS = fill(
    """
  INSERT INTO usage_sums (project_id, kind, name, {columns}) VALUES {rows}
  ON CONFLICT (project_id, kind, name) DO UPDATE SET {added}
""",
    columns=_COLUMNS,
    added=_ADDED,
)
_DROP_EMPTY = fill(
    """
  DELETE FROM {table} WHERE ({key}) IN (VALUES {rows}) AND max({columns}) <= 0
""",
    columns=_COLUMNS,
)
_DROP_EMPTY_SHARES = fill(_DROP_EMPTY, table="usage_shares", key="task, model, day, agent")
_DROP_EMPTY_SUMS = fill(_DROP_EMPTY, table="usage_sums", key="project_id, kind, name")
_SHARES_OF_MODEL = fill(
    "SELECT day, agent, {columns} FROM usage_shares WHERE task = ? AND model = ?",
    columns=_COLUMNS,
)
_SHARES_OF_TASKS = fill(
    """
  SELECT tasks.project_id, tasks.session, usage_shares.task, model, day, usage_shares.agent,
    {columns}
  FROM usage_shares JOIN tasks ON tasks.id = usage_shares.task
  WHERE usage_shares.task IN (SELECT value FROM json_each(?))
""",
    columns=_COLUMNS,
)
_SUMS_OF_EMPTY_PROJECT = fill(
    """
  SELECT kind, name, {columns} FROM usage_sums
  WHERE project_id = ?1 AND kind IN ('agent', 'model')
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE project_id = ?1)
""",
    columns=_COLUMNS,
)


def leave_sessions(connection: apsw.Connection, changes: Changes) -> Sums:
    """Take what the tasks have added so far from the sums of the sessions that they are about to
    leave; what is to be added to those that they enter, once they are there."""
    moved = {
        change.id: (project_id, change.before.session, change.after.session)
        for (_, project_id), change in changes.items()
        if change.before is not None
        and change.after is not None
        and change.before.session != change.after.session
    }
    if not moved:
        return {}
    left: defaultdict[SumKey, Amounts] = defaultdict(lambda: NOTHING)
    entered: defaultdict[SumKey, Amounts] = defaultdict(lambda: NOTHING)
    for _, (task, *_), added in _shares_of(connection, moved):
        project_id, before, after = moved[task]
        if before is not None:
            left[project_id, "session", before] = left[project_id, "session", before].minus(added)
        if after is not None:
            entered[project_id, "session", after] = entered[project_id, "session", after].plus(
                added
            )
    _add_sums(connection, left)
    return entered


def record(
    connection: apsw.Connection,
    now: int,
    told: Sequence[UsageTold],
    changes: Changes,
    entered: Sums,
    prices: Prices,
) -> None:
    """Write what the reports of a group tell, whose tasks have been saved. `entered`: see
    `leave_sessions`."""
    if not told:
        _add_sums(connection, entered)
        return
    attempts = _find(connection, told, changes)
    shares = _Shares(connection, now // MS_PER_DAY)
    places: dict[int, Place] = {}
    for of in told:
        change = changes[of.task_key]
        places[change.id] = (of.task_key[1], change.after.session if change.after else None)
        changed = tell(
            *(attempts[change.id, of.attempt], of.source, of.usage),
            late=of.late,
            is_more=of.is_more,
            estimated=prices.estimated,
        )
        shares.change(change.id, of.agent, changed)
    _save(connection, attempts)
    _add_shares(connection, shares.added)
    _add_sums(connection, _summed(places, shares.added, entered))


def restore(
    connection: apsw.Connection,
    task: int,
    project_id: int,
    session: str | None,
    attempts: Mapping[int, Attempt],
    shares: Mapping[tuple[str, int, str], Amounts],
) -> None:
    """Write all that is known of a task's usage. `shares`: what it has added to the sums, by model,
    day and agent."""
    _save(connection, {(task, number): attempt for number, attempt in attempts.items()})
    added: dict[Share, Amounts] = {(task, *of): amounts for of, amounts in shares.items()}
    _add_shares(connection, added)
    _add_sums(connection, _summed({task: (project_id, session)}, added))


def take_back(connection: apsw.Connection, tasks: Iterable[int]) -> None:
    """Take from the sums what the tasks have added, which are about to be deleted."""
    places: dict[int, Place] = {}
    shares: dict[Share, Amounts] = {}
    for place, share, added in _shares_of(connection, tasks):
        places[share[0]] = place
        shares[share] = NOTHING.minus(added)
    _add_sums(connection, _summed(places, shares))


def take_back_project(connection: apsw.Connection, project_id: int) -> None:
    """The same for a project that has no task any more: what is left in its sums are tasks that
    were pruned."""
    left = connection.execute(_SUMS_OF_EMPTY_PROJECT, (project_id,))
    _add_sums(
        connection,
        {
            (ALL_PROJECTS, kind, name): NOTHING.minus(Amounts._make(amounts))
            for kind, name, *amounts in left
        },
    )


class _Shares:
    """What a group of reports changes of what tasks have added to the sums."""

    def __init__(self, connection: apsw.Connection, today: int) -> None:
        self.added: dict[Share, Amounts] = {}
        """How much more; below 0: how much less."""
        self._of_models: defaultdict[tuple[int, str], list[Share]] = defaultdict(list)
        self._connection = connection
        self._today = today

    def change(self, task: int, agent: str, changes: Mapping[str, Amounts]) -> None:
        """By so much more of a task counts, by model, as this agent tells."""
        for model, change in changes.items():
            more = change
            if min(change) < 0:
                more = Amounts._make(max(0, amount) for amount in change)
            self._add((task, model, self._today, agent), more)
            if more is not change:
                self._take(task, model, agent, more.minus(change))

    def _add(self, share: Share, amounts: Amounts) -> None:
        known = self.added.get(share)
        if known is None:
            self._of_models[share[:2]].append(share)
        self.added[share] = amounts if known is None else known.plus(amounts)

    def _take(self, task: int, model: str, agent: str, amounts: Amounts) -> None:
        """From the latest day on back, and of a day from this agent's first."""
        shares: dict[Share, Amounts] = {
            (task, model, day, by): Amounts._make(added)
            for day, by, *added in self._connection.execute(_SHARES_OF_MODEL, (task, model))
        }
        for share in self._of_models[task, model]:
            shares[share] = shares.get(share, NOTHING).plus(self.added[share])
        for share in sorted(shares, key=lambda share: (-share[2], share[3] != agent, share[3])):
            taken = Amounts._make(map(min, shares[share], amounts))
            amounts = amounts.minus(taken)
            self._add(share, NOTHING.minus(taken))


def _find(
    connection: apsw.Connection, told: Sequence[UsageTold], changes: Changes
) -> defaultdict[AttemptKey, Attempt]:
    """What was known of the attempts before."""
    found: defaultdict[AttemptKey, Attempt] = defaultdict(dict)
    known = {
        (change.id, of.attempt)
        for of in told
        if (change := changes[of.task_key]).before is not None
        and change.before.attempt >= of.attempt
    }
    for _, rows in bulk.execute(connection, _FIND, list(known)):
        for task, number, source, model, *totals in rows:
            attempt = found[task, number]
            attempt.setdefault(Source(source), {})[model] = Told._make(totals)
    return found


def _save(connection: apsw.Connection, attempts: Mapping[AttemptKey, Attempt]) -> None:
    rows: list[bulk.Row] = []
    for key, attempt in attempts.items():
        alone = len(attempt) == 1
        counted = {} if alone else shown(attempt)
        for source, models in attempt.items():
            for model, told in models.items():
                rows.append((*key, source, model, alone or model in counted[source], *told))
    _run(connection, _SAVE, rows)


def _shares_of(
    connection: apsw.Connection, tasks: Iterable[int]
) -> Iterable[tuple[Place, Share, Amounts]]:
    """Of each share: where its task is, itself, and how much it is."""
    of = (orjson.dumps([*tasks]).decode(),)
    rows: list[Any] = connection.execute(_SHARES_OF_TASKS, of).fetchall()
    for project_id, session, task, model, day, agent, *amounts in rows:
        yield (project_id, session), (task, model, day, agent), Amounts._make(amounts)


def _summed(
    places: Mapping[int, Place], shares: Mapping[Share, Amounts], entered: Sums = _NONE
) -> Sums:
    """What the shares of tasks add to the sums. `entered`: what else is to be added."""
    together: dict[tuple[Place, str, int, str], Amounts] = {}
    for (task, model, day, agent), added in shares.items():
        key = (places[task], model, day, agent)
        known = together.get(key)
        together[key] = added if known is None else known.plus(added)
    sums = defaultdict(lambda: NOTHING, entered)
    for ((project_id, session), model, day, agent), added in together.items():
        keys: list[SumKey] = [
            (ALL_PROJECTS, "agent", agent),
            (ALL_PROJECTS, "model", model),
            (project_id, "agent", agent),
            (project_id, "model", model),
            (project_id, "day", day),
        ]
        if session is not None:
            keys.append((project_id, "session", session))
        for key_ in keys:
            sums[key_] = sums[key_].plus(added)
    return sums


def _add_shares(connection: apsw.Connection, shares: Mapping[Share, Amounts]) -> None:
    _add(connection, _ADD_SHARES, _DROP_EMPTY_SHARES, shares)


def _add_sums(connection: apsw.Connection, sums: Sums) -> None:
    _add(connection, _ADD_SUMS, _DROP_EMPTY_SUMS, sums)


def _add(connection: apsw.Connection, add: str, drop: str, added: Mapping[Any, Amounts]) -> None:
    changed = {key: amounts for key, amounts in added.items() if any(amounts)}
    _run(connection, add, [(*key, *amounts) for key, amounts in changed.items()])
    _run(connection, drop, [key for key, amounts in changed.items() if min(amounts) < 0])


def _run(connection: apsw.Connection, sql: str, rows: Sequence[bulk.Row]) -> None:
    for _ in bulk.execute(connection, sql, rows):
        pass
