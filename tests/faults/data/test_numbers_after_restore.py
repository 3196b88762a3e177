"""Numbers of events after a restore: never given twice; readers are notified."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from agent_task_tracker.client import Client
from tests.support.cli import Terminal, run
from tests.support.platforms import needs_posix
from tests.support.raw import open_websocket, read_frame
from tests.support.server import KEY, Server


def restored(tmp_path: Path, start: Callable[..., Server] = Server.start) -> tuple[Server, int]:
    """A server with the task of a backup, and the last number that was given after the backup."""
    server = start(tmp_path)
    server.report("start", "project", "in the backup")
    db = ("--db", str(server.database))
    assert run("backup", str(tmp_path / "copy.db"), "--force", *db, home=tmp_path).returncode == 0
    last = server.report("start", "project", "after it").json()["event_id"]
    assert server.stop() == 0
    assert run("restore", str(tmp_path / "copy.db"), *db, home=tmp_path).returncode == 0
    return start(tmp_path), last


def test_numbers_are_never_given_twice_however_often_a_backup_is_restored(tmp_path: Path) -> None:
    given = []
    for _ in range(3):
        server, last = restored(tmp_path)
        given.append(last)
        given.append(server.report("start", "project", "anew").json()["event_id"])
        assert server.stop() == 0
    assert given == sorted(set(given))
    assert [number for number in given if number % 2**32 == 0] == given[1::2]
    assert given[-1] < 2**53


def test_numbers_go_on_above_those_of_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    server, _ = restored(tmp_path)
    given = server.report("start", "project", "anew").json()["event_id"]
    assert server.stop() == 0
    server.database.write_bytes(b"broken" * 1000)
    db = ("--db", str(server.database))
    assert run("restore", str(tmp_path / "copy.db"), *db, home=tmp_path).returncode == 0
    server = Server.start(tmp_path)
    try:
        assert server.report("start", "project", "anew").json()["event_id"] > given + 1000
    finally:
        assert server.stop() == 0


def test_a_cursor_from_what_was_replaced_is_told_and_others_are_not(tmp_path: Path) -> None:
    server, last = restored(tmp_path)
    try:
        end = server.http.get("/api/events").json()["last_id"]
        wanted = {0: False, 1: False, last: True, last + 1000: True, end: False, end + 1: True}
        for cursor, is_told in wanted.items():
            page = server.http.get("/api/events", params={"since": cursor}).json()
            assert page["resync_required"] is is_told, cursor
        new = server.report("start", "project", "new").json()["event_id"]
        assert new == end + 1 == 2**32
        for cursor, is_told in wanted.items():
            with closing(open_websocket(server, f"&since={cursor}")) as socket:
                types = [json.loads(read_frame(socket)[1])["type"]] if cursor < new else []
            assert types == ([] if cursor == new else [TOLD if is_told else "task_started"]), cursor
    finally:
        assert server.stop() == 0


TOLD = "resync_required"


def test_the_python_client_hears_of_it(tmp_path: Path) -> None:
    server, last = restored(tmp_path)
    try:
        server.report("start", "project", "new")
        client = Client(server.url, KEY)
        for since, expected in ((last, [TOLD, "in the backup", "new"]), (1, ["new"])):
            seen = [event["data"].get("task_id", event["type"]) for event in client.events(since)]
            assert seen == expected
            stream = client.follow(since)
            heard = [next(stream) for _ in expected]
            assert [event["data"].get("task_id", event["type"]) for event in heard] == expected
            stream.close()
        assert [e["id"] for e in client.newest_events(1)] == [2**32]
        assert [e["id"] for e in client.newest_events(10)] == [1, 2**32]
    finally:
        assert server.stop() == 0


@needs_posix
def test_tail_goes_on_after_a_restore(tmp_path: Path) -> None:
    """Of the tasks that the restore took away, no bar stays on the terminal."""
    server = Server.start(tmp_path / "server")
    server.report("start", "project", "in the backup")
    db = ("--db", str(server.database))
    assert run("backup", "copy.db", *db, home=tmp_path).returncode == 0
    server.report("status", "project", "after it", task="Vanished", progress=50)
    port = str(server.ready["port"])
    terminal = Terminal("tail", "-f", home=tmp_path, server=server)
    try:
        terminal.read_until("Vanished")
        assert server.stop() == 0
        assert run("restore", "copy.db", *db, home=tmp_path).returncode == 0
        server = Server.start(tmp_path / "server", "--port", port)
        terminal.read_until("Older events are gone")
        server.report("start", "project", "new", task="Brand new")
        shown = terminal.read_until("project  Brand new")  # its bar
        assert "Vanished" not in shown.partition("project/new")[2]
    finally:
        terminal.close()
        assert server.stop() == 0
