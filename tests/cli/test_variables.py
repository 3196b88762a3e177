"""What counts of a `.env`, in every combination; files that are none; names that are wrong."""

from __future__ import annotations

import itertools
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_task_tracker.credentials import ExplicitKey, MissingKey, StoredKey
from agent_task_tracker.errors import ClientError
from agent_task_tracker.keys import is_generated, kept_in
from tests.support.cli import run, run_here
from tests.support.platforms import needs_posix
from tests.support.trap import Trap
from tracker.cli.command_table import COMMANDS
from tracker.cli.discovery import find
from tracker.config.settings import SETTINGS, Setting, default_database
from tracker.config.variables import DotEnv, filter_dotenv, unknown_variables

USERS = "the-users-own-key"
STRANGERS = "a-key-of-the-stranger"


def made() -> str:
    return next(key for key in iter(lambda: secrets.token_urlsafe(32), "") if is_generated(key))


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in the home of a user who has a default database with a key of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    keep_key(default_database(), made())
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def keep_key(database: Path, key: str) -> None:
    database.parent.mkdir(parents=True, exist_ok=True)
    kept_in(database).write_text(key, encoding="utf-8")


# Which setting any `.env` may give.


def test_any_env_gives_keys_and_limits_and_nothing_that_opens_or_names_or_removes() -> None:
    assert {setting.name for setting in SETTINGS if setting.in_any_dotenv} == {
        *("api_key", "secret_key", "rate_limit_webhook", "rate_limit_api", "ws_per_project"),
        *("rate_limit_agents", "stale_after", "log_level", "log_format", "idle_timeout"),
    }


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_each_setting_of_a_strangers_env(cwd: Path, setting: Setting) -> None:
    name, anyones = setting.variable, setting.in_any_dotenv
    dotenv = DotEnv(cwd, {name: "/elsewhere" if setting.name == "db" else "1"})
    trusted, ignored = filter_dotenv(dotenv, {}, {})
    assert (name in trusted, ignored) == (anyones, [] if anyones else [name])
    if setting.name == "db":
        return
    own = DotEnv(cwd, {"TRACKER_DB": "own.db", **dotenv.values})
    assert filter_dotenv(own, {}, {}) == (own.values, [])
    assert filter_dotenv(own, {"TRACKER_DB": str(cwd / "own.db")}, {}) == (own.values, [])
    for environment, flags in (
        ({"TRACKER_DB": "/elsewhere/own.db"}, {}),
        ({}, {"db": ":memory:"}),
        ({"TRACKER_EPHEMERAL": "true"}, {}),
    ):
        assert (name in filter_dotenv(own, environment, flags)[0]) == anyones
    assert filter_dotenv(dotenv, {}, {setting.name: "told"} if setting.flag else {})[1] == []


@pytest.mark.parametrize(
    ("name", "own"),
    [
        *(("tracker.db", True), ("./data/tracker.db", True), ("data/../tracker.db", True)),
        *(("../tracker.db", False), ("data/../../tracker.db", False), ("/tmp/tracker.db", False)),
        *((".", False), ("", False), (":memory:", False), ("a\0b", False), ("~/t.db", True)),
        *(("../repository-2/tracker.db", False), ("../repository/tracker.db", True)),
    ],
)
def test_which_database_is_an_envs_own(cwd: Path, name: str, own: bool) -> None:
    assert (DotEnv(cwd, {"TRACKER_DB": name}).own_database is not None) == own


