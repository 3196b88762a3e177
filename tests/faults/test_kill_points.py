"""Commands that change a database, killed at each of their steps: what is found after each.

The table in docs/reliability.md says the same in words.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest

from tests.support.cli import run
from tests.support.kill_points import Killed, kill_at_each_step
from tests.support.load import problems
from tests.support.power import NullListener
from tracker.clock import SystemClock
from tracker.domain.audit import SERVER
from tracker.domain.keys import KeySpec
from tracker.domain.principal import Role
from tracker.domain.tasks import Kind, Report
from tracker.errors import ConfigError
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import keys, migrations, reports
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.admin.leftovers import leftovers
from tracker.store.sqlite.connection import open_writer
from tracker.store.sqlite.store import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")


def fill(database: Path, project: str, count: int) -> None:
    """A database with so many ended tasks, some of them long."""
    with closing(open_writer(database, "full")) as connection, connection:
        for number in range(count):
            for kind in (Kind.START, Kind.FINISH):
                report = Report(kind, project, f"task {number}", "Title", "agent", {"n": "x" * 999})
                reports.record(connection, 1_700_000_000_000 + number, [WriteRequest(report)])


# As the first tracker wrote an ended task and its events.
_ENDED_BEFORE = """
  INSERT OR IGNORE INTO projects (id, name, created_at, updated_at) VALUES (1, :project, 0, 0);
  INSERT INTO tasks (
    project_id, task_id, title, agent, status, progress, attempt, started_at, finished_at,
    duration_ms, metadata, created_at, updated_at
  ) VALUES (1, 'task ' || :number, 'Title', 'agent', 'completed', 100, 1, 0, 9, 9, :metadata, 0, 9);
  INSERT INTO events (project_id, task, type, at, data)
    SELECT 1, max(id), 'task_started', 0, '{}' FROM tasks
    UNION ALL SELECT 1, max(id), 'task_finished', 9, '{}' FROM tasks;
"""


def fill_as_before(database: Path, project: str, count: int) -> None:
    """The same in a database of the first tracker's."""
    metadata = orjson.dumps({"n": "x" * 999}).decode()
    with closing(open_writer(database, "full")) as connection, connection:
        for number in range(count):
            row = {"project": project, "number": number, "metadata": metadata}
            connection.execute(_ENDED_BEFORE, row)


def add_key(database: Path, name: str) -> None:
    with closing(open_writer(database, "full")) as connection, connection:
        keys.add(connection, 0, KeySpec(name, Role.READ), name.encode().zfill(32), SERVER)


def key_names(database: Path) -> list[str]:
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        found = connection.execute(
            "SELECT name FROM keys JOIN key_secrets ON key_secrets.key_id = keys.id ORDER BY name"
        )
        return [str(name) for (name,) in found]


def found(database: Path) -> dict[str, int]:
    """How many tasks each project has, of a database that is sound and has nothing beside it."""
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert problems(connection) == []
        assert recount(connection) == []
        sql = "SELECT name, pending + running + completed + failed FROM projects"
        return dict(connection.execute(sql).fetchall())


def opened(database: Path) -> dict[str, int]:
    """What a server finds that starts now. Raises ConfigError: it does not start."""
    store = Store(database, "full", SystemClock(), NullListener(), on_death=lambda: None)

    async def begin_and_end() -> None:
        store.start()
        await store.close()

    asyncio.run(begin_and_end())
    return found(database)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """What stands there before the command; see `kill_at_each_step`."""
    folder = tmp_path / "original"
    folder.mkdir()
    return folder


def assert_each(outcomes: dict[Killed, Any], allowed: list[Any]) -> None:
    """Each is one of those allowed, every one of which occurs, in their order."""
    assert [found for found in outcomes.values() if found not in allowed] == []
    order = list(dict.fromkeys(map(str, outcomes.values())))
    assert order == [str(outcome) for outcome in allowed]


RESTORE = ("restore", "copy.db", "--db", "tracker.db")


def test_restore_leaves_the_old_or_the_new(tmp_path: Path, original: Path) -> None:
    fill(original / "copy.db", "new", 3)
    fill(original / "tracker.db", "old", 5)
    outcomes = {}
    for killed in kill_at_each_step(tmp_path, *RESTORE):
        database = killed.folder / "tracker.db"
        outcomes[killed] = opened(database)
        left = leftovers(database)
        assert not (killed.folder / "tracker.db.restoring").exists()
        if outcomes[killed] == {"new": 3}:
            assert [item.kind for item in left] == ["replaced by a restore"]
            assert found(left[0].file) == {"old": 5}
        else:
            assert {item.kind for item in left} <= {"unfinished"}
    assert_each(outcomes, [{"old": 5}, {"new": 3}])


