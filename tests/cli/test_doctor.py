"""`tracker doctor` finds what is wrong, names it, and shows no key."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.cli import run
from tests.support.proxy import Alter, Proxy
from tests.support.server import KEY, Server


def doctor(
    *flags: str, home: Path, variables: dict[str, str] | None = None, key: str = KEY
) -> tuple[int, dict[str, Any]]:
    """Its exit code and what it says to programs."""
    ended = run(
        "doctor", "--json", *flags, home=home, variables={"API_KEY": key, **(variables or {})}
    )
    assert key not in ended.stdout.decode()
    assert b"Traceback" not in ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def at(server: Server) -> tuple[str, ...]:
    return ("--db", str(server.database), "--url", server.url)


@pytest.fixture
def proxy(shared_server: Server) -> Iterator[Callable[[Alter], Proxy]]:
    started: list[Proxy] = []

    def start(alter: Alter) -> Proxy:
        started.append(Proxy(shared_server, alter))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_all_is_well(shared_server: Server, tmp_path: Path) -> None:
    shared_server.report("start", "project")
    (tmp_path / ".env").write_text("TRACKER_RATE_LIMIT_API=1234\n")
    code, said = doctor(*at(shared_server), home=tmp_path, variables={"TRACKER_LOG_LEVEL": "debug"})
    assert (code, said["problems"], said["warnings"]) == (0, [], [])
    settings = said["settings"]
    assert settings["API_KEY"] == {"value": f"{len(KEY)} characters", "from": "environment"}
    assert settings["TRACKER_RATE_LIMIT_API"] == {"value": 1234, "from": ".env"}
    assert settings["TRACKER_LOG_LEVEL"] == {"value": "debug", "from": "environment"}
    assert settings["TRACKER_DB"]["from"] == "flag"
    assert settings["TRACKER_HOST"] == {"value": "127.0.0.1", "from": "default"}
    assert said["database"]["events"] >= 1
    assert [tried["what"] for tried in said["connection"]["tried"]] == [
        "HTTP", "API key", "WebSocket", "Dashboard",
    ]  # fmt: skip


def test_a_kept_key_is_shown_after_the_proof(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(key=None)
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        done = run(
            "doctor",
            "--json",
            "--db",
            str(server.database),
            "--url",
            url,
            home=tmp_path,
            variables={"TRACKER_DB": str(server.database)},
        )
        said = json.loads(done.stdout)
        assert (done.returncode, said["problems"]) == (0, [])
        tried = [one["what"] for one in said["connection"]["tried"]]
        assert tried == ["HTTP", "Proof", "API key", "WebSocket", "Dashboard"]


def test_for_people(shared_server: Server, tmp_path: Path) -> None:
    ended = run("doctor", *at(shared_server), home=tmp_path, variables={"API_KEY": KEY})
    assert ended.returncode == 0, ended.stderr
    text = ended.stdout.decode()
    assert "Nothing is wrong." in text
    assert "WebSocket: works" in text
    assert KEY not in text


def test_a_proxy_that_passes_everything_is_fine(
    proxy: Callable[[Alter], Proxy], tmp_path: Path
) -> None:
    passing = proxy(lambda head: head)
    code, said = doctor("--db", "none.db", "--url", passing.url, home=tmp_path)
    assert (code, said["problems"]) == (0, [])


def test_a_proxy_that_breaks_websockets_is_named(
    proxy: Callable[[Alter], Proxy], tmp_path: Path
) -> None:
    broken = proxy(lambda head: re.sub(rb"(?im)^(upgrade|connection): .*\r\n", b"", head))
    code, said = doctor("--db", "none.db", "--url", broken.url, home=tmp_path)
    assert code == 1
    (problem,) = said["problems"]
    assert problem.startswith("WebSocket: ")
    assert "nginx/1.0" in problem
    assert "Upgrade" in problem
    assert said["database"]["exists"] is False


def test_a_proxy_that_changes_the_host_is_named(
    proxy: Callable[[Alter], Proxy], tmp_path: Path
) -> None:
    changing = proxy(lambda head: re.sub(rb"(?im)^host: .*\r\n", b"Host: localhost\r\n", head))
    code, said = doctor("--db", "none.db", "--url", changing.url, home=tmp_path)
    assert code == 1
    (problem,) = said["problems"]
    assert "changes the header Host" in problem
    assert f"--cors-origin {changing.url}" in problem


def test_a_prefix_that_the_server_does_not_know_is_named(
    proxy: Callable[[Alter], Proxy], tmp_path: Path
) -> None:
    removing = proxy(lambda head: head.replace(b" /tracker/", b" /", 1))
    code, said = doctor("--db", "none.db", "--url", f"{removing.url}/tracker", home=tmp_path)
    assert code == 1
    (problem,) = said["problems"]
    assert "--root-path /tracker" in problem


def test_wrong_key(shared_server: Server, tmp_path: Path) -> None:
    code, said = doctor(*at(shared_server), home=tmp_path, key="another-key-than-the-server's")
    assert code == 1
    assert said["problems"][0].startswith("API key: ")


def test_all_that_is_wrong_is_told_at_once_and_where_it_comes_from(
    shared_server: Server, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("TRACKER_RATE_LIMIT_API=many\n=\nTRACKER_LOG_FORMAT=xml\n")
    (tmp_path / "ready").write_text("mine")
    wrong = {"TRACKER_PORT": "x", "TRACKER_STALE_AFTER": "-1", "TRACKER_PROT": "1"}
    code, said = doctor(
        *("--db", "missing/tracker.db", "--url", "http://[::1"),
        home=tmp_path,
        key="k7!x",
        variables={**wrong, "TRACKER_READY_FILE": "ready"},
    )
    assert code == 1
    (warning,) = said["warnings"]
    assert ".env: line 2 cannot be understood" in warning
    assert "TRACKER_PROT: there is no such setting" in warning
    begin = [problem.partition(":")[0] for problem in said["problems"]]
    assert begin[:2] == ["TRACKER_PORT", "TRACKER_STALE_AFTER"]
    assert set(begin[2:4]) == {"TRACKER_RATE_LIMIT_API", "TRACKER_LOG_FORMAT"}
    assert begin[4:] == ["API_KEY", "settings", "connection", "database"]
    assert [problem[-18:] for problem in said["problems"][:2]] == ["(from environment)"] * 2
    assert all(problem.endswith("(from .env)") for problem in said["problems"][2:4])
    assert said["settings"]["TRACKER_PORT"] == {"value": 8000, "from": "environment"}
    # Mended one by one, each goes.
    (tmp_path / ".env").write_bytes(b"API_KEY=\xff")
    code, said = doctor(*at(shared_server), home=tmp_path)
    assert code == 1
    (problem,) = said["problems"]
    assert problem.startswith(".env: cannot be read: ")


def test_no_server(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    code, said = doctor("--db", "none.db", "--url", f"http://127.0.0.1:{port}", home=tmp_path)
    assert code == 69
    assert str(port) in said["problems"][0]
    assert not (tmp_path / "none.db").exists()


def test_counters_that_drifted(server: Server, tmp_path: Path) -> None:
    server.report("start", "project")
    with closing(apsw.Connection(str(server.database))) as connection:
        connection.execute("UPDATE projects SET running = 7")
    code, said = doctor(*at(server), home=tmp_path)
    assert code == 1
    assert "counters of projects, project" in said["problems"][0]


def test_file_that_is_no_database(tmp_path: Path, shared_server: Server) -> None:
    (tmp_path / "notes.db").write_text("These are my notes.\n" * 300)
    code, said = doctor("--db", "notes.db", "--url", shared_server.url, home=tmp_path)
    assert code == 1
    assert "notes.db" in said["problems"][0]
