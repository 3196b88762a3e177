"""Keys of one's own by command: on a running server, and in the database of a stopped one."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.cli import Terminal, json_lines, run
from tests.support.databases import assert_refused, make_database
from tests.support.full import FULL, needs_full, printing_to, run_with_file_limit
from tests.support.keys import client_with, make_key
from tests.support.platforms import needs_posix
from tests.support.processes import Process
from tests.support.server import COMMAND, KEY, Server, environment, wait_for
from tracker.domain.keys import MAX_KEYS, is_whole

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(params=["server", "file"])
def run_on(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a command on a server's keys: while it runs, and on its file once it is stopped."""
    if request.param == "file":
        database = make_database(tmp_path, "a task")
        yield lambda *arguments: run(*arguments, "--db", str(database), home=tmp_path)
        return
    server = Server.start(tmp_path)
    try:
        yield lambda *arguments: run(*arguments, home=tmp_path, server=server)
    finally:
        assert server.stop() == 0


def listed(run_on: Run) -> dict[str, dict[str, Any]]:
    done = run_on("key", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json_lines(done.stdout)}


def line_of(done: subprocess.CompletedProcess[bytes], code: int = 1) -> str:
    """The one line of a command that failed."""
    assert (done.returncode, done.stdout) == (code, b""), done
    (line,) = [line for line in done.stderr.decode().splitlines() if line.startswith("tracker:")]
    return line


def status(server: Server, key: str, path: str = "/api/projects") -> int:
    with client_with(server, key) as client:
        return client.get(path).status_code


def test_a_key_is_made_listed_rotated_and_revoked(run_on: Run) -> None:
    made = run_on("key", "create", "ci", "--role", "report", "--project", "p", "--project", "q")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.decode().removesuffix("\n")
    assert is_whole(secret)
    said = made.stderr.decode()
    assert secret not in said
    assert all(word in said for word in ("'ci'", "report", "p, q", "API_KEY", "never"))

    one = listed(run_on)["ci"]
    assert (one["role"], one["projects"], one["expires_at"]) == ("report", ["p", "q"], None)
    table = run_on("key", "list").stdout.decode()
    assert "p, q" in table
    assert secret not in table

    rotated = run_on("key", "rotate", "ci", "--overlap", "1h", "--json")
    answer = json.loads(rotated.stdout)
    assert is_whole(answer["key"])
    assert answer["key"] != secret
    assert answer["rotating_until"] == listed(run_on)["ci"]["rotating_until"] is not None
    assert rotated.stderr == b""

    revoked = run_on("key", "revoke", "ci")
    assert (revoked.returncode, listed(run_on)) == (0, {}), revoked.stderr
    assert "404 NOT_FOUND" in line_of(run_on("key", "revoke", "ci")) or "no key 'ci'" in line_of(
        run_on("key", "revoke", "ci")
    )
    actions = [entry["action"] for entry in json_lines(run_on("audit", "--json").stdout)]
    assert actions[:3] == ["key_revoked", "key_rotated", "key_created"]


def test_the_server_takes_the_keys_that_were_made_in_its_file(tmp_path: Path) -> None:
    database = make_database(tmp_path, "a task")
    db = ("--db", str(database))
    reader, gone = (
        run("key", "create", name, "--role", "read", *db, home=tmp_path).stdout.decode().strip()
        for name in ("reader", "gone")
    )
    newer = run("key", "rotate", "reader", "--overlap", "0s", *db, home=tmp_path).stdout
    assert run("key", "revoke", "gone", *db, home=tmp_path).returncode == 0
    server = Server.start(tmp_path)
    try:
        assert [status(server, key) for key in (reader, gone)] == [401, 401]
        assert status(server, newer.decode().strip()) == 200
        # The next one is another key, which has no part in what the revoked one did.
        again = run("key", "create", "gone", "--role", "read", home=tmp_path, server=server)
        assert status(server, again.stdout.decode().strip()) == 200
        with closing(apsw.Connection(str(database))) as connection:
            assert connection.execute("SELECT id FROM keys ORDER BY id").fetchall() == [(1,), (3,)]
    finally:
        assert server.stop() == 0


