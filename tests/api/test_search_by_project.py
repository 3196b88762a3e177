"""A search within a project finds what the words say, and costs what that project's tasks do."""

from __future__ import annotations

import re
import unicodedata
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clocked import ClockedServer
from tests.support.server import wait_for
from tests.support.sqlite_work import work
from tracker.domain.queries import TaskQuery
from tracker.domain.tasks import Kind, Report
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import jobs, migrations, projects, reports, search, task_pages, tasks
from tracker.store.sqlite.connection import open_writer

PATH = "/api/projects/p/tasks"
PROJECTS = ("one", "two", "q", "1q")


def record(connection: apsw.Connection, *some: Report) -> None:
    """Write the reports."""
    for report in some:
        for _ in reports.record(connection, 0, [WriteRequest(report)]):
            pass


def index(connection: apsw.Connection, *, by_project: bool = True) -> None:
    """Follow the log to its end, two events at a time."""
    last = connection.execute("SELECT coalesce(max(id), 0) FROM events").get
    while not search.index_some(connection, last, 2):
        pass
    while by_project and not search.index_some_by_project(connection, 2):
        pass


def found(connection: apsw.Connection, project: str, **query: Any) -> list[str]:
    """The ids of the tasks on the page; the total is checked to be theirs."""
    project_id = projects.find(connection, project)
    if project_id is None:
        return []
    page, total, *_ = task_pages.of_project(
        connection, 0, project_id, TaskQuery(limit=10_000, **query)
    )
    assert total == len(page)
    return [task.task_id for task in page]


# --- What is found


class Found(NamedTuple):
    """A task as a model knows it."""

    texts: tuple[str, ...]
    agent: str
    status: str


def tokens(text: str) -> list[str]:
    """The words of a text: runs of letters and digits, without case and accents."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c)))


def matches(task: Found, q: str) -> bool:
    """Whether each typed word is in one of the texts: its tokens in a row, the last one begun."""
    typed = [tokens(word) for word in re.split(r'[\s"]+', q)]
    return any(typed) and all(
        any(is_in(phrase, tokens(text)) for text in task.texts) for phrase in typed if phrase
    )


def is_in(phrase: list[str], words: list[str]) -> bool:
    *whole, begun = phrase
    return any(
        words[at : at + len(whole)] == whole and words[at + len(whole)].startswith(begun)
        for at in range(len(words) - len(whole))
    )


WORDS = st.sampled_from(["a", "ab", "Abc", "b", "café", "Фича", "фичи", "1", "1q", "12", "q", "2q"])
TEXTS = st.lists(
    st.tuples(WORDS, st.sampled_from([" ", "-", ", ", "'", "/", "\N{BULLET}"])),
    min_size=1,
    max_size=4,
).map(lambda parts: "".join(word + mark for word, mark in parts))
REPORTS = st.builds(
    lambda kind, project, task_id, title, agent, text: Report(
        kind,
        project,
        task_id=task_id,
        title=title,
        agent=agent,
        result=text if kind is Kind.FINISH else None,
        error_type="q" if kind is Kind.ERROR else None,
        error_message=text if kind is Kind.ERROR else None,
    ),
    st.sampled_from([Kind.START, Kind.FINISH, Kind.ERROR]),
    st.sampled_from(PROJECTS),
    st.sampled_from(["a", "b-1", "q"]),
    TEXTS,
    st.sampled_from(["a", "q 1"]),
    TEXTS,
)
DELETIONS = st.tuples(st.sampled_from(PROJECTS), st.sampled_from(["a", "b-1", "q"]))
STEPS = st.lists(st.one_of(REPORTS, REPORTS, DELETIONS, st.just("index"), st.just("follow")))
QUERIES = st.lists(st.one_of(WORDS, TEXTS, st.sampled_from(["-", '"', "nothing"])), min_size=1)


@settings(deadline=None, max_examples=40)
@given(STEPS, QUERIES, st.booleans())
def test_same_as_looking_at_every_task(steps: list[Any], typed: list[str], follow: bool) -> None:
    kept: dict[tuple[str, str], Found] = {}
    with closing(open_writer(None, "full")) as connection:
        for step in steps:
            if isinstance(step, Report):
                record(connection, step)
            elif isinstance(step, tuple):
                if (there := tasks.find(connection, *step)) is not None:
                    tasks.delete_some(connection, there[0], 100)
            else:
                index(connection, by_project=step == "follow")
        index(connection, by_project=follow)
        for project, *columns, error in connection.execute(ALL_TEXTS):
            task_id, title, agent, status, result = columns
            texts = (title, task_id, agent, result or "", error)
            kept[project, task_id] = Found(texts, agent, status)
        for q in [*typed, " ".join(typed)]:
            for project in PROJECTS:
                for status, agent in [(None, None), ("completed", None), (None, "q 1")]:
                    expected = {
                        task_id
                        for (of_project, task_id), task in kept.items()
                        if of_project == project
                        and status in (None, task.status)
                        and agent in (None, task.agent)
                        and matches(task, q)
                    }
                    answer = found(
                        connection, project, q=q, status=(status,) if status else (), agent=agent
                    )
                    assert set(answer) == expected, (q, project)


ALL_TEXTS = """
  SELECT projects.name, task_id, title, agent, status, result,
    concat_ws(' ', error_type, error_message)
  FROM tasks JOIN projects ON projects.id = tasks.project_id
