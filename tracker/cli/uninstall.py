"""`tracker uninstall`: take away what this program left on the machine."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import Final

import click

from agent_task_tracker.folders import spool_folder
from agent_task_tracker.spool import Spool
from tracker.agents.connect.base import Agent, Place
from tracker.agents.connect.known import known_agents
from tracker.agents.connect.ledger import Ledger, ledger_file
from tracker.agents.connect.mcp import McpRegistration
from tracker.agents.connect.plugging import Plugging
from tracker.cli import env_file
from tracker.cli.connect import place_of, unplug
from tracker.cli.connection import with_options
from tracker.cli.output import print_text
from tracker.config.paths import locate
from tracker.errors import ConfigError
from tracker.files import translate_errors

_FAILED: Final = 1


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask; the database stays all the same.")
@click.option(
    "--database", "with_database", is_flag=True, help="Remove the database too, with all its tasks."
)
@with_options
def uninstall(*, yes: bool, with_database: bool, **server: str | None) -> None:
    """Take everything away: hooks, keys, reports that wait.

    Disconnects all agents, removes the spool and connections.json. The database is only removed if
    that is said, on the terminal or by --database, and no server uses it. The program itself is
    removed as it was installed: `uv tool uninstall`, `pipx uninstall`, `pip uninstall`.
    """
    spool = Spool(spool_folder(os.environ))
    database = _database()
    waiting = _waiting(spool)
    if waiting:
        print_text(
            f"{waiting} reports still wait in {spool.folder} and would be lost; `tracker flush` "
            "delivers them.",
            err=True,
        )
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("there is no terminal to ask on; --yes says that it is meant")
        click.confirm("Disconnect all agents, and remove the spool?", abort=True)
    problems = _disconnect_all(server)
    with translate_errors(spool.folder):
        if spool.is_there():
            shutil.rmtree(spool.folder)
            print_text(f"{spool.folder}: removed")
    if database is not None:
        _remove_database(database, ask=not yes, is_meant=with_database)
    for problem in problems:
        print_text(f"tracker: {problem}", err=True)
    sys.exit(_FAILED if problems else 0)


def _disconnect_all(server: dict[str, str | None]) -> list[str]:
    """Returns what could not be done."""
    ledger = Ledger(ledger_file(os.environ))
    place, problems = place_of(in_project=False), []
    with ledger.locked():
        for agent in known_agents().values():
            plugging = Plugging(agent, place, ledger, date.today())
            outcomes, left = unplug(agent.name, plugging, ledger, server, everywhere=True)
            problems += _forget_mcp(agent, place)
            for outcome in outcomes:
                if outcome.problem:
                    problems.append(str(outcome.problem))
                elif outcome.changed:
                    print_text(f"{outcome.path}: restored")
        problems += left  # of the last: the keys of all that are not revoked yet
        if not ledger.connections() and not ledger.revocations():
            ledger.remove()
            print_text(f"{ledger.path}: removed")
    return problems


def _forget_mcp(agent: Agent, place: Place) -> list[str]:
    """Returns why its MCP server is still there."""
    try:
        registration = McpRegistration(agent, place)
    except ConfigError:  # it never was
        return []
    try:
        registration.remove()
    except ConfigError as error:
        return [str(error)]
    return []


def _waiting(spool: Spool) -> int:
    try:
        return sum(item.reports for item in spool.contents()) if spool.is_there() else 0
    except OSError as error:
        raise ConfigError(f"{spool.folder}: {error.strerror or error}") from None


def _database() -> Path | None:
    """The database; None: there is none. Raises ConfigError."""
    settings, _, warnings = env_file.load_settings({}, relevant=("TRACKER_DB",))
    env_file.warn(warnings)
    path = locate(settings.db)
    return path if path is not None and path.exists() else None


def _remove_database(path: Path, *, ask: bool, is_meant: bool) -> None:
    """Raises ConfigError, InUse: a server uses it."""
    if not is_meant and ask:
        is_meant = click.confirm(f"Remove the database {path} with all its tasks?", default=False)
    if not is_meant:
        print_text(f"{path}: stays; --database removes it")
        return
    from tracker.store.sqlite.admin.removing import remove

    for removed in remove(path):
        print_text(f"{removed}: removed")
