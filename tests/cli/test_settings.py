"""The one table of settings: where a value comes from, what is refused, and the two keys."""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from tests.support.cli import run as run_command
from tests.support.server import Server
from tracker.auth import keys
from tracker.cli.group import cli
from tracker.config.settings import SETTINGS, Setting, Settings
from tracker.errors import ConfigError

LOCAL_ORIGINS = tuple(
    f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (3000, 5173, 8080)
)

# Variable, flag, default (README.md, "Settings").
CONTRACT = {
    "TRACKER_HOST": ("--host", "127.0.0.1"),
    "TRACKER_PORT": ("--port", 8000),
    "TRACKER_UNIX_SOCKET": ("--unix-socket", None),
    "TRACKER_TLS_CERT": ("--tls-cert", None),
    "TRACKER_TLS_KEY": ("--tls-key", None),
    "TRACKER_INSECURE": ("--insecure", False),
    "TRACKER_DB": ("--db", None),
    "TRACKER_READY_FILE": ("--ready-file", None),
    "API_KEY": ("--api-key", None),
    "SECRET_KEY": (None, None),
    "TRACKER_CORS_ORIGINS": ("--cors-origin", LOCAL_ORIGINS),
    "TRACKER_ALLOWED_HOSTS": ("--allowed-host", None),
    "TRACKER_RATE_LIMIT_WEBHOOK": ("--rate-limit-webhook", 100),
    "TRACKER_RATE_LIMIT_API": ("--rate-limit-api", 1000),
    "TRACKER_RATE_LIMIT_AGENTS": ("--rate-limit-agents", 6000),
    "TRACKER_STALE_AFTER": ("--stale-after", 900),
    "TRACKER_ROOT_PATH": ("--root-path", ""),
    "TRACKER_WS_PER_PROJECT": ("--ws-per-project", 10),
    "TRACKER_DURABILITY": ("--durability", "full"),
    "TRACKER_LOG_LEVEL": ("--log-level", "info"),
    "TRACKER_LOG_FORMAT": ("--log-format", "text"),
}

# Of each setting three values as they are written, and what the last one is then.
SAMPLES: dict[str, tuple[tuple[str, str, str], Any]] = {
    "host": (("::1", "localhost", "127.0.0.2"), "127.0.0.2"),
    "port": (("1", "2", "3"), 3),
    "unix_socket": (("a", "b", "c.sock"), "c.sock"),
    "tls_cert": (("a", "b", "c.pem"), "c.pem"),
    "tls_key": (("a", "b", "c.pem"), "c.pem"),
    "insecure": (("false", "no", "true"), True),
    "db": (("a.db", "b.db", ":memory:"), ":memory:"),
    "ready_file": (("a", "b", "c d"), "c d"),
    "api_key": (("a" * 20, "b" * 20, "c" * 20), "c" * 20),
    "secret_key": (("a" * 20, "b" * 20, "c" * 20), "c" * 20),
    "cors_origin": (("http://a", "http://b", "http://c"), ("http://c",)),
    "allowed_host": (("a", "b", "c"), ("c",)),
    "rate_limit_webhook": (("1", "2", "0"), 0),
    "rate_limit_api": (("1", "2", "0"), 0),
    "rate_limit_agents": (("1", "2", "0"), 0),
    "stale_after": (("1", "2", "0.5"), 0.5),
    "root_path": (("/a", "b/", "/c/d"), "/c/d"),
    "ws_per_project": (("1", "2", "0"), 0),
    "durability": (("full", "full", "normal"), "normal"),
    "log_level": (("info", "error", "debug"), "debug"),
    "log_format": (("text", "text", "json"), "json"),
    "ephemeral": (("false", "no", "true"), True),
    "idle_timeout": (("1", "2", "3"), 3),
    "retain_days": (("1", "2", "3"), 3),
    "retain_audit_days": (("1", "2", "3"), 3),
    "keep_messages": (("1", "2", "0"), 0),
    "retain_bytes": (("1", "2", "3"), 3),
    "prices": (("a", "b", "c.json"), "c.json"),
}

by_name = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)