@needs_posix
@pytest.mark.parametrize(
    "variable",
    ["TRACKER_READY_FILE", "TRACKER_UNIX_SOCKET", "TRACKER_TLS_CERT", "TRACKER_TLS_KEY"],
)
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        *(("ready.json", True), ("run/ready.json", True), ("../.bashrc", False)),
        *(("/etc/passwd", False), ("linked/ready.json", False), ("link.json", False)),
    ],
)
def test_no_env_has_files_outside_its_folder_overwritten(
    cwd: Path, name: str, counts: bool, variable: str
) -> None:
    """The server replaces and removes the ready file and the socket; it must read no key there."""
    (cwd / "linked").symlink_to(cwd.parent)
    (cwd / "link.json").symlink_to(cwd.parent / ".bashrc")
    dotenv = DotEnv(cwd, {"TRACKER_DB": "own.db", variable: name})
    trusted, ignored = filter_dotenv(dotenv, {}, {})
    assert (variable in trusted) == counts
    assert ignored == ([] if counts else [variable])


@needs_posix
@pytest.mark.parametrize("link", ["", "-wal", "-shm", "-journal", ".api-key", ".lock", "-WAL"])
def test_a_database_with_a_link_beside_it_is_nobodys_own(cwd: Path, link: str) -> None:
    """SQLite would write through it, a key would be another's."""
    (cwd / f"tracker.db{link}").symlink_to(cwd.parent / "something-of-the-users")
    assert DotEnv(cwd, {"TRACKER_DB": "tracker.db"}).own_database is None


# Where clients go, with which key.

READY_FILES = {
    "ready.json": {"url": "http://stranger.example:6666"},
    "ready-here.json": {"url": "http://127.0.0.1:6666"},
    "ready-key.json": {"url": "http://stranger.example:6666", "key": STRANGERS},
}
HERE = ("http://127.0.0.1:6666", "unix:stranger.sock")
CHOICES: dict[str, tuple[str | None, ...]] = {
    "TRACKER_URL": (None, "", "http://stranger.example:6666", "http://127.0.0.1:6666"),
    "TRACKER_READY_FILE": (None, *READY_FILES),
    "TRACKER_HOST": (None, "stranger.example"),
    "TRACKER_PORT": (None, "6666"),
    "TRACKER_UNIX_SOCKET": (None, "stranger.sock"),
    "API_KEY": (None, "", STRANGERS),
    "TRACKER_DB": (None, "own.db", "keyless.db", "DEFAULT"),
}


def combinations(cwd: Path) -> Iterator[DotEnv]:
    for values in itertools.product(*CHOICES.values()):
        given = {n: v for n, v in zip(CHOICES, values, strict=True) if v is not None}
        if given.get("TRACKER_DB") == "DEFAULT":
            given["TRACKER_DB"] = str(default_database())
        yield DotEnv(cwd, given)


@pytest.mark.parametrize("users", ["flag", "environment", "kept"])
def test_no_users_key_goes_to_a_strangers_address_whatever_an_env_holds(
    cwd: Path, users: str
) -> None:
    for name, content in READY_FILES.items():
        ready = {**content, "db": str(default_database())}
        (cwd / name).write_text(json.dumps(ready), encoding="utf-8")
    own = made()
    keep_key(cwd / "own.db", own)
    flag = USERS if users == "flag" else None
    chosen = {"API_KEY": USERS} if users == "environment" else {}
    went = set()
    for dotenv in combinations(cwd):
        found = find(chosen, dotenv, api_key=flag)
        key = getattr(found.credentials, "_key", None)
        if "6666" not in found.url and "stranger" not in found.url:
            assert dotenv.values.get("TRACKER_URL") in (None, "") or found.ignored, dotenv
            continue
        went.add(key)
        assert key in (STRANGERS, own) or (
            isinstance(found.credentials, MissingKey) and found.url in HERE
        ), dotenv
        assert key != own or found.url in HERE
    assert went == ({STRANGERS, own, None} if users == "kept" else set())
    # What the environment says goes before.
    for dotenv in combinations(cwd):
        told = find({**chosen, "TRACKER_URL": "http://127.0.0.1:1"}, dotenv, api_key=flag)
        assert told.url == "http://127.0.0.1:1"