def test_who_did_it_in_the_file(tmp_path: Path) -> None:
    database = make_database(tmp_path, "a task")
    db = ("--db", str(database))
    run("key", "create", "ci", "--role", "report", *db, home=tmp_path)
    entry = json_lines(run("audit", "--json", *db, home=tmp_path).stdout)[0]
    assert entry["by"].startswith("command (")
    assert (entry["address"], entry["subject"]) == ("this machine", "ci")
    name = entry["by"]
    assert json_lines(run("audit", "--json", "--by", name, *db, home=tmp_path).stdout) == [entry]
    assert run("audit", "--json", "--by", "ci", *db, home=tmp_path).stdout == b""


def test_the_audit_log_as_a_table_and_in_part(run_on: Run) -> None:
    for name in ("a", "b", "c"):
        run_on("key", "create", name, "--role", "read")
    run_on("key", "revoke", "a")
    table = run_on("audit").stdout.decode().splitlines()
    assert table[0].split() == ["LAST", "COUNT", "ACTION", "BY", "FROM", "WHAT", "DETAILS"]
    assert "key_revoked" in table[1]
    limited = json_lines(run_on("audit", "--limit", "2", "--json").stdout)
    assert [(entry["action"], entry["subject"]) for entry in limited] == [
        ("key_revoked", "a"),
        ("key_created", "c"),
    ]
    made = json_lines(run_on("audit", "--action", "key_created", "--json").stdout)
    assert [entry["subject"] for entry in made] == ["c", "b", "a"]


def test_an_audit_log_longer_than_a_page(tmp_path: Path) -> None:
    database = make_database(tmp_path, "a task")
    with closing(apsw.Connection(str(database))) as connection, connection:
        connection.execute("DELETE FROM audit")
        connection.executemany(
            "INSERT INTO audit VALUES (?, ?1, ?1, 1, 'signed_in', 'x', 'y', '', '{}')",
            ((id_,) for id_ in range(1, 1201)),
        )
    for limit, expected in ((1000, 1000), (5000, 1200)):
        arguments = ("audit", "--limit", str(limit), "--json", "--db", str(database))
        entries = json_lines(run(*arguments, home=tmp_path).stdout)
        assert [entry["id"] for entry in entries] == list(range(1200, 1200 - expected, -1))


# Which one is used.


def test_by_itself_the_file_of_a_stopped_server(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    variables = {"TRACKER_DB": str(server.database), "TRACKER_PORT": str(server.ready["port"])}
    asked = run(
        *("key", "create", "a", "--role", "read"),
        home=tmp_path,
        variables={**variables, "API_KEY": KEY},
    )
    assert (asked.returncode, b"No server answers" in asked.stderr) == (0, False), asked.stderr
    assert server.stop() == 0
    made = run("key", "create", "b", "--role", "read", home=tmp_path, variables=variables)
    assert made.returncode == 0
    assert str(server.database) in made.stderr.decode().splitlines()[0]
    found = run("key", "list", "--json", home=tmp_path, variables=variables)
    assert [one["name"] for one in json_lines(found.stdout)] == ["a", "b"]
    # A server that was named is meant.
    for named in (("--url", server.url), ("--ready-file", "none.json")):
        done = run("key", "list", *named, home=tmp_path, variables=variables)
        assert (done.returncode, done.stdout) == (69, b"")
    elsewhere = run(
        "key", "list", home=tmp_path, variables={**variables, "TRACKER_URL": server.url}
    )
    assert elsewhere.returncode == 69


def test_a_running_server_is_never_bypassed(server: Server) -> None:
    arguments = ("key", "create", "a", "--role", "read", "--db", str(server.database))
    line = assert_refused(server.folder, *arguments, code=75)
    assert "--url" in line
    other_port = {"TRACKER_DB": str(server.database), "TRACKER_PORT": "1"}
    done = run("key", "revoke", "a", home=server.folder, variables=other_port)
    assert "--url" in line_of(done, 75)
    assert server.http.get("/api/keys").json()["keys"] == []


def test_db_and_an_address_are_not_both_meant(tmp_path: Path) -> None:
    done = run("key", "list", "--db", "x.db", "--url", "http://127.0.0.1:1", home=tmp_path)
    assert done.returncode == 2
    assert b"--db" in done.stderr


def test_no_database_is_made(tmp_path: Path) -> None:
    for command in (("key", "list"), ("key", "create", "a", "--role", "read"), ("audit",)):
        assert "none.db" in assert_refused(tmp_path, *command, "--db", "none.db")
        variables = {"TRACKER_DB": "none.db", "TRACKER_PORT": "1"}
        done = run(*command, home=tmp_path, variables=variables)
        assert "tracker serve" in line_of(done, 69)
    assert list(tmp_path.iterdir()) == []


def test_another_programs_database_stays_as_it_is(tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / "notes.db"))) as other:
        other.execute("CREATE TABLE keys (text)")
    before = (tmp_path / "notes.db").read_bytes()
    for command in (("key", "list"), ("key", "create", "a", "--role", "read"), ("audit",)):
        line = assert_refused(tmp_path, *command, "--db", "notes.db")
        assert "another program" in line
    assert [path.name for path in tmp_path.iterdir()] == ["notes.db"]
    assert (tmp_path / "notes.db").read_bytes() == before