class Started:
    """Runs `tracker serve` in this process, up to where the server would begin."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings: Settings | None = None
        self.warnings: list[str] = []
        self._dotenv = folder / ".env"
        monkeypatch.chdir(folder)
        for setting in SETTINGS:
            monkeypatch.delenv(setting.variable, raising=False)
        monkeypatch.setattr("tracker.server.run.run", self._run)

    def _run(self, _create_app: object, settings: Settings, *, warnings: list[str]) -> int:
        self.settings, self.warnings = settings, warnings
        return 0

    def __call__(
        self,
        *flags: str,
        variables: dict[str, str] | None = None,
        dotenv: dict[str, str] | None = None,
    ) -> Settings:
        lines = [f"{name}={value!r}\n" for name, value in (dotenv or {}).items()]
        self._dotenv.write_text("".join(lines), encoding="utf-8")
        result = self.invoke(*flags, variables=variables)
        assert result.exit_code == 0, result.output
        assert self.settings is not None
        return self.settings

    def invoke(self, *flags: str, variables: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(cli, ["serve", *flags], env=variables)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(tmp_path, monkeypatch)


def refusal(home: Path, *flags: str, **variables: str) -> tuple[int, str]:
    """Exit code and standard error of a server that does not start."""
    done = run_command("serve", "--port", "0", *flags, home=home, variables=variables)
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


# The table.


def test_table_is_the_contracts(started: Started) -> None:
    in_force = started()
    rows = {setting.variable: setting for setting in SETTINGS}
    for variable, (flag, default) in CONTRACT.items():
        setting = rows[variable]
        assert setting.flag == flag
        assert getattr(in_force, setting.name) == default


def test_every_row_has_its_place_and_every_place_its_row() -> None:
    names = [setting.name for setting in SETTINGS]
    assert names == [field.name for field in dataclasses.fields(Settings)]
    assert len({setting.variable for setting in SETTINGS}) == len(SETTINGS)
    assert set(names) == SAMPLES.keys(), "a setting without a test of where it comes from"


def test_help_tells_of_every_setting() -> None:
    result = CliRunner().invoke(cli, ["serve", "--help"], terminal_width=100)
    text = " ".join(result.output.split())
    for setting in SETTINGS:
        assert setting.variable in text
        if setting.flag is not None:
            assert f" {setting.flag} " in text
            assert f"[{setting.variable}; default: {setting.default}]" in text
            assert setting.help in text


def flags_of(setting: Setting, value: str) -> list[str]:
    if setting.switch:
        return [str(setting.flag)] if value == "true" else []
    return [str(setting.flag), value]


@by_name
def test_precedence(started: Started, setting: Setting) -> None:
    (third, second, first), expected = SAMPLES[setting.name]
    variable = setting.variable

    def value(*flags: str, **sources: dict[str, str]) -> Any:
        # `--ephemeral` sets others aside; see test_ephemeral.py. What any `.env` gives: below.
        if "dotenv" in sources and not setting.in_any_dotenv:
            sources["dotenv"] = {"TRACKER_DB": "own.db", **sources["dotenv"]}
        return getattr(started(*flags, **sources), setting.name)

    assert value() == getattr(Settings(), setting.name)
    assert value(dotenv={variable: first}) == expected
    assert value(dotenv={variable: second}, variables={variable: first}) == expected
    if setting.flag is not None:
        flags = flags_of(setting, first)
        told = value(*flags, variables={variable: second}, dotenv={variable: third})
        assert told == expected


@pytest.mark.parametrize("name", ["cors_origin", "allowed_host"])
def test_several_values(started: Started, name: str) -> None:
    (setting,) = [setting for setting in SETTINGS if setting.name == name]
    flag = str(setting.flag)
    assert getattr(started(flag, "http://a", flag, "b"), name) == ("http://a", "b")
    listed = started(variables={setting.variable: " http://a, b ,,"})
    assert getattr(listed, name) == ("http://a", "b")
    # A flag replaces the list, it does not add to it.
    assert getattr(started(flag, "c", variables={setting.variable: "a,b"}), name) == ("c",)


def test_an_ephemeral_server_has_nothing_of_one_that_stays(started: Started) -> None:
    """Its certificate is for another name, its socket another's, unless they are asked for."""
    names = ("TRACKER_PORT", "TRACKER_UNIX_SOCKET", "TRACKER_TLS_CERT", "TRACKER_TLS_KEY")
    variables = dict(zip(names, ("1", "a.sock", "a.pem", "b.pem"), strict=True))
    for sources in ({"variables": variables}, {"dotenv": {"TRACKER_DB": "own.db", **variables}}):
        assert started("--ephemeral", **sources) == Settings(ephemeral=True, port=0)
        told = started("--ephemeral", "--unix-socket", "c.sock", "--tls-cert", "c", **sources)
        assert told == Settings(ephemeral=True, port=0, unix_socket="c.sock", tls_cert="c")


