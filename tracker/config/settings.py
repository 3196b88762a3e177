"""The one table of settings; flags, environment, help and README follow from it.

Precedence (docs/contract.md, "Command line and settings"): flag > environment > `.env` > default.
Which variables of a `.env` count is decided by `tracker.config.variables`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import platformdirs

from tracker.errors import ConfigError

Durability = Literal["full", "normal"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]

_FRONTEND_PORTS = (3000, 5173, 8080)
_LOCAL_ORIGINS = tuple(
    f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in _FRONTEND_PORTS
)


@dataclass(frozen=True)
class Settings:
    """The server's settings; None: not set. `repr` does not show keys."""

    host: str = "127.0.0.1"
    port: int = 8000
    unix_socket: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    insecure: bool = False
    db: str | None = None
    ready_file: str | None = None
    api_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    cors_origin: tuple[str, ...] = _LOCAL_ORIGINS
    allowed_host: tuple[str, ...] | None = None
    rate_limit_webhook: int = 100
    rate_limit_api: int = 1000
    rate_limit_agents: int = 6000
    stale_after: float = 900
    root_path: str = ""
    ws_per_project: int = 10
    durability: Durability = "full"
    retain_days: float = 0
    retain_bytes: int = 0
    retain_audit_days: float = 365
    keep_messages: float = 14
    prices: str | None = None
    log_level: LogLevel = "info"
    log_format: LogFormat = "text"
    ephemeral: bool = False
    idle_timeout: int = 0


@dataclass(frozen=True)
class Setting:
    """One row of the table. `parse` raises ValueError, whose text says what is expected."""

    name: str
    variable: str
    help: str
    parse: Callable[[str], Any] = str
    metavar: str = "TEXT"
    flag: str | None = None  # None: no flag, the variable only
    repeats: bool = False
    switch: bool = False  # the flag takes no value
    # Whether any `.env` may set it, also a stranger's: it opens nothing to others, and neither
    # names nor removes data. If not, see `tracker.config.variables`.
    in_any_dotenv: bool = False
    default_text: str | None = None

    @property
    def default(self) -> str:
        """The default as the help and the README show it."""
        if self.default_text is not None:
            return self.default_text
        value = Settings.__dataclass_fields__[self.name].default
        return ",".join(value) if isinstance(value, tuple) else str(value)


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return parse