def test_an_own_database_is_found_with_its_key(cwd: Path) -> None:
    key = made()
    keep_key(cwd / "own.db", key)
    dotenv = DotEnv(cwd, {"TRACKER_DB": "own.db", "TRACKER_PORT": "7777"})
    found = find({}, dotenv)
    assert (found.url, found.ignored) == ("http://127.0.0.1:7777", ())
    assert isinstance(found.credentials, StoredKey)
    with_key = find({}, DotEnv(cwd, {**dotenv.values, "API_KEY": STRANGERS}))
    assert (with_key.url, with_key.ignored) == ("http://127.0.0.1:7777", ())
    assert isinstance(with_key.credentials, ExplicitKey)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"{}", b'{"url": 1}', b"\xff", b"[" * 10_000, b" " * 70_000),
        *(b'{"url": "http://[::1"}', b'{"url": "http://127.0.0.1:99999"}', b'{"url": "file:///"}'),
    ],
    ids=lambda content: content[:30],
)
def test_what_is_no_ready_file(cwd: Path, content: bytes) -> None:
    (cwd / "ready.json").write_bytes(content)
    with pytest.raises(ClientError):
        find({}, DotEnv(cwd), ready_file="ready.json").client(0)


@pytest.mark.parametrize("database", [1, [], "", ":memory:", "a\0b", "/", "."])
def test_a_ready_file_with_a_database_that_is_none(cwd: Path, database: object) -> None:
    ready = {"url": "http://127.0.0.1:1", "key": [], "db": database}
    (cwd / "ready.json").write_text(json.dumps(ready), encoding="utf-8")
    found = find({}, DotEnv(cwd), ready_file="ready.json")
    assert isinstance(found.credentials, MissingKey)


def test_a_kept_key_that_a_person_chose_is_not_sent_by_itself(cwd: Path) -> None:
    keep_key(cwd / "own.db", "my own key 123")
    done = run("stats", home=cwd, variables={"TRACKER_DB": "own.db", "TRACKER_URL": dead_end()})
    assert done.returncode == 69  # nobody is there
    with Trap() as trap:
        variables = {"TRACKER_DB": "own.db", "TRACKER_URL": trap.url}
        done = run("stats", home=cwd, variables=variables)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"set API_KEY" in done.stderr
    assert trap.received == b""


def dead_end() -> str:
    with Trap() as gone:
        return gone.url


# Files that are none.