def test_no_origin_at_all(started: Started) -> None:
    assert started(variables={"TRACKER_CORS_ORIGINS": ""}).cors_origin == ()


@pytest.mark.parametrize(
    ("variable", "wrong", "expected"),
    [
        ("TRACKER_PORT", "x", "a whole number from 0 to 65535"),
        ("TRACKER_PORT", "-1", "a whole number from 0 to 65535"),
        ("TRACKER_PORT", "65536", "a whole number from 0 to 65535"),
        ("TRACKER_PORT", "", "a whole number from 0 to 65535"),
        ("TRACKER_RATE_LIMIT_WEBHOOK", "-1", "a whole number from 0 to"),
        ("TRACKER_RATE_LIMIT_API", "many", "a whole number from 0 to"),
        ("TRACKER_WS_PER_PROJECT", "1.5", "a whole number from 0 to"),
        ("TRACKER_DURABILITY", "off", "one of full, normal"),
        ("TRACKER_LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("TRACKER_LOG_FORMAT", "xml", "one of text, json"),
    ],
)
def test_wrong_value(started: Started, variable: str, wrong: str, expected: str) -> None:
    """Of a variable it is a wrong configuration, of a flag wrong usage."""
    told = started.invoke(variables={variable: wrong})
    assert isinstance(told.exception, ConfigError)
    assert told.exception.exit_code == 78
    assert str(told.exception).startswith(f"{variable}: expected {expected}")
    (setting,) = [setting for setting in SETTINGS if setting.variable == variable]
    told = started.invoke(str(setting.flag), wrong)
    assert told.exit_code == 2
    if not wrong.startswith("-"):  # that click takes for a flag
        assert f"expected {expected}" in " ".join(told.output.split())
    assert started.settings is None


def test_wrong_value_is_one_line(tmp_path: Path) -> None:
    code, line = refusal(tmp_path, TRACKER_DURABILITY="off")
    assert (code, line) == (
        78,
        "tracker: TRACKER_DURABILITY: expected one of full, normal (from environment)\n",
    )


@pytest.mark.parametrize("flags", [["--nonsense"], ["--durability", "off"], ["extra"]], ids=str)
def test_wrong_usage(tmp_path: Path, flags: list[str]) -> None:
    code, text = refusal(tmp_path, *flags)
    assert code == 2
    assert "Usage: tracker serve" in text


def test_dotenv_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"API_KEY=\xff\xfe")
    code, line = refusal(tmp_path)
    assert code == 78
    assert line.startswith("tracker: .env: cannot be read: ")
    assert line.count("\n") == 1


def test_dotenv_of_other_programs_does_not_matter(started: Started) -> None:
    theirs = {"PORT": "1", "DATABASE_URL": "postgres://", "HOST": "0.0.0.0"}
    assert started(dotenv={**theirs, "TRACKER_RATE_LIMIT_API": "7"}) == Settings(rate_limit_api=7)
    assert started.warnings == []


def test_keys_do_not_show(started: Started) -> None:
    settings = started("--api-key", "a-key-never-shown", variables={"SECRET_KEY": "secret-key-1"})
    assert "a-key-never-shown" not in repr(settings)
    assert "secret-key-1" not in repr(settings)
    assert "a-key" not in repr(keys.Keys("a-key", "b-key"))


def test_empty_list_of_hosts_is_none(start_server: Callable[..., Server]) -> None:
    server = start_server(variables={"TRACKER_ALLOWED_HOSTS": ""})
    assert server.http.get("/api/projects").status_code == 200


@pytest.mark.parametrize("name", ["", "missing/ready.json", "."], ids=repr)
def test_ready_file_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    database = tmp_path / "tracker.db"
    code, line = refusal(tmp_path, "--db", str(database), TRACKER_READY_FILE=name)
    assert code == 78
    assert line.count("\n") == 1
    assert ("--ready-file" if name == "" else str(tmp_path)) in line
    assert not database.exists()


# Keys.


