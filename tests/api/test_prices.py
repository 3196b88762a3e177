"""`--prices`: what is estimated, where it is told, and files that are wrong."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.cli import run
from tests.support.server import Server
from tracker.domain.limits import MAX_COST_USD, MAX_TOKENS
from tracker.domain.prices import Price, Prices
from tracker.domain.usage import MICROS, Told
from tracker.store.sqlite.admin.counter_check import recount

PRICES = {
    "gpt-*": {"input": 2, "output": 10, "cache_read": 0.5},
    "gpt-5-mini": {"input": 0.25, "output": 2},
    "*haiku*": {"input": 1, "output": 5, "cache_read": 0.1, "cache_write": 1.25},
}


@pytest.fixture
def priced(start_server: Callable[..., Server], tmp_path: Path) -> Server:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(PRICES), encoding="utf-8")
    return start_server("--prices", str(path))


def costs(usage: dict[str, Any]) -> tuple[float, float]:
    return usage["cost_usd"], usage["estimated_cost_usd"]


def test_what_has_no_cost_told_is_estimated_everywhere(priced: Server, tmp_path: Path) -> None:
    used = {"model": "GPT-5", "input_tokens": 1_000_000, "output_tokens": 100_000}
    kept = {"model": "gpt-5-mini", "cache_read_tokens": 400_000}  # as input: no price of its own
    said = {"model": "claude-opus", "input_tokens": 5}
    paid = {"model": "claude-haiku-4-5", "input_tokens": 9_000_000, "cost_usd": 0.5}
    priced.report("start", "p", "a", agent="one", session="s", usage=[used, kept, said, paid])
    estimated = 3 + 0.1
    task = priced.task("p", "a")
    assert costs(task["usage"]) == costs(task["usage_total"]) == (0.5, estimated)
    by_model = {model["model"]: costs(model) for model in task["usage"]["models"]}
    assert by_model == {
        "GPT-5": (0, 3),
        "gpt-5-mini": (0, 0.1),
        "claude-opus": (0, 0),
        "claude-haiku-4-5": (0.5, 0),
    }
    assert [*by_model][:2] == ["GPT-5", "claude-haiku-4-5"]  # the dearest first
    stats = priced.http.get("/api/stats").json()
    assert costs(stats["usage"]) == (0.5, estimated)
    assert costs(stats["agents"][0]["usage"]) == (0.5, estimated)
    of_project = priced.http.get("/api/stats/projects/p").json()["usage"]
    assert costs(of_project) == costs(of_project["days"][0]) == (0.5, estimated)
    (session,) = priced.http.get("/api/sessions").json()["sessions"]
    assert costs(session["usage"]) == (0.5, estimated)
    shown = run("show", "p", "a", home=tmp_path, server=priced)
    assert b"$0.50; about $3.10 more" in shown.stdout


def test_a_cost_that_is_told_later_takes_the_estimates_place(priced: Server) -> None:
    priced.report("start", "p", "a", usage={"model": "gpt-5", "input_tokens": 1_000_000})
    assert costs(priced.task("p", "a")["usage"]) == (0, 2)
    priced.report("status", "p", "a", usage={"model": "gpt-5", "cost_usd": 1.5})
    assert costs(priced.task("p", "a")["usage"]) == (1.5, 0)
    assert costs(priced.http.get("/api/stats").json()["usage"]) == (1.5, 0)
    assert priced.http.delete("/api/projects/p/tasks/a").status_code == 204
    assert costs(priced.http.get("/api/stats").json()["usage"]) == (0, 0)


def test_other_prices_count_from_then_on(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    path = tmp_path / "prices.json"
    used = {"model": "m", "input_tokens": 1_000_000}
    path.write_text('{"m": {"input": 1, "output": 1}}', encoding="utf-8")
    first = start_server("--prices", str(path))
    first.report("finish", "p", "old", usage=used)
    first.stop()
    path.write_text('{"m": {"input": 3, "output": 1}}', encoding="utf-8")
    second = start_server("--db", str(first.database), "--prices", str(path))
    second.report("finish", "p", "new", usage=used)
    assert costs(second.task("p", "old")["usage"]) == (0, 1)
    assert costs(second.task("p", "new")["usage"]) == (0, 3)
    assert costs(second.http.get("/api/stats").json()["usage"]) == (0, 4)
    second.stop()
    with contextlib.closing(apsw.Connection(str(first.database))) as connection:
        assert recount(connection) == []


TOKENS = st.integers(0, 10**7)
TOLD = st.tuples(
    st.sampled_from(["gpt-4", "gpt-5-mini", "x-haiku", "other", ""]),
    TOKENS,
    TOKENS,
    TOKENS,
    TOKENS,
    st.none() | st.integers(0, 10**6),
)


@given(reports=st.lists(st.tuples(st.integers(0, 3), TOLD), min_size=1, max_size=20))
def test_sums_are_what_the_table_says(reports: list[tuple[int, Any]]) -> None:
    """By the newest totals of each task and model."""
    table = {name: Price(**price) for name, price in PRICES.items()}
    prices = Prices(table)
    totals: dict[tuple[int, str], Told] = {}
    for task, (model, *amounts) in reports:
        known = totals.get((task, model), Told())
        totals[task, model] = prices.estimated(model, known.after(Told(*amounts)))
    for (_, model), told in totals.items():
        names = [name for name in PRICES if fnmatchcase(model, name)]
        price = PRICES[max(names, key=len)] if names else None
        if told.cost_micros is not None or price is None:
            assert told.estimated_micros is None
            continue
        expected = (
            told.input_tokens * price["input"]
            + told.output_tokens * price["output"]
            + told.cache_read_tokens * price.get("cache_read", price["input"])
            + told.cache_write_tokens * price.get("cache_write", price["input"])
        )
        assert told.estimated_micros == pytest.approx(expected, abs=1)


def test_more_than_can_be_counted_stays_within_bounds() -> None:
    prices = Prices({"*": Price(1_000_000, 1_000_000)})
    told = prices.estimated("m", Told(MAX_TOKENS, MAX_TOKENS))
    assert told.estimated_micros == MAX_COST_USD * MICROS


def test_many_models_are_looked_up_within_bounds() -> None:
    prices = Prices({"m*": Price(1, 1)})
    found = defaultdict(int)
    for number in range(5000):
        found[prices.estimated(f"m{number}", Told(7)).estimated_micros] += 1
    assert found == {7: 5000}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "has no object"),
        (b'{"m": 3}', "'m' has no object"),
        (b'{"m": {"input": 1}}', "no 'output'"),
        (b'{"m": {"input": -1, "output": 1}}', "'input' of 'm'"),
        (b'{"m": {"input": true, "output": 1}}', "'input' of 'm'"),
        (b'{"m": {"input": 1e999, "output": 1}}', "is not JSON|'input' of 'm'"),
        (b'{"m": {"input": "1", "output": 1}}', "'input' of 'm'"),
        (b'{"m": {"input": 1, "output": 1, "cached": 1}}', "'cached'"),
        (b" " * 1_100_000, "larger than 1 MB"),
    ],
)
def test_a_wrong_file_is_told_at_the_start(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "prices.json"
    if content is not None:
        path.write_bytes(content)
    done = run("serve", "--port", "0", "--prices", str(path), home=tmp_path)
    assert done.returncode == 78
    text = done.stderr.decode()
    assert any(part in text for part in said.split("|")), text
    assert text.startswith("tracker: --prices: ")
    assert text.count("\n") == 1
