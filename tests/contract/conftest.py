"""The engines that are tried: a new one adds its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.bench import Bench, OpenEngine
from tracker.store.open import open_engine

# How each is opened, given a folder of its own.
ENGINES: dict[str, Callable[[Path], OpenEngine]] = {
    "sqlite file": lambda folder: partial(open_engine, folder / "tracker.db", "normal"),
    "sqlite memory": lambda folder: partial(open_engine, None, "normal"),
}

# Those whose database outlives them.
LASTING = ["sqlite file"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that is tried."""
    name: str = request.param
    return name


@pytest.fixture
def open_bench(tmp_path: Path) -> Iterator[Callable[[str], Bench]]:
    """Opens an engine by name, each time on a database of its own; all are closed at the end."""
    opened: list[Bench] = []

    def open_(name: str) -> Bench:
        folder = tmp_path / f"{len(opened)}"
        folder.mkdir()
        opened.append(Bench(ENGINES[name](folder)))
        return opened[-1]

    yield open_
    for bench in opened:
        bench.close()


@pytest.fixture
def bench(engine: str, open_bench: Callable[[str], Bench]) -> Bench:
    """The engine that is tried, at work on an empty database."""
    return open_bench(engine)


@pytest.fixture(params=LASTING)
def lasting(request: pytest.FixtureRequest, open_bench: Callable[[str], Bench]) -> Bench:
    """Likewise, of those that can be closed and opened again."""
    return open_bench(request.param)