@needs_posix
@pytest.mark.parametrize("command", ["serve", "ls", "backup"])
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device", "large", "not UTF-8"])
def test_an_env_that_cannot_be_read(tmp_path: Path, kind: str, command: str) -> None:
    path = tmp_path / ".env"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "link to a device":
            (tmp_path / "link").symlink_to("/dev/tty")
            path.symlink_to("link")
        case "large":
            path.write_text("A=1\n" * 20_000)
        case "not UTF-8":
            path.write_bytes(b"API_KEY=\xff\xfe")
    done = run(command, *(["copy.db"] if command == "backup" else []), home=tmp_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (78, 1)
    assert done.stderr.startswith(b"tracker: .env: cannot be read: ")


TASK = ("--project", "p", "--task", "T")
WITH_ENV = {
    "serve": (), "start": TASK, "status": TASK, "finish": TASK, "error": (*TASK, "--message", "m"),
    "ls": (), "show": ("p", "t"), "stats": (), "tail": (), "wait": ("--ready",), "report": (),
    "backup": ("b.db",), "restore": ("b.db",), "prune": ("--older-than", "1d"), "export": (),
    "import": ("-",), "demo": (), "key": ("list",), "audit": (),
    "flush": (), "connect": ("claude-code", "--anyway"), "agents": (), "uninstall": ("--yes",),
    "open": (), "rm": ("p", "--yes"),
}  # fmt: skip
WITHOUT_ENV = {
    **{"completion": ("bash",), "licenses": (), "version": (), "disconnect": ("claude-code",)},
}
VARIANTS = [
    *((command, *arguments) for command, arguments in WITH_ENV.items()),
    *(("wait", "--all-finished"), ()),
]


def test_no_command_is_left_out_of_these() -> None:
    # These end for none: tests/faults/test_reporting_without_server.py, tests/cli/test_hook.py,
    # tests/cli/test_mcp.py; or say what else is wrong, too: tests/cli/test_doctor.py
    others = ("run", "hook", "mcp", "doctor")
    assert sorted({**WITH_ENV, **WITHOUT_ENV, **dict.fromkeys(others)}) == sorted(COMMANDS)


@pytest.mark.parametrize("command", VARIANTS, ids=" ".join)
def test_an_env_that_is_no_text_is_one_line(cwd: Path, command: tuple[str, ...]) -> None:
    (cwd / ".env").write_bytes(b"API_KEY=\xff\xfe")
    done = run_here(*command, home=cwd)
    assert (done.code, done.stdout, done.stderr.count("\n")) == (78, "", 1)
    assert done.stderr.startswith("tracker: .env: cannot be read: ")
    assert [path.name for path in cwd.iterdir()] == [".env"]


@pytest.mark.parametrize(("command", "arguments"), WITHOUT_ENV.items())
def test_an_env_that_is_no_text_stops_no_command_without_one(
    cwd: Path, command: str, arguments: tuple[str, ...]
) -> None:
    (cwd / ".env").write_bytes(b"API_KEY=\xff\xfe")
    done = run_here(command, *arguments, home=cwd)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout


def test_lines_that_are_not_understood_are_said_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TRACKER_URL=" + dead_end() + "\nAPI_KEY=a-key\n" + "=\n" * 9000)
    done = run("stats", home=tmp_path)
    assert done.returncode == 69  # the rest is read
    assert done.stderr.splitlines()[0] == b"tracker: warning: .env: line 3 cannot be understood"
    assert done.stderr.count(b"\n") == 2


def test_a_folder_of_that_name_is_none(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    done = run("wait", "--ready", "--timeout", "0", "--url", dead_end(), home=tmp_path)
    assert done.returncode == 75
    assert b".env" not in done.stderr


# Names that are wrong.


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("TRACKER_PROT", "TRACKER_PORT"),
        ("TRACKER_READYFILE", "TRACKER_READY_FILE"),
        ("TRACKER_CORS_ORIGIN", "TRACKER_CORS_ORIGINS"),
        ("TRACKER_ADDRESS_OF_THE_SERVER", "TRACKER_"),
    ],
)
def test_the_nearest_name(name: str, nearest: str) -> None:
    (line,) = unknown_variables(
        [name, "TRACKER_PORT", "TRACKER_URL", "TRACKER_AGENT", "PATH", "API_KEY"]
    )
    assert line.startswith(f"{name}: ")
    assert nearest in line.partition("nearest is ")[2]


def test_a_strangers_thousand_names_are_few_lines() -> None:
    lines = list(unknown_variables(f"TRACKER_{'X' * 1000}{number}" for number in range(1000)))
    assert len(lines) == 10
    assert max(map(len, lines)) < 200


@pytest.mark.parametrize("command", ["serve", "stats", "doctor"])
def test_a_wrong_name_is_said_and_not_obeyed(tmp_path: Path, command: str) -> None:
    (tmp_path / ".env").write_text("'TRACKER_\x1b[31mRED'=1\n", encoding="utf-8")
    flags = {"serve": ("--db", str(tmp_path / "none" / "t.db"))}.get(command, ("--url", dead_end()))
    variables = {"TRACKER_LOGLEVEL": "debug"}
    done = run(command, *flags, home=tmp_path, variables=variables)
    lines = done.stderr.decode().splitlines()
    assert sum("TRACKER_LOGLEVEL" in line for line in lines) == 1
    assert sum("TRACKER_LOG_LEVEL" in line for line in lines) == 1
    assert "\x1b" not in done.stderr.decode()
