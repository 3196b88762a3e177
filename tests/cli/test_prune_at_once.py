"""Without a server most of pruning is one transaction: it leaves what small steps would leave."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.exported import contents
from tracker.clock import MS_PER_DAY, SystemClock
from tracker.domain.audit import Actor
from tracker.domain.tasks import Kind, Report, Status
from tracker.domain.usage import ModelTold, Told
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import search
from tracker.store.sqlite.admin import prune
from tracker.store.sqlite.admin.prune import Outcome, Wanted, prune_database
from tracker.store.sqlite.connection import open_writer
from tracker.store.sqlite.lock import DatabaseLock
from tracker.store.sqlite.reports import record

TASKS = 120
NOW = TASKS * MS_PER_DAY


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task a day: of three projects and one that is soon gone, of agents that change, in sessions
    of several tasks, with usage; two of three end, at once or much later."""
    path = tmp_path_factory.mktemp("filled") / "tracker.db"
    with closing(open_writer(path, "off")) as connection:  # type: ignore[arg-type]
        for number in range(TASKS):
            usage = (ModelTold(f"m{number % 2}", Told(number, cost_micros=number)),)
            start = Report(
                *(Kind.START, "gone" if number < 3 else f"p{number % 3}"),
                task_id=f"t{number}",
                title=f"word{number} common",
                agent=f"a{number % 5}",
                session=None if number % 7 == 0 else f"s{number // 4}",
                usage=usage,
            )
            more = start._replace(agent=f"a{number % 4}", kind=Kind.FINISH, result="done " * 99)
            if number % 3 == 1:
                more = more._replace(kind=Kind.ERROR, error_type="E", error_message="bad")
            if number % 3 == 2 and number > 3:
                more = more._replace(kind=Kind.STATUS, status=Status.RUNNING, progress=5.0)
            late = NOW if number % 10 == 6 else number * MS_PER_DAY
            with connection:
                record(connection, number * MS_PER_DAY, [WriteRequest(start)])
                record(connection, late + 60_000, [WriteRequest(more)])
        with connection:
            while not search.index_some(connection, 2 * TASKS, 50):
                pass
            while not search.index_some_by_project(connection, 50):
                pass
    return path


def pruned(path: Path, wanted: Wanted, *, dry_run: bool = False) -> Outcome:
    outcome = prune_database(
        path,
        wanted,
        dry_run=dry_run,
        begin=lambda: None,
        progress=lambda _done, _total: None,
        by=Actor("user:me", ""),
        clock=SystemClock(),
    )
    DatabaseLock(path).release()  # it is free again
    return outcome


def found(path: Path) -> dict[str, Any]:
    with closing(apsw.Connection(str(path))) as connection:
        return {
            **{
                f"{table} {words}": sorted(
                    connection.execute(
                        f"SELECT rowid FROM {table} WHERE {table} MATCH ?", (words,)
                    ).fetchall()
                )
                for table, words in [
                    *(("search", words) for words in ("common", "word7", "word119", "done")),
                    *(("project_search", f"{id_}qcommon") for id_ in range(1, 5)),
                ]
            },
            "project_agents": connection.execute(
                "SELECT * FROM project_agents ORDER BY 1, 2"
            ).fetchall(),
            "schema": sorted(connection.execute("SELECT type, name, sql FROM sqlite_schema")),
            "audit": connection.execute("SELECT action, subject FROM audit").fetchall(),
        }


@pytest.mark.parametrize("days", [0, 2, 30, 100, 119.5, 200])
@pytest.mark.parametrize("project", [None, "p1"])
def test_at_once_leaves_what_steps_leave(
    filled: Path, tmp_path: Path, days: float, project: str | None
) -> None:
    wanted = Wanted(before=int(days * MS_PER_DAY), project=project)
    once, steps = tmp_path / "once.db", tmp_path / "steps.db"
    for path in (once, steps):
        shutil.copy(filled, path)
    would_go = pruned(once, wanted, dry_run=True)
    assert contents(once) == contents(filled)
    at_once = pruned(once, wanted)
    with pytest.MonkeyPatch.context() as patch:  # as beside a server
        patch.setattr(prune._Pruning, "_at_once", lambda *_: prune.Pruned())
        in_steps = pruned(steps, wanted)
    assert at_once.pruned == in_steps.pruned == would_go.pruned
    assert contents(once) == contents(steps)
    assert found(once) == found(steps)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_to_a_size_the_newest_stay(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(prune, "_MANY", 3)
    path = tmp_path / "tracker.db"
    shutil.copy(filled, path)
    size = int(share * path.stat().st_size)
    outcome = pruned(path, Wanted(max_bytes=size))
    assert outcome.size <= size or not any(
        status in ("completed", "failed") for *_, status in _statuses(path)
    )
    kept = [id_ for id_, status in _statuses(path) if status in ("completed", "failed")]
    ended = [id_ for id_, status in _statuses(filled) if status in ("completed", "failed")]
    assert kept == ended[len(ended) - len(kept) :]
    contents(path)


def _statuses(path: Path) -> list[tuple[int, str]]:
    with closing(apsw.Connection(str(path))) as connection:
        sql = "SELECT id, status FROM tasks ORDER BY id"
        return connection.execute(sql).fetchall()  # type: ignore[return-value]


def test_a_server_keeps_it_to_small_steps(filled: Path, tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    shutil.copy(filled, path)
    lock = DatabaseLock(path)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(prune, "remove_doomed", None)
            rests: list[float] = []
            patch.setattr(prune.time, "sleep", rests.append)
            outcome = prune_database(
                path,
                Wanted(before=NOW),
                dry_run=False,
                begin=lambda: None,
                progress=lambda _done, _total: None,
                by=Actor("user:me", ""),
                clock=SystemClock(),
            )
    finally:
        lock.release()
    assert outcome.pruned.tasks > 0
    assert rests


def test_a_full_disk_leaves_it_to_small_steps(filled: Path, tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    shutil.copy(filled, path)

    def full(connection: apsw.Connection, _progress: object) -> None:
        connection.execute("DELETE FROM events")
        raise apsw.FullError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prune, "remove_doomed", full)
        outcome = pruned(path, Wanted(before=NOW))
    assert outcome.pruned.tasks > 0
    assert contents(path)["tasks"]