def test_keys_are_made_once_and_kept(start_server: Callable[..., Server]) -> None:
    server = start_server(key=None)
    files = [server.folder / f"tracker.db.{name}" for name in ("api-key", "secret-key")]
    made = [path.read_text(encoding="utf-8") for path in files]
    for path, key in zip(files, made, strict=True):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(key.strip()) >= 32
    assert made[0] != made[1]

    def opens(running: Server, key: str) -> bool:
        headers = {"X-API-Key": key.strip()}
        return httpx.get(f"{running.url}/api/stats", headers=headers).status_code == 200

    assert opens(server, made[0])
    assert not opens(server, made[1])
    server.stop()
    again = start_server(key=None, db=str(server.database))
    assert [path.read_text(encoding="utf-8") for path in files] == made
    assert opens(again, made[0])


def test_key_that_is_given_is_not_kept(server: Server) -> None:
    names = {path.name for path in server.folder.iterdir()}
    assert "tracker.db.secret-key" in names
    assert "tracker.db.api-key" not in names


def test_databases_have_keys_of_their_own(start_server: Callable[..., Server]) -> None:
    servers = [start_server(key=None) for _ in range(2)]
    made = [(s.folder / "tracker.db.api-key").read_text(encoding="utf-8") for s in servers]
    assert made[0] != made[1]


LOOPBACK = ("127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST")
BEYOND = ("0.0.0.0", "::", "192.168.1.2", "10.0.0.1", "example.com", "localhost.example.com", "")
SAMPLE_KEYS = ("<your-api-key>", "your-secure-api-key", "your-secure-secret-key")


def refused(host: str, **given: str) -> str | None:
    """Why the keys are refused; None if they are not."""
    try:
        keys.check(Settings(host=host, **given))  # type: ignore[arg-type]
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", ["api_key", "secret_key"])
@pytest.mark.parametrize("host", [*LOOPBACK, *BEYOND])
def test_weak_keys(name: str, host: str) -> None:
    def reason(key: str) -> str | None:
        return refused(host, **{name: key})

    for short in ("", " ", "1234567"):
        assert str(reason(short)).startswith(f"{name.upper()}: ")
        assert "8 characters" in str(reason(short))
    assert reason("0123456789abcdef") is None
    for weak in ("12345678", "0123456789abcde", "your-api-key", *SAMPLE_KEYS):
        if host in LOOPBACK:
            assert reason(weak) is None
        else:
            assert "16 characters" in str(reason(weak))


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (["--api-key", ""], {}),
        ([], {"SECRET_KEY": "1234567"}),
        (["--host", "0.0.0.0"], {"API_KEY": "your-secure-api-key"}),
    ],
    ids=str,
)
def test_weak_key_stops_the_server(
    tmp_path: Path, flags: list[str], variables: dict[str, str]
) -> None:
    code, line = refusal(tmp_path, "--db", str(tmp_path / "tracker.db"), *flags, **variables)
    assert code == 78
    assert line.count("\n") == 1
    assert not any(key in line for key in variables.values())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "kept", "says"),
    [
        ("127.0.0.1", "short", "8 characters"),
        ("127.0.0.1", "", "8 characters"),
        ("0.0.0.0", "0123456789", "16 characters"),
        ("0.0.0.0", "your-secure-api-key", "16 characters"),
    ],
)
def test_weak_key_in_the_kept_file(tmp_path: Path, host: str, kept: str, says: str) -> None:
    """Someone may have put one of their own there."""
    database = tmp_path / "tracker.db"
    path = tmp_path / "tracker.db.api-key"
    path.write_text(kept, encoding="utf-8")
    code, line = refusal(tmp_path, "--host", host, "--db", str(database))
    assert code == 78
    assert line.startswith(f"tracker: {path}: ")
    assert says in line
    assert path.read_text(encoding="utf-8") == kept


def test_own_key_in_the_kept_file(start_server: Callable[..., Server], tmp_path: Path) -> None:
    folder = tmp_path / "server0"
    folder.mkdir()
    (folder / "tracker.db.api-key").write_text("my own key 123\n", encoding="utf-8")
    server = start_server(key=None)
    headers = {"X-API-Key": "my own key 123"}
    assert httpx.get(f"{server.url}/api/stats", headers=headers).status_code == 200


def test_unreadable_kept_key(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db.api-key"
    path.write_bytes(b"\xff\xfe")
    code, line = refusal(tmp_path, "--db", str(tmp_path / "tracker.db"))
    assert code == 78
    assert str(path) in line
