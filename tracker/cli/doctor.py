"""`tracker doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from agent_task_tracker.folders import spool_folder
from agent_task_tracker.spool import Spool
from tracker.agents.connect.ledger import Ledger, ledger_file
from tracker.auth.keys import exposure
from tracker.cli import env_file
from tracker.cli.agent_states import AgentStates
from tracker.cli.connect import place_of
from tracker.cli.connection import with_options
from tracker.cli.database import as_json, database_of, size, with_database
from tracker.cli.output import local_time, print_json, print_text
from tracker.cli.progress import progress
from tracker.cli.reporting import discover
from tracker.clock import MS_PER_DAY, SystemClock, iso
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
    from tracker.cli.connectivity import try_address

    settings, dotenv, warnings = env_file.load_settings({"db": db})
    database = _database(settings)
    server, server_warnings = discover(
        url=url, ready_file=ready_file, api_key=api_key, ca_file=ca_file
    )
    warnings = [*dict.fromkeys([*warnings, *server_warnings]), *exposure(settings)]
    env_file.warn(warnings)
    findings, reachable = try_address(server.url, server.credentials, server.ca_file)
    spool = _spool()
    agents = _agents()
    problems = [
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
        "connection": {"url": server.url, "tried": [finding._asdict() for finding in findings]},
        "problems": problems,
    }
    if as_json:
        print_json(result)
    else:
        _print(result)
    sys.exit(0 if not problems else 1 if reachable else UNREACHABLE)


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


def _print(result: dict[str, Any]) -> None:
    print_text("Settings")
    for variable, setting in result["settings"].items():
        if setting["from"] != "default":
            print_text(f"  {variable} = {setting['value']}  ({setting['from']})")
    print_text("  the rest: defaults")
    print_text("Database")
    database = result["database"]
    if database["exists"]:
        print_text(
            f"  {database['file']}: {size(database['bytes'])}, and {size(database['wal_bytes'])} "
            f"of WAL; {size(database['free_bytes'])} free"
        )
        print_text(
            f"  {database['projects']} projects, {database['tasks']} tasks, {database['events']} "
            f"events; SQLite {database['sqlite_version']}, schema {database['schema']}"
        )
    elif database["exists"] is False:
        print_text(f"  {database['file']}: there is none yet; the server makes it")
    for key in database.get("expiring_keys", ()):
        verb = "has expired" if key["expired"] else "expires"
        print_text(f"  key {key['name']}: {verb} ({local_time(key['expires_at'])})")
    for leftover in database["leftovers"]:
        print_text(f"  {leftover['file']}: {size(leftover['bytes'])}, {leftover['kind']}")
    _print_spool(result["spool"])
    for agent in result["agents"]:
        where = ", ".join(agent["files"])
        print_text(f"Agent {agent['agent']}: reports to {agent['url'] or 'nobody'}, by {where}")
    print_text(f"Connection to {result['connection']['url']}")
    for finding in result["connection"]["tried"]:
        if finding["problem"] is None:
            print_text(f"  {finding['what']}: works, {finding['milliseconds']} ms")
    print_text("Problems" if result["problems"] else "Nothing is wrong.")
    for problem in result["problems"]:
        print_text(f"  {problem}")


def _print_spool(spool: dict[str, Any]) -> None:
    if not spool["kept"] and not spool["rejected"]:
        return
    print_text(f"Reports that wait, in {spool['folder']}")
    for kept in spool["kept"]:
        print_text(f"  {kept['reports']} for {kept['to']}, {size(kept['bytes'])}")
    if spool["rejected"]:
        print_text(f"  {spool['rejected']} rejected, which no server takes; see `tracker flush`")