def test_doctor_tells_of_keys_that_end(server: Server, tmp_path: Path) -> None:
    for name, seconds in (("ended", 1), ("soon", 3 * 86_400), ("later", 30 * 86_400), ("never", 0)):
        fields = {"expires_in_seconds": seconds} if seconds else {}
        make_key(server, name, "read", **fields)
    db = ("--db", str(server.database))

    def told() -> dict[str, bool]:
        done = run("doctor", "--json", *db, home=tmp_path, server=server)
        assert done.returncode == 0, done.stderr
        keys = json.loads(done.stdout)["database"]["expiring_keys"]
        return {one["name"]: one["expired"] for one in keys}

    wait_for(lambda: told() == {"ended": True, "soon": False}, 30)
    text = run("doctor", *db, home=tmp_path, server=server).stdout.decode()
    assert "key ended: has expired" in text
    assert "key soon: expires" in text
    assert "Nothing is wrong." in text


# What is wrong, and what is hostile.


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a\x1b[31m\u202eb", "--role", "read"), "name: "),
        (("-", "--role", "read"), "name: "),
        (("", "--role", "read"), "name: "),
        (("master", "--role", "read"), "settings"),
        (("x" * 65, "--role", "read"), "name: "),
        (("a", "--role", "admin", "--project", "p"), "projects: "),
        (("a", "--role", "read", *(f"--project=p{n}" for n in range(10_000))), "projects: "),
        (("a", "--role", "read", "--project", ""), "projects"),
        (("a", "--role", "read", "--expires", "0s"), "expires_in_seconds: "),
    ],
    ids=range(9),
)
def test_what_cannot_be_a_key(run_on: Run, arguments: tuple[str, ...], says: str) -> None:
    line = line_of(run_on("key", "create", *arguments))
    assert says in line
    assert "\x1b" not in line
    assert len(line) < 500
    assert listed(run_on) == {}


_NO_NAMES = ("a\x1b[31mb", "..", ".", "a/b", "a/rotate", "%2e%2e", "?", "", "a\udcff")


@pytest.mark.parametrize("name", _NO_NAMES)
def test_names_that_no_key_can_have(run_on: Run, name: str) -> None:
    run_on("key", "create", "a", "--role", "read")
    for command in ("revoke", "rotate"):
        line = line_of(run_on("key", command, name))
        assert "\x1b" not in line
    assert list(listed(run_on)) == ["a"]


def test_arguments_that_are_no_text(run_on: Run) -> None:
    line_of(run_on("key", "create", "a", "--role", "read", "--project", "p\udcff"))
    assert listed(run_on) == {}
    told = run_on("audit", "--by", "a\udcff", "--json")
    assert (told.returncode, told.stdout) == (0, b"")


def test_durations(tmp_path: Path) -> None:
    for text in ("soon", "1", "d", "-1d", "9" * 400 + "d", "99999999w", "1e9d", "١d", "nand"):
        done = run("key", "create", "a", "--role", "read", "--expires", text, home=tmp_path)
        assert (done.returncode, done.stdout) == (2, b""), text
        pruned = run("prune", f"--older-than={text}", home=tmp_path)
        assert pruned.returncode == 2, text


def test_a_name_is_taken_until_it_is_revoked(run_on: Run) -> None:
    run_on("key", "create", "a", "--role", "read")
    assert "already" in line_of(run_on("key", "create", "a", "--role", "report"))
    assert listed(run_on)["a"]["role"] == "read"