"""


def test_pages_and_orders() -> None:
    """A page of what is found is the same part of it in either index."""
    with closing(open_writer(None, "full")) as connection:
        for number in range(30):
            title = f"word {number % 7}" if number % 3 else "other"
            for project in ("one", "two"):
                record(connection, Report(Kind.START, project, str(number), title, "a"))
        index(connection, by_project=False)
        queries = [
            TaskQuery(q="word", limit=4, offset=offset, sort_by=column, descending=descending)
            for offset in (0, 4, 16, 40)
            for column in task_pages.SORTABLE
            for descending in (False, True)
        ]
        before = [page_of_ids(connection, query) for query in queries]
        index(connection)
        assert search.match_in_projects(connection, [1], "word")[0] == search.PROJECT_INDEX
        assert [page_of_ids(connection, query) for query in queries] == before
        assert {total for _, total in before} == {20}


def test_neither_texts_nor_projects_run_into_each_other() -> None:
    with closing(open_writer(None, "full")) as connection:
        record(connection, Report(Kind.START, "1", "id", "some title", "an agent"))
        for number in range(2, 13):
            record(connection, Report(Kind.START, f"{number}", "id", "word", "a"))
        index(connection)
        assert found(connection, "1", q="some-title") == ["id"]
        assert found(connection, "1", q="title-id") == found(connection, "1", q="id-an") == []
        assert projects.find(connection, "12") == 12
        assert found(connection, "12", q="word") == ["id"]
        assert found(connection, "1", q="2word") == found(connection, "1", q="2qword") == []


def page_of_ids(connection: apsw.Connection, query: TaskQuery) -> tuple[list[int], int]:
    page, total, *_ = task_pages.of_project(connection, 0, 1, query)
    return [task.id for task in page], total


def test_no_text_is_an_error_in_either_index() -> None:
    with closing(open_writer(None, "full")) as connection:
        record(connection, Report(Kind.START, "p", "t", "word", "a"))
        index(connection)
        for code in range(0x3000):
            assert found(connection, "p", q=f"{chr(code)}nothing{chr(code)}") == []


def test_long_texts_take_several_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_CHUNK_SIZE", 100)
    with closing(open_writer(None, "full")) as connection:
        for number in range(20):
            record(connection, Report(Kind.START, "p", f"{number}", f"word {number} " * 9, "a"))
        connection.execute("UPDATE marks SET searched = 20")
        assert search.index_some_by_project(connection, 100)
        assert len(found(connection, "p", q="word")) == 20
        assert found(connection, "p", q="word 19") == ["19"]


def test_marks_that_go_back() -> None:
    """An import adds events to a log that was followed to its end."""
    with closing(open_writer(None, "full")) as connection:
        for number in range(6):
            record(connection, Report(Kind.START, "p", f"{number}", "old", "a"))
        index(connection)
        connection.execute("UPDATE tasks SET title = 'new'")
        connection.execute("UPDATE marks SET searched = 2")
        index(connection, by_project=False)
        assert found(connection, "p", q="new") == ["5", "4", "3", "2"]
        index(connection)
        assert search.match_in_projects(connection, [1], "new")[0] == search.PROJECT_INDEX
        assert found(connection, "p", q="new") == ["5", "4", "3", "2"]


# --- What it costs


@pytest.fixture(scope="module", params=["task", "wo", "agent-1 word", "word 7", "nothing"])
def q(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("filters", [{}, {"status": ("running",)}, {"agent": "agent-1"}], ids=str)
def test_work_does_not_grow_with_other_projects(q: str, filters: dict[str, Any]) -> None:
    def of_others(count: int) -> tuple[int, int]:
        with closing(open_writer(None, "full")) as connection:
            for number in range(200):
                record(connection, start("p", number))
                for other in range(number * count // 200, (number + 1) * count // 200):
                    record(connection, start(f"other {other % 50}", other))
            while not search.index_some(connection, 200 + count, 1000):
                pass
            while not search.index_some_by_project(connection, 1000):
                pass
            query = TaskQuery(q=q, **filters)
            return work(connection, lambda: task_pages.of_project(connection, 0, 1, query))

    few, many = of_others(200), of_others(4000)
    assert many[0] <= 1.5 * few[0]
    assert many[1] <= 1.5 * few[1] + PAGES_OF_SEGMENTS


# Each of the index's segments is looked into for its first page of a word.
PAGES_OF_SEGMENTS = 60


def start(project: str, number: int) -> Report:
    return Report(
        Kind.START, project, f"task-{number}", f"word {number % 10}", f"agent-{number % 3}"
    )


def test_index_is_merged_as_it_grows() -> None:
    with closing(open_writer(None, "full")) as connection:
        for number in range(2000):
            record(connection, start("p", number))
            if number % 10 == 9:
                index(connection)
        assert connection.execute("SELECT count(DISTINCT segid) FROM project_search_idx").get < 15
        assert len(found(connection, "p", q="agent-2 word")) == 666


# --- Beside reports


def is_followed(database: Path) -> bool:
    """Whether the index by project has come as far as the other."""
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        connection.set_busy_timeout(5000)
        return bool(connection.execute("SELECT searched = project_searched FROM marks").get)


def ids(server: ClockedServer, q: str) -> str:
    return "".join(task["task_id"] for task in server.get(PATH, q=q)["tasks"])


def test_older_database_is_searched_at_once_and_indexed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "tracker.db"
    with monkeypatch.context() as old:
        old.setattr(migrations, "steps", lambda: STEPS_BEFORE)
        with closing(open_writer(database, "full")) as connection:
            for number in range(9):
                for project in (1, 2):
                    connection.execute(TASK_OF_OLD, {"project": project, "number": number})
            connection.execute(INDEX_OF_OLD)
    monkeypatch.setattr(jobs, "_LOW_LOAD_EVENTS", -1)  # as under load: nothing is few
    first = ClockedServer(database)
    try:
        assert ids(first, "word") == "876543210"
        first.report("start", "p", "new", task="another word")
        wait_for(lambda: ids(first, "word") == "new876543210")
        assert not is_followed(database)
    finally:
        first.stop()
    monkeypatch.setattr(jobs, "_LOW_LOAD_EVENTS", 100)
    monkeypatch.setattr(jobs, "_PROJECT_INDEX_BATCH", 2)
    second = ClockedServer(database)
    try:
        wait_for(lambda: is_followed(database), what="the index by project")
        assert ids(second, "word") == "new876543210"
    finally:
        second.stop()


STEPS_BEFORE = migrations.steps()[:3]
# As that tracker wrote it.
TASK_OF_OLD = """
  INSERT OR IGNORE INTO projects (id, name, created_at, updated_at)
    VALUES (:project, iif(:project = 1, 'p', 'other'), 0, 0);
  INSERT INTO tasks (
    project_id, task_id, title, agent, status, progress, attempt, started_at, metadata,
    created_at, updated_at
  ) VALUES (:project, cast(:number AS TEXT), 'word', 'a', 'running', 0, 1, 0, '{}', 0, 0);
  INSERT INTO events (project_id, task, type, at, data)
    VALUES (:project, last_insert_rowid(), 'task_started', 0, '{}');
"""
INDEX_OF_OLD = """
  INSERT INTO search (rowid, title, task_id, agent) SELECT id, title, task_id, agent FROM tasks;
  UPDATE marks SET searched = (SELECT max(id) FROM events);
"""


def test_follows_what_is_reported(tmp_path: Path) -> None:
    database = tmp_path / "tracker.db"
    server = ClockedServer(database)
    try:
        for number in range(3):
            server.report("start", "p", f"{number}", task="first")
            wait_for(lambda: is_followed(database) and "0" in ids(server, "first"))
        server.report("finish", "p", "0", task="second", result="outcome")
        wait_for(lambda: ids(server, "out") == ids(server, "second") == "0")
        wait_for(lambda: is_followed(database))
        assert (ids(server, "first"), ids(server, "second outcome")) == ("21", "0")
        server.http.delete(f"{PATH}/1")
        assert ids(server, "first") == "2"
    finally:
        server.stop()