def test_restore_has_no_key_of_the_backup_at_any_moment(tmp_path: Path, original: Path) -> None:
    fill(original / "copy.db", "new", 1)
    add_key(original / "copy.db", "revoked since")
    fill(original / "tracker.db", "old", 1)
    add_key(original / "tracker.db", "made since")
    outcomes = {}
    for killed in kill_at_each_step(tmp_path, *RESTORE):
        database = killed.folder / "tracker.db"
        outcomes[killed] = opened(database)
        assert key_names(database) == ["made since"]
    assert_each(outcomes, [{"old": 1}, {"new": 1}])


def test_a_key_is_made_or_is_not(tmp_path: Path, original: Path) -> None:
    """Then it is to be revoked: nobody has seen it."""
    fill(original / "tracker.db", "p", 1)
    command = ("key", "create", "k", "--role", "read", "--db", "tracker.db")
    outcomes = {}
    for killed in kill_at_each_step(tmp_path, *command):
        database = killed.folder / "tracker.db"
        assert opened(database) == {"p": 1}
        outcomes[killed] = key_names(database)
    assert_each(outcomes, [[], ["k"]])


def test_restore_of_a_killed_servers_database_keeps_its_wal(tmp_path: Path, original: Path) -> None:
    """What the old database's WAL holds is the old database's, however far the restore came."""
    fill(original / "copy.db", "new", 3)
    fill(tmp_path / "tracker.db", "old", 5)
    with closing(open_writer(tmp_path / "tracker.db", "full")) as connection:
        report = Report(Kind.START, "in the WAL", "task", "Title", "agent")
        reports.record(connection, 1_700_000_000_000, [WriteRequest(report)])
        for name in ("tracker.db", "tracker.db-wal"):  # as a kill leaves them
            shutil.copy(tmp_path / name, original / name)
    trials = kill_at_each_step(tmp_path, *RESTORE)
    outcomes = {killed: opened(killed.folder / "tracker.db") for killed in trials}
    assert_each(outcomes, [{"old": 5, "in the WAL": 1}, {"new": 3}])


def test_restore_of_a_broken_database_keeps_it_as_it_is(tmp_path: Path, original: Path) -> None:
    """Its WAL cannot be moved into it: it has to move along, and back if the restore is undone."""
    fill(original / "copy.db", "new", 3)
    broken = {"tracker.db": b"broken" * 999, "tracker.db-wal": b"its WAL" * 99}
    for name, content in broken.items():
        (original / name).write_bytes(content)
    undone = []
    for killed in kill_at_each_step(tmp_path, *RESTORE):
        database = killed.folder / "tracker.db"
        try:
            assert opened(database) == {"new": 3}
            (kept,) = [item.file for item in leftovers(database)]
        except ConfigError:
            kept = database
            undone.append(killed)
        for name, content in broken.items():
            assert Path(f"{kept}{name.removeprefix('tracker.db')}").read_bytes() == content
    assert {"link", "unlink", "replace"} <= {killed.before for killed in undone}


REFUSAL = "a restore of .*copy.db was broken off before there was a database; repeat `tracker rest"


def test_restore_where_nothing_was_never_begins_empty(tmp_path: Path, original: Path) -> None:
    fill(original / "copy.db", "new", 3)
    outcomes: dict[Killed, Any] = {}
    for killed in kill_at_each_step(tmp_path, *RESTORE):
        database = killed.folder / "tracker.db"
        has_begun = (killed.folder / "tracker.db.restoring").exists()
        try:
            outcomes[killed] = opened(database)
        except ConfigError as refused:
            outcomes[killed] = REFUSAL if re.search(REFUSAL, str(refused)) else str(refused)
        assert outcomes[killed] != {} or not has_begun
    assert_each(outcomes, [{}, REFUSAL, {"new": 3}])
    home = next(killed.folder for killed, outcome in outcomes.items() if outcome == REFUSAL)
    assert run(*RESTORE, home=home).returncode == 0
    assert opened(home / "tracker.db") == {"new": 3}