def test_too_many(tmp_path: Path) -> None:
    database = make_database(tmp_path, "a task")
    with closing(apsw.Connection(str(database))) as connection, connection:
        connection.executemany(
            "INSERT INTO keys (name, role, all_projects, created_at) VALUES (?, 'read', 1, 0)",
            ((f"key{number}",) for number in range(MAX_KEYS)),
        )
        connection.execute(
            "INSERT INTO key_secrets (key_id, digest) SELECT id, randomblob(32) FROM keys"
        )
    db = ("--db", str(database))
    line = line_of(run("key", "create", "a", "--role", "read", *db, home=tmp_path))
    assert str(MAX_KEYS) in line
    assert len(json_lines(run("key", "list", "--json", *db, home=tmp_path).stdout)) == MAX_KEYS


def test_a_key_that_may_not(server: Server, tmp_path: Path) -> None:
    key = run("key", "create", "a", "--role", "report", home=tmp_path, server=server).stdout
    for command in (("key", "list"), ("audit",), ("key", "revoke", "a")):
        done = run(
            *command,
            home=tmp_path,
            variables={"TRACKER_URL": server.url, "API_KEY": key.decode().strip()},
        )
        line = line_of(done)
        assert "admin" in line
        assert key.decode().strip() not in line


def test_several_commands_at_once(tmp_path: Path) -> None:
    database = make_database(tmp_path, "a task")
    running = [
        Process(
            [*COMMAND, "key", "create", f"key{number}", "--role", "read", "--db", str(database)],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for number in range(4)
    ]
    secrets = [process.communicate(timeout=60)[0] for process in running]
    made = {f"key{number}" for number, secret in enumerate(secrets) if secret}
    done = run("key", "list", "--json", "--db", str(database), home=tmp_path)
    assert {one["name"] for one in json_lines(done.stdout)} == made
    assert all(process.returncode in (0, 75) for process in running)
    assert made


@needs_full
def test_a_key_that_nobody_has_seen(shared_server: Server, tmp_path: Path) -> None:
    """As when the command is killed between storing and printing."""
    command = "key create lost --role admin"
    ended = printing_to(FULL, command, server=shared_server, home=tmp_path)
    assert ended.code == 1
    last = ended.errors.splitlines()[-1]
    assert last.startswith("tracker: standard output: No space left on device; the key 'lost'")
    for way_out in ("rotate", "revoke"):
        assert f"tracker key {way_out} lost" in last
        done = run("key", way_out, "lost", home=tmp_path, server=shared_server)
        assert done.returncode == 0, done.stderr


@needs_posix
def test_no_key_on_a_full_disk(tmp_path: Path) -> None:
    database = make_database(tmp_path, "a task")
    projects = [f"--project={number:0255}" for number in range(100)]  # more than there is room for
    create = ("key", "create", "k", "--role", "read", *projects, "--db", str(database))
    assert "disk is full" in line_of(run_with_file_limit(34_000, *create, home=tmp_path))
    listed = run("key", "list", "--json", "--db", str(database), home=tmp_path)
    assert (listed.returncode, listed.stdout) == (0, b"")
    assert is_whole(run(*create, home=tmp_path).stdout.decode().strip())


def test_on_a_terminal(server: Server, tmp_path: Path) -> None:
    terminal = Terminal("key", "create", "a", "--role", "read", home=tmp_path, server=server)
    try:
        secret = terminal.read_all().split()[-1]
    finally:
        terminal.close()
    assert is_whole(secret)
    assert status(server, secret) == 200


def test_after_a_kill_of_the_server(tmp_path: Path) -> None:
    """What it left in the WAL is there."""
    server = Server.start(tmp_path)
    run("key", "create", "a", "--role", "read", home=tmp_path, server=server)
    server.stop(signal.SIGKILL)
    done = run("key", "list", "--json", "--db", str(server.database), home=tmp_path)
    assert [one["name"] for one in json_lines(done.stdout)] == ["a"]


def test_help_and_completion(tmp_path: Path) -> None:
    done = run("key", "--help", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert all(word in done.stdout for word in (b"create", b"list", b"revoke", b"rotate"))
    for words in ("key cre", "key create --ro", "key create --role re", "audit --action key_c"):
        last = words.split(" ")[-1]
        variables = {
            "_TRACKER_COMPLETE": "bash_complete",
            "COMP_WORDS": f"tracker {words}",
            "COMP_CWORD": str(len(words.split())),
        }
        completed = run(home=tmp_path, variables=variables).stdout.decode()
        assert f",{last}" in completed, words
