"""Which engine keeps the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tracker.clock import Clock
from tracker.config.settings import Durability
from tracker.domain.hooks import Liveness
from tracker.domain.ports import CommitListener, Engine
from tracker.domain.prices import Prices
from tracker.domain.queries import RetentionPolicy
from tracker.store.sqlite.store import Store


def open_engine(
    database: Path | None,
    durability: Durability,
    clock: Clock,
    listener: CommitListener,
    *,
    on_death: Callable[[], None],
    retention: RetentionPolicy,
    stale_after_ms: int,
    liveness: Liveness,
    prices: Prices,
) -> Engine:
    """Open, make or upgrade the database: SQLite's file; None: in memory, gone at the end.

    `on_death` is called if it can no longer record anything and never will. `retention`: what
    exceeds it is pruned. `stale_after_ms`: how long the silence of a running task is normal.
    `liveness`: of agents that are plugged in. `prices`: of models.

    Raises:
        InUse: another server has it.
        ConfigError: it cannot be used as it is.
    """
    return Store(
        *(database, durability, clock, listener),
        on_death=on_death,
        retention=retention,
        stale_after_ms=stale_after_ms,
        liveness=liveness,
        prices=prices,
    )