def _choice(choices: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return parse


def _boolean(text: str) -> bool:
    if text.lower() not in ("1", "true", "yes", "on", "0", "false", "no", "off", ""):
        raise ValueError("true or false")
    return text.lower() in ("1", "true", "yes", "on")


def _number(most: float, expected: str) -> Callable[[str], float]:
    """From 0 on."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1
        if not 0 <= number <= most:
            raise ValueError(expected)
        return number

    return parse


def _prefix(text: str) -> str:
    """Without a slash at its end; empty: none."""
    path = "/" + text.strip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*|/", path) or {".", ".."} & set(path.split("/")):
        raise ValueError("a path such as /tracker: letters, digits, . _ ~ - and slashes")
    if path in _OWN_ADDRESSES:
        raise ValueError(f"a path such as /tracker: addresses under {path} are the tracker's own")
    return path.rstrip("/")


# Since everything is served without the prefix too, /api/projects would have two meanings.
_OWN_ADDRESSES: Final = frozenset({"/api", "/hooks", "/mcp", "/v1", "/webhook", "/ws"})


_days = _number(100_000, "a number of days")
_seconds = _number(30 * 86_400, "a number of seconds, at most 30 days")


_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str) -> int:
    """`500MB` or `2G` in bytes; K, M, G and T count by 1024. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError("a size such as 500MB or 2GB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def _setting(name: str, variable: str, help_: str, **rest: Any) -> Setting:
    return Setting(name, variable, help_, flag=f"--{name.replace('_', '-')}", **rest)


_COUNT = _integer(0, 1_000_000_000)

SETTINGS: tuple[Setting, ...] = (
    _setting("host", "TRACKER_HOST", "Address to bind.", metavar="ADDRESS"),
    _setting(
        "port",
        "TRACKER_PORT",
        "Port to bind; 0 takes a free one.",
        parse=_integer(0, 65_535),
        metavar="PORT",
    ),
    _setting(
        "unix_socket",
        "TRACKER_UNIX_SOCKET",
        "Also listen on this Unix socket, for the server's own user only.",
        metavar="FILE",
        default_text="none",
    ),
    _setting(
        "tls_cert",
        "TRACKER_TLS_CERT",
        "Serve HTTPS with this certificate in PEM; reloaded when the file changes.",
        metavar="FILE",
        default_text="none: HTTP",
    ),
    _setting(
        "tls_key",
        "TRACKER_TLS_KEY",
        "The certificate's private key in PEM, without a passphrase.",
        metavar="FILE",
        default_text="none",
    ),
    _setting(
        "insecure",
        "TRACKER_INSECURE",
        "Do not warn that other machines can reach the server without TLS.",
        parse=_boolean,
        switch=True,
        default_text="false",
    ),
    _setting(
        "db",
        "TRACKER_DB",
        "Database file; :memory: keeps nothing (CI).",
        metavar="FILE",
        default_text="tracker.db in the user's data directory",
    ),
    _setting(
        "ready_file",
        "TRACKER_READY_FILE",
        "Once listening, write the address as JSON to this file (never the key).",
        metavar="FILE",
        default_text="none",
    ),
    _setting(
        "api_key",
        "API_KEY",
        "The master key, at least 8 characters; prefer the variable, flags show in process lists.",
        metavar="KEY",
        default_text="made on first run, kept beside the database",
        in_any_dotenv=True,
    ),
    Setting(
        "secret_key",
        "SECRET_KEY",
        "Signs browser sessions.",
        metavar="KEY",
        default_text="made on first run, kept beside the database",
        in_any_dotenv=True,
    ),
    _setting(
        "cors_origin",
        "TRACKER_CORS_ORIGINS",
        "Frontend of another origin that browsers may use the API from; * for any.",
        metavar="ORIGIN",
        repeats=True,
        default_text="http://localhost and http://127.0.0.1, ports 3000, 5173 and 8080",
    ),
    _setting(
        "allowed_host",
        "TRACKER_ALLOWED_HOSTS",
        "Name accepted in the Host header besides these; * for any.",
        metavar="NAME",
        repeats=True,
        default_text="loopback names and the bound address; bound beyond loopback: any",
    ),
    _setting(
        "rate_limit_webhook",
        "TRACKER_RATE_LIMIT_WEBHOOK",
        "Webhooks a minute and key; 0: no limit.",
        parse=_COUNT,
        metavar="N",
        in_any_dotenv=True,
    ),
    _setting(
        "rate_limit_api",
        "TRACKER_RATE_LIMIT_API",
        "REST requests a minute and key; 0: no limit.",
        parse=_COUNT,
        metavar="N",
        in_any_dotenv=True,
    ),
    _setting(
        "rate_limit_agents",
        "TRACKER_RATE_LIMIT_AGENTS",
        "Payloads of agents that are plugged in, a minute and key; 0: no limit.",
        parse=_COUNT,
        metavar="N",
        in_any_dotenv=True,
    ),
    _setting(
        "stale_after",
        "TRACKER_STALE_AFTER",
        "Seconds without a report after which a running task is silent; 0: never, unless it says "
        "so itself.",
        parse=_seconds,
        metavar="SECONDS",
        in_any_dotenv=True,
    ),
    _setting(
        "root_path",
        "TRACKER_ROOT_PATH",
        "Prefix under which everything is served too, as behind a proxy that has it: /tracker.",
        parse=_prefix,
        metavar="PATH",
        default_text="none",
    ),
    _setting(
        "ws_per_project",
        "TRACKER_WS_PER_PROJECT",
        "Open WebSockets a project; 0: no limit.",
        parse=_COUNT,
        metavar="N",
        in_any_dotenv=True,
    ),
    _setting(
        "durability",
        "TRACKER_DURABILITY",
        "full: a 2xx means fsynced; normal: survives a crash of the process, not of the machine.",
        parse=_choice(get_args(Durability)),
        metavar="MODE",
    ),
    _setting(
        "retain_days",
        "TRACKER_RETAIN_DAYS",
        "Remove tasks this many days after they ended, with their events; 0: keep them.",
        parse=_days,
        metavar="DAYS",
    ),
    _setting(
        "retain_bytes",
        "TRACKER_RETAIN_BYTES",
        "Remove the oldest ended tasks while the database is larger than this; 0: keep them.",
        parse=parse_size,
        metavar="SIZE",
    ),
    _setting(
        "retain_audit_days",
        "TRACKER_RETAIN_AUDIT_DAYS",
        "Remove entries of the audit log after so many days; 0: keep them.",
        parse=_days,
        metavar="DAYS",
    ),
    _setting(
        "keep_messages",
        "TRACKER_KEEP_MESSAGES",
        "Remove what plugged-in agents told between a task's start and end, this many days after "
        "it ended; 0: keep it.",
        parse=_days,
        metavar="DAYS",
    ),
    _setting(
        "prices",
        "TRACKER_PRICES",
        "What models cost, as JSON: dollars for a million tokens. Where no cost is told, it is "
        "estimated by these.",
        metavar="FILE",
        default_text="none",
    ),
    _setting(
        "log_level",
        "TRACKER_LOG_LEVEL",
        "debug, info, warning or error.",
        parse=_choice(get_args(LogLevel)),
        metavar="LEVEL",
        in_any_dotenv=True,
    ),
    _setting(
        "log_format",
        "TRACKER_LOG_FORMAT",
        "text for people, json for machines.",
        parse=_choice(get_args(LogFormat)),
        metavar="FORMAT",
        in_any_dotenv=True,
    ),
    _setting(
        "ephemeral",
        "TRACKER_EPHEMERAL",
        "For CI and tests: a free port unless --port is given, a temporary database that is "
        "removed at the end, the key in the ready file (readable by its owner only).",
        parse=_boolean,
        switch=True,
        default_text="false",
    ),
    _setting(
        "idle_timeout",
        "TRACKER_IDLE_TIMEOUT",
        "Stop after so many seconds without requests and open streams; 0: never.",
        parse=_COUNT,
        metavar="SECONDS",
        in_any_dotenv=True,
    ),
)


_KEYS = ("api_key", "secret_key")

# An ephemeral server takes these from flags only: variables mean the permanent server, whose
# certificate is for another name. The database not even from a flag.
NOT_EPHEMERAL = ("port", "db", "unix_socket", "tls_cert", "tls_key")


def default_database() -> Path:
    """The database's file in the user's data directory; neither is made here. Raises ConfigError:
    the user has no home, as in containers that run as any user."""
    try:
        return platformdirs.user_data_path("agent-task-tracker", appauthor=False) / "tracker.db"
    except RuntimeError:
        raise ConfigError(
            "this user has no home folder for a database; set HOME, or name one by --db or "
            "TRACKER_DB"
        ) from None


def load(
    flags: Mapping[str, Any], environment: Mapping[str, str], dotenv: Mapping[str, str | None]
) -> Settings:
    """The settings in force. `flags` holds parsed values by name, None where not given.

    Raises:
        ConfigError: a variable's value is not what its setting takes.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        value = flags.get(setting.name)
        if value is not None:
            values[setting.name] = value
            continue
        text = environment.get(setting.variable, dotenv.get(setting.variable))
        if text is not None:
            values[setting.name] = _parse(setting, text, source(setting, environment, dotenv))
    if values.get("ephemeral"):
        values |= {name: flags.get(name) for name in NOT_EPHEMERAL}
        values["port"] = values["port"] or 0
        if flags.get("db") is not None:
            raise ConfigError("--ephemeral keeps nothing: leave out --db, or --ephemeral")
    return Settings(**values)


def faults(environment: Mapping[str, str], dotenv: Mapping[str, str | None]) -> dict[str, str]:
    """What is wrong with values, by the variable."""
    found = {}
    for setting in SETTINGS:
        try:
            text = environment.get(setting.variable, dotenv.get(setting.variable))
            if text is not None:
                _parse(setting, text, source(setting, environment, dotenv))
        except ConfigError as error:
            found[setting.variable] = str(error)
    return found


def not_default(settings: Settings) -> dict[str, Any]:
    """What differs from the defaults, by name, without the keys."""
    given = {setting.name: getattr(settings, setting.name) for setting in SETTINGS}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if name not in _KEYS and value != getattr(Settings, name)
    }


def source(
    setting: Setting, environment: Mapping[str, str], dotenv: Mapping[str, str | None]
) -> str:
    """The source of a setting that no flag gives."""
    if setting.variable in environment:
        return "environment"
    return ".env" if dotenv.get(setting.variable) is not None else "default"


def _parse(setting: Setting, text: str, origin: str) -> Any:
    try:
        if setting.repeats:
            return tuple(setting.parse(part) for item in text.split(",") if (part := item.strip()))
        return setting.parse(text)
    except ValueError as error:
        raise ConfigError(f"{setting.variable}: expected {error} (from {origin})") from None