def test_a_restore_that_was_broken_off_is_told_of(tmp_path: Path, original: Path) -> None:
    fill(original / "copy.db", "new", 3)
    fill(original / "tracker.db", "old", 5)
    trials = kill_at_each_step(tmp_path, *RESTORE)
    (home,) = [killed.folder for killed in trials if killed.before == "link"]
    for command in (("export",), ("backup", "b.db"), ("prune", "--older-than", "1d")):
        refused = run(*command, "--db", "tracker.db", home=home)
        assert (refused.returncode, refused.stdout) == (75, b"")
        assert b"a restore is at work, or was broken off" in refused.stderr
    assert b"broken off" in run("doctor", "--db", "tracker.db", home=home).stdout
    ended = run("serve", "--port", "0", "--idle-timeout", "1", "--db", "tracker.db", home=home)
    assert ended.returncode == 0
    assert b"copy.db was broken off" in ended.stderr
    assert b"Repeat `tracker restore`" in ended.stderr
    assert found(home / "tracker.db") == {"old": 5}


def test_import_adds_all_or_nothing(tmp_path: Path, original: Path) -> None:
    fill(tmp_path / "other.db", "new", 30)
    exported = run("export", "--db", "other.db", home=tmp_path).stdout
    (original / "new.jsonl").write_bytes(exported)
    trials = kill_at_each_step(tmp_path, "import", "new.jsonl", "--db", "tracker.db", most=12)
    outcomes = {killed: opened(killed.folder / "tracker.db") for killed in trials}
    assert_each(outcomes, [{}, {"new": 30}])


def test_prune_takes_whole_tasks(tmp_path: Path, original: Path) -> None:
    fill(original / "tracker.db", "old", 300)
    command = ("prune", "--older-than", "1d", "--db", "tracker.db")
    left = []
    for killed in kill_at_each_step(tmp_path, *command, most=12):
        database = killed.folder / "tracker.db"
        left.append(opened(database).get("old", 0))
        with closing(apsw.Connection(str(database))) as connection:
            halves = "SELECT count(*) FROM tasks WHERE 2 <> (SELECT count(*) FROM events"
            assert connection.execute(f"{halves} WHERE task = tasks.id)").get == 0
            assert connection.execute("SELECT pruned FROM marks").get == 2 * (300 - left[-1])
    assert (left[0], left[-1]) == (300, 0)


def test_an_upgrade_is_made_or_not(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "other.db", "new", 0)
    exported = run("export", "--db", "other.db", home=tmp_path).stdout
    (original / "nothing.jsonl").write_bytes(exported)
    all_steps = migrations.steps()
    with monkeypatch.context() as older:
        older.setattr(migrations, "steps", lambda: all_steps[:1])
        fill_as_before(original / "tracker.db", "old", 40)
    trials = kill_at_each_step(tmp_path, "import", "nothing.jsonl", "--db", "tracker.db", most=12)
    assert {"SQLite writes", "link", "fsync"} <= {killed.before for killed in trials}
    for killed in trials:
        assert opened(killed.folder / "tracker.db") == {"old": 40}, killed
        left = leftovers(killed.folder / "tracker.db")
        # Two where the first was whole before the upgrade began: the next start makes its own.
        assert [item.kind for item in left] in (["upgrade copy"], 2 * ["upgrade copy"]), killed
        for item in left:
            with closing(apsw.Connection(str(item.file))) as copy:
                assert copy.execute("SELECT count(*) FROM tasks").get == 40
                assert problems(copy) == []


@pytest.mark.parametrize("command", [("backup", "copy"), ("export", "copy")], ids=lambda c: c[0])
def test_a_file_appears_whole_or_not_at_all(
    tmp_path: Path, original: Path, command: tuple[str, ...]
) -> None:
    fill(original / "tracker.db", "old", 5)
    fill(tmp_path / "same.db", "old", 5)
    whole = run("export", "--db", "same.db", home=tmp_path).stdout
    outcomes = {}
    for killed in kill_at_each_step(tmp_path, *command, "--db", "tracker.db"):
        written = killed.folder / "copy"
        outcomes[killed] = written.exists()
        if not written.exists():
            continue
        if command[0] == "backup":
            assert found(written) == {"old": 5}
        else:
            assert written.read_bytes() == whole
        assert opened(killed.folder / "tracker.db") == {"old": 5}
    assert_each(outcomes, [False, True])
