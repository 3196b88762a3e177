"""`tracker doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from agent_task_tracker.errors import ClientError
from agent_task_tracker.folders import spool_folder
from agent_task_tracker.spool import Spool
from tracker.agents.connect.ledger import Ledger, ledger_file
from tracker.auth.keys import exposure, faults
from tracker.cli import env_file
from tracker.cli.agent_states import AgentStates
from tracker.cli.connect import place_of
from tracker.cli.connection import with_options
from tracker.cli.database import as_json, database_of, with_database
from tracker.cli.doctor_report import print_report
from tracker.cli.output import print_json
from tracker.cli.progress import progress
from tracker.cli.reporting import discover_by
from tracker.clock import MS_PER_DAY, SystemClock, iso
from tracker.config.paths import locate_ready_file
from tracker.config.settings import SETTINGS, Settings, source
from tracker.errors import StartupError

UNREACHABLE = 69

_SECRETS = ("api_key", "secret_key")

# Keys that end within so many milliseconds are told of.
_SOON = 7 * MS_PER_DAY


@click.command()
@with_database
@with_options
@as_json
def doctor(
    *,
    db: str | None,
    url: str | None,
    ready_file: str | None,
    api_key: str | None,
    ca_file: str | None,
    as_json: bool,
) -> None:
    """Look for what is wrong: settings, database, connection.

    Shows the settings in force and where each comes from, never a key; reads the whole database and
    counts again what is counted; sends a message there and back over a WebSocket. Nothing is
    changed. Exit code: 0 all is well, 1 something is wrong, 69 no server answers.
    """
    from tracker.cli.connectivity import Finding, try_address

    examined = env_file.examine({"db": db})
    settings, dotenv, warnings = examined.loaded
    problems = [*examined.problems, *_unusable(settings, dotenv)]
    database = _database(settings)
    server, reachable = None, True
    findings: list[Finding] = []
    with _noting(problems, "connection"):
        options = {"url": url, "ready_file": ready_file, "api_key": api_key, "ca_file": ca_file}
        server, server_warnings = discover_by(examined.environment, examined.dotenv, **options)
        warnings = [*dict.fromkeys([*warnings, *server_warnings])]
    warnings = [*warnings, *exposure(settings)]
    env_file.warn(warnings)
    if server is not None:
        with _noting(problems, "connection"):
            findings, reachable = try_address(server.url, server.credentials, server.ca_file)
    spool = _spool()
    agents: list[dict[str, Any]] = []
    with _noting(problems, "agents"):
        agents = _agents()
    problems += [
        *([f"spool: {spool['problem']}"] if "problem" in spool else []),
        *(f"database: {text}" for text in database["problems"]),
        *(f"{finding.what}: {finding.problem}" for finding in findings if finding.problem),
        *(f"{agent['agent']}: {text}" for agent in agents for text in agent["problems"]),
    ]
    result = {
        "settings": _settings(settings, dotenv, {"db": db}),
        "warnings": warnings,
        "database": database,
        "spool": spool,
        "agents": agents,
        "connection": {
            "url": server and server.url,
            "tried": [finding._asdict() for finding in findings],
        },
        "problems": problems,
    }
    if as_json:
        print_json(result)
    else:
        print_report(result)
    sys.exit(0 if not problems else 1 if reachable else UNREACHABLE)


@contextmanager
def _noting(problems: list[str], what: str) -> Iterator[None]:
    """If the block fails, note that as a problem."""
    try:
        yield
    except (ClientError, StartupError) as error:
        problems.append(f"{what}: {error}")


def _unusable(settings: Settings, dotenv: Mapping[str, str]) -> list[str]:
    """The settings with which no server would start, although their values are well-formed."""
    weak = faults(settings)
    found = [
        f"{weak[setting.variable]} (from {source(setting, os.environ, dotenv)})"
        for setting in SETTINGS
        if setting.variable in weak
    ]
    with _noting(found, "settings"):
        locate_ready_file(settings.ready_file)
    return found


def _settings(
    settings: Settings, dotenv: Mapping[str, str], flags: dict[str, str | None]
) -> dict[str, dict[str, Any]]:
    return {
        setting.variable: {
            "value": _displayed(setting.name, getattr(settings, setting.name)),
            "from": "flag" if flags.get(setting.name) else source(setting, os.environ, dotenv),
        }
        for setting in SETTINGS
    }


def _displayed(name: str, value: Any) -> Any:
    if name in _SECRETS:
        return None if value is None else f"{len(value)} characters"
    return list(value) if isinstance(value, tuple) else value


def _spool() -> dict[str, Any]:
    """What waits for servers, and what none will take."""
    spool = Spool(spool_folder(os.environ))
    try:
        if not spool.is_there():
            return {"folder": str(spool.folder), "kept": [], "rejected": 0}
        kept = [
            {"to": item.destination.address, "reports": item.reports, "bytes": item.bytes}
            for item in spool.contents()
        ]
        return {"folder": str(spool.folder), "kept": kept, "rejected": len(spool.rejected())}
    except OSError as error:
        problem = f"{spool.folder}: {error.strerror or error}"
        return {"folder": str(spool.folder), "kept": [], "rejected": 0, "problem": problem}


def _agents() -> list[dict[str, Any]]:
    """Those that are connected. Raises ConfigError: that cannot be found out."""
    places = [place_of(in_project=False), place_of(in_project=True)]
    return AgentStates(places, Ledger(ledger_file(os.environ))).connected()


def _database(settings: Settings) -> dict[str, Any]:
    from tracker.store.sqlite.admin.checks import examine
    from tracker.store.sqlite.admin.keys import expiring
    from tracker.store.sqlite.admin.leftovers import leftovers

    try:
        path = database_of(settings)
        files = [{**item._asdict(), "file": str(item.file)} for item in leftovers(path)]
        result = {"file": str(path), "exists": path.exists(), "leftovers": files, "problems": []}
        if not result["exists"]:
            return result
        now = SystemClock().now_ms()
        keys = [
            {"name": key.name, "expires_at": iso(key.expires_at), "expired": key.expires_at <= now}
            for key in expiring(path, now + _SOON)
        ]
        with progress("Reading the database") as show:
            return {**result, "expiring_keys": keys, **examine(path, lambda: show(0, 0))}
    except StartupError as error:
        return {"file": settings.db, "exists": None, "leftovers": [], "problems": [str(error)]}
