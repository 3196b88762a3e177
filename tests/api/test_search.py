"""`q`: words in title, task_id, agent, result and error, whatever else they look like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clocked import ClockedServer
from tests.support.server import wait_for
from tracker.store.sqlite.connection import open_writer
from tracker.store.sqlite.search import index_some, match_expression

PATH = "/api/projects/p/tasks"

# What each task, named by a letter and a dash, can be found by.
TASKS = {
    "a": {"task": "Разработка новой фичи", "agent": "claude-3-5-sonnet"},
    "b": {"task": "Fix the C++ parser (O'Brien's)", "agent": "gpt_4.1"},
    "c": {"task": "naïve Café, ёлка", "agent": "Агент Смит"},
    "d": {"task": "AND OR NOT NEAR", "agent": "bot"},
    "e": {"task": "Plain", "agent": "bot", "result": "Deployed to production"},
    "f": {"task": "Plain", "agent": "bot", "error_message": "connection refused"},
    "g": {"task": "日本語 🙂", "agent": "bot"},
    "h": {"task": "100% of it", "agent": "bot"},
}


@pytest.fixture(scope="module")
def searched() -> Iterator[ClockedServer]:
    server = ClockedServer()
    for letter, fields in TASKS.items():
        kind = "finish" if "result" in fields else "error" if "error_message" in fields else "start"
        server.report(kind, "p", f"{letter}-2024/{letter * 3}", **fields)
    server.report("start", "elsewhere", task="Разработка")
    # The index follows the log, in its order.
    wait_for(lambda: server.get("/api/projects/elsewhere/tasks", q="Разработка")["total"])
    yield server
    server.stop()


def found(server: ClockedServer, q: str) -> str:
    answer = server.get(PATH, q=q)
    assert answer["total"] == len(answer["tasks"])
    return "".join(sorted(task["task_id"][0] for task in answer["tasks"]))


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        # Each of the fields.
        ("parser", "b"),
        ("aaa", "a"),
        ("sonnet", "a"),
        ("production", "e"),
        ("refused", "f"),
        # Any case, any order, the beginning of a word, all words.
        ("РАЗРАБОТКА", "a"),
        ("фич", "a"),
        ("фичи новой", "a"),
        ("Plain deployed", "e"),
        ("plain nothing", ""),
        ("lain", ""),
        ("смит", "c"),
        # Accents do not matter.
        ("naive cafe", "c"),
        ("ЁЛКА", "c"),
        ("日本", "g"),
        # Punctuation parts words, on both sides.
        ("claude-3-5-sonnet", "a"),
        ("gpt_4.1", "b"),
        ("C++", "abcf"),
        ("O'Brien", "b"),
        ("(O'Brien's)", "b"),
        ("c-2024/ccc", "c"),
        ("100%", "h"),
        ("parser - (fix)", "b"),
        # Nothing is an operator.
        ("AND", "d"),
        ("NOT", "d"),
        ("Plain AND bot", ""),
        ("Plain OR parser", ""),
        ("NEAR", "d"),
        ("NEAR(plain bot)", ""),
        ("title:plain", ""),
        ("- title : plain", ""),
        ("^plain", "ef"),
        ("plai*", "ef"),
        ('"plain"', "ef"),
        ('"', ""),
        ('""""', ""),
        ('pl"ain', ""),
        ("{title agent}: plain", ""),
        ("plain'; DROP TABLE search; --", ""),
        ("🙂", "g"),
        # What holds no word finds nothing.
        ("*", ""),
        ("---", ""),
        ("%", ""),
        ("\0", ""),
        ("\ufffd", ""),
    ],
    ids=repr,
)
def test_found(searched: ClockedServer, q: str, expected: str) -> None:
    assert found(searched, q) == expected


@pytest.mark.parametrize("q", ["", " ", "\t"], ids=repr)
def test_empty_search_is_none(searched: ClockedServer, q: str) -> None:
    assert found(searched, q) == "".join(TASKS)


def test_longest(searched: ClockedServer) -> None:
    assert found(searched, "x" * 1000) == ""
    assert found(searched, "p " * 500) == "bef"


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=30))
def test_no_text_is_an_error(q: str) -> None:
    with closing(open_writer(None, "full")) as connection:
        connection.execute(
            "SELECT rowid FROM search WHERE search MATCH ?", (match_expression(q),)
        ).fetchall()


def test_with_other_filters(searched: ClockedServer) -> None:
    answer = searched.get(PATH, q="plain", status="failed", limit=1)
    assert (answer["total"], answer["tasks"][0]["error_message"]) == (1, "connection refused")
    assert answer["filters"] == {"status": "failed", "q": "plain"}


def test_follows_what_is_reported(clocked: ClockedServer) -> None:
    def is_found(q: str, *task_ids: str) -> None:
        def matches() -> bool:
            tasks = clocked.get(PATH, q=q)["tasks"]
            return {task["task_id"] for task in tasks} == set(task_ids)

        wait_for(matches, what=f"{q!r} to find {task_ids}")

    clocked.report("start", "p", "1", task="first name")
    is_found("first", "1")
    clocked.report("finish", "p", "1", task="second name", result="outcome")
    is_found("second", "1")
    is_found("first")
    is_found("outcome", "1")
    clocked.report("error", "p", "2", task="second", error_message="outcome")
    is_found("outcome", "1", "2")
    clocked.http.delete(f"{PATH}/1")
    is_found("outcome", "2")
    clocked.http.delete("/api/projects/p")
    clocked.report("start", "p", "3", task="third")
    is_found("third", "3")
    is_found("outcome")


def test_index_catches_up_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The first server stops before it indexes anything; the second takes several transactions.
    database = tmp_path / "tracker.db"
    monkeypatch.setattr("tracker.store.sqlite.jobs._INDEX_INTERVAL", 3600)
    first = ClockedServer(database)
    for number in range(9):
        first.report("start", "p", f"task-{number}", task="word")
    assert first.get(PATH, q="word")["total"] == 0
    first.stop()
    monkeypatch.setattr("tracker.store.sqlite.jobs._INDEX_INTERVAL", 0)
    monkeypatch.setattr("tracker.store.sqlite.jobs._INDEX_BATCH", 2)
    second = ClockedServer(database)
    try:
        wait_for(lambda: second.get(PATH, q="word")["total"] == 9, what="all nine in the index")
    finally:
        second.stop()


def test_index_is_merged_as_it_grows(tmp_path: Path) -> None:
    """What is added in small pieces does not stay so: a search looks into each."""
    with closing(open_writer(tmp_path / "tracker.db", "normal")) as connection:
        connection.execute("INSERT INTO projects (name, created_at, updated_at) VALUES ('p', 0, 0)")
        for piece in range(200):
            connection.execute(MANY_TASKS, {"first": piece * 10})
            assert index_some(connection, upto=(piece + 1) * 10, limit=10)
        segments = connection.execute("SELECT count(DISTINCT segid) FROM search_idx").get
        assert segments < 15  # without merges: 20
        assert (
            connection.execute("SELECT count(*) FROM search WHERE search MATCH 'word'").get == 2000
        )


MANY_TASKS = """
  WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers LIMIT 10)
  INSERT INTO tasks (project_id, task_id, title, agent, status, progress, attempt, started_at,
    metadata, created_at, updated_at)
  SELECT 1, 'task-' || n, 'word number' || n, 'a', 'running', 0, 1, 0, '{}', 0, 0 FROM numbers;
  INSERT INTO events (project_id, task, type, at, data)
  SELECT 1, id, 'task_started', 0, '{}' FROM tasks WHERE id > :first;
"""
