"""Every subscriber who reads ends with exactly the log, whatever the others and the server do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.load import Load
from tests.support.server import Server, wait_for
from tests.support.subscribers import Crowd, Subscriber, never_reading

STEADY, RESTLESS, NEVER_READING = 20, 10, 10
EVENTS_A_START = 150
STARTS = 3
FLAGS = ("--ws-per-project", "0")


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    projects = (None, "project 0", "project 1", "project 2")
    crowd = Crowd([
        Subscriber(
            projects[number % len(projects)],
            random.Random(number) if number >= STEADY else None,
        )
        for number in range(STEADY + RESTLESS)
    ])  # fmt: skip
    crowd.start()
    yield crowd
    crowd.stop()


@pytest.fixture
def load() -> Iterator[Load]:
    load = Load(4)
    load.start()
    yield load
    load.stop()


def log_by_project(database: Path) -> dict[str | None, list[int]]:
    """The ids in the log, of each project and (None) of all."""
    ids: dict[str | None, list[int]] = {None: []}
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        for id_, project in connection.execute(
            "SELECT id, data ->> 'project' FROM events ORDER BY id"
        ):
            ids[None].append(id_)
            ids.setdefault(project, []).append(id_)
    return ids


def test_each_reader_ends_with_exactly_the_log(tmp_path: Path, crowd: Crowd, load: Load) -> None:
    for number in range(STARTS):
        server = Server.start(tmp_path, *FLAGS)
        try:
            with never_reading(server, NEVER_READING):
                before = load.count
                load.url = crowd.url = server.url
                wait_for(lambda seen=before: load.count > seen + EVENTS_A_START, 60, "events")
                if number == STARTS - 1:
                    load.stop()
                    ids = log_by_project(server.database)
                    wait_for(lambda ids=ids: not crowd.behind(ids), 60, "the end of the log")
        finally:
            load.url = crowd.url = None
            ended = server.stop()
        assert ended == 0
        assert "Traceback" not in server.log
    assert len(ids[None]) >= STARTS * EVENTS_A_START
    assert crowd.losses(ids) == []
    assert sum(subscriber.connections for subscriber in crowd.subscribers) > len(
        crowd.subscribers
    ) * (STARTS - 1)
