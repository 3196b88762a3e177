"""`tracker connect` and `tracker disconnect`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import click

from agent_task_tracker.address import Address
from agent_task_tracker.errors import ClientError
from agent_task_tracker.folders import spool_folder
from agent_task_tracker.keys import is_loopback
from agent_task_tracker.spool import Spool
from tracker.agents.connect.base import Agent, HookCommand, Place
from tracker.agents.connect.changes import Step
from tracker.agents.connect.differences import unified
from tracker.agents.connect.errors import CannotEdit
from tracker.agents.connect.executable import find_executable
from tracker.agents.connect.known import known_agents
from tracker.agents.connect.ledger import Connection, Ledger, Revocation, ledger_file
from tracker.agents.connect.mcp import NAME, McpRegistration
from tracker.agents.connect.plugging import Outcome, Plugging
from tracker.agents.connect.programs import check_version
from tracker.agents.connect.telemetry import Telemetry
from tracker.cli import env_file
from tracker.cli.connection import with_options
from tracker.cli.discovery import FoundServer
from tracker.cli.hook_keys import is_same_server, make_key, revoke_pending, take_over, works
from tracker.cli.output import print_text
from tracker.cli.reporting import discover
from tracker.clock import SystemClock, iso
from tracker.errors import ConfigError
from tracker.files import translate_errors
from tracker.text import printable_lines

_FAILED: Final = 78

_agent = click.argument("agent", type=click.Choice(list(known_agents())))
_project = click.option(
    "--project",
    "in_project",
    is_flag=True,
    help="In the configuration of the repository (or folder) that this is in, not in the user's.",
)
_dry_run = click.option(
    "--dry-run", is_flag=True, help="Show what would change, as a diff; change nothing."
)


_mcp = click.option(
    "--mcp", "by_mcp", is_flag=True, help="As an MCP server, by which the agent reports and reads."
)


@click.command()
@_agent
@_project
@_dry_run
@_mcp
@click.option(
    "--private/--no-private",
    "private",
    default=None,
    help="Leave texts out: prompts, answers, commands, what tools say.  [default: as before]",
)
@click.option(
    "--anyway",
    is_flag=True,
    help="Also with an executable that will not stay where it is, or starts slowly.",
)
@with_options
def connect(
    *,
    agent: str,
    in_project: bool,
    dry_run: bool,
    by_mcp: bool,
    private: bool | None,
    anyway: bool,
    **server: str | None,
) -> None:
    """Plug an agent in: Claude Code, Codex, opencode, Gemini CLI, others.

    From then on its sessions, prompts, sub-agents, waits and failures are reported. Makes a key for
    the agent on the server, keeps it in connections.json, and adds hooks to the agent's
    configuration, in which nothing else changes. A configuration that cannot be understood
    is not touched: exit code 78, and what to add by hand. `tracker disconnect` undoes it.
    """
    chosen = known_agents()[agent]
    place = place_of(in_project=in_project)
    executable = find_executable(os.environ, anyway=anyway)
    if by_mcp:
        _register(chosen, place, executable, dry_run=dry_run)
        return
    command = HookCommand(executable, agent)
    check_version(chosen, place)
    ledger = Ledger(ledger_file(os.environ))
    plugging = Plugging(chosen, place, ledger, date.today())
    others = chosen.others_telemetry(place)
    if dry_run:
        known = ledger.connections().get(agent)
        if others is None:
            command = command._replace(telemetry=_telemetry(known))
    plans = plugging.plans(command)
    if dry_run:
        _show(plans)
        return
    ledger.check_private()
    found, warnings = discover(**server)
    env_file.warn(warnings)
    given = server["api_key"] or os.environ.get("API_KEY")
    with ledger.locked():
        connection, revoked = _connection(ledger, command, private, found, given)
        ledger.put(agent, connection)
        if others is None:
            command = command._replace(telemetry=_telemetry(connection))
        outcomes = plugging.connect(command)
        pending = [*ledger.revocations(), *([] if revoked is None else [revoked])]
        ledger.put_revocations([one for one in pending if not _is_key_of(connection, one)])
        problems = revoke_pending(ledger, server)
    spool = Spool(spool_folder(os.environ))
    with translate_errors(spool.folder):
        waiting = take_over(agent, connection, spool)
    _tell(chosen, connection, ledger, outcomes)
    if waiting:
        print_text(f"  {waiting} reports that waited with a key of before are sent with this one.")
    for problem in problems:
        print_text(f"tracker: warning: {problem}", err=True)
    if others is not None:
        print_text(
            f"  Its telemetry is left as it is: {others}. To see tokens and cost here too, send a "
            "copy of it (docs/agents/telemetry.md)."
        )
    _refuse(outcomes)
    for problem in [*in_the_open(connection.url), *chosen.problems(place)]:
        print_text(f"tracker: warning: {problem}", err=True)


@click.command()
@_agent
@_project
@_dry_run
@_mcp
@with_options
def disconnect(
    *, agent: str, in_project: bool, dry_run: bool, by_mcp: bool, **server: str | None
) -> None:
    """Take an agent's hooks out again.

    What connecting changed is as it was before, to the byte, where nobody has changed the file
    since; else only our hooks go. The agent's key is revoked; if its server cannot be asked, that
    is done by the next of these commands.
    """
    chosen = known_agents()[agent]
    place = place_of(in_project=in_project)
    if by_mcp:
        _register(chosen, place, None, dry_run=dry_run)
        return
    ledger = Ledger(ledger_file(os.environ))
    plugging = Plugging(chosen, place, ledger, date.today())
    if dry_run:
        _show(plugging.plans_to_remove(everywhere=not in_project))
        return
    with ledger.locked():
        outcomes, problems = unplug(agent, plugging, ledger, server, everywhere=not in_project)
    for outcome in outcomes:
        _tell_outcome(outcome, "restored")
    for problem in problems:
        print_text(f"tracker: warning: {problem}", err=True)
    _refuse(outcomes)
    still = ledger.connections().get(agent)
    where = "" if still is None else " here; elsewhere it still is"
    print_text(f"{chosen.title} is not connected{where}.")


def _register(agent: Agent, place: Place, executable: Path | None, *, dry_run: bool) -> None:
    """Have the agent's own program add `tracker mcp`; `executable` None: take it out."""
    if place.project is not None:
        raise click.UsageError("--mcp is for the user: a repository's file would name this machine")
    registration = McpRegistration(agent, place)
    if executable is None:
        if not dry_run:
            registration.remove()
        print_text(f"{agent.title} has no MCP server {NAME}{' then' if dry_run else ''}.")
        return
    if dry_run:
        print_text(shlex.join(registration.command(executable)))
        return
    registration.add(executable)
    print_text(f"{agent.title} has the MCP server {NAME}: {executable} mcp")


def unplug(
    agent: str,
    plugging: Plugging,
    ledger: Ledger,
    server: dict[str, str | None],
    *,
    everywhere: bool,
) -> tuple[list[Outcome], list[str]]:
    """Take the hooks out, then revoke the key unless hooks are left that use it. Returns what
    became of the files, and what is left to be done. The ledger is locked."""
    outcomes = plugging.disconnect(everywhere=everywhere)
    connection = ledger.connections().get(agent)
    is_done = not any(outcome.problem for outcome in outcomes)
    if connection is not None and is_done and not connection.changed:
        if connection.key_name is not None:
            revocation = Revocation(connection.url, connection.key_name)
            ledger.put_revocations([*ledger.revocations(), revocation])
        ledger.put(agent, None)
    return outcomes, revoke_pending(ledger, server)


def place_of(*, in_project: bool) -> Place:
    """The user's configuration, or that of the working tree around. Raises ConfigError."""
    try:
        home, folder = Path.home(), Path.cwd()
    except (RuntimeError, OSError):
        raise ConfigError("there is no home folder, or no working directory, to look in") from None
    if not in_project:
        return Place(os.environ, home)
    trees = (parent for parent in (folder, *folder.parents) if os.path.lexists(parent / ".git"))
    return Place(os.environ, home, next(trees, folder))


def _telemetry(connection: Connection | None) -> Telemetry | None:
    """Where the agent's goes; before it is connected, for a look, with no key."""
    if connection is None:
        return Telemetry("http://127.0.0.1:8000", "KEY")
    is_http = connection.url.startswith(("http://", "https://"))
    return Telemetry(connection.url, connection.key) if is_http else None


def _connection(
    ledger: Ledger,
    command: HookCommand,
    private: bool | None,
    found: FoundServer,
    given: str | None,
) -> tuple[Connection, Revocation | None]:
    """The connection to be kept, and the key before if that is not used any more. `given`: the key
    that the user named."""
    before = ledger.connections().get(command.agent)
    options = dict(before.options) if before is not None else {"private": False}
    if private is not None:
        options["private"] = private
    executable = str(command.executable)
    if before is not None and _is_kept(before, found.url, is_named=found.is_named):
        return before._replace(options=options, executable=executable), None
    made = make_key(found, command.agent, given)
    connection = Connection(
        url=found.url,
        key=made.key,
        key_name=made.name,
        ca_file=None if found.ca_file is None else os.path.abspath(found.ca_file),  # noqa: PTH100
        connected_at=iso(SystemClock().now_ms()),
        options=options,
        executable=executable,
        changed=before.changed if before is not None else (),
    )
    if before is None or before.key_name is None:
        return connection, None
    return connection, Revocation(before.url, before.key_name)


def _is_kept(before: Connection, url: str, *, is_named: bool) -> bool:
    """Whether the agent goes on with the server and key that it has."""
    if is_named and not is_same_server(before.url, url):
        return False
    try:
        return works(before)
    except ClientError:
        if is_same_server(before.url, url):
            raise
        return False


def _is_key_of(connection: Connection, revocation: Revocation) -> bool:
    """Whether the name is that of the key in use: the one of that name before is gone already."""
    return revocation.key_name == connection.key_name and is_same_server(
        revocation.url, connection.url
    )


def in_the_open(url: str) -> list[str]:
    """A warning, if what is reported can be read on its way."""
    if not url.lower().startswith("http:") or is_loopback(Address(url).host):
        return []
    return [
        f"{url}: what agents tell, and the key, can be read on the way there; use https, or ssh -R "
        "(docs/agents/README.md)"
    ]


def _show(plans: Sequence[Step | CannotEdit]) -> None:
    """What would change. Raises CannotEdit, if something cannot be."""
    refused = [plan for plan in plans if isinstance(plan, CannotEdit)]
    steps = [plan for plan in plans if isinstance(plan, Step) and plan.changes]
    for step in steps:
        click.echo(printable_lines(unified(step)), nl=False)
    if not steps and not refused:
        print_text("Nothing would change.")
    _refuse([Outcome(Path(), problem=error) for error in refused])


def _tell(agent: Agent, connection: Connection, ledger: Ledger, outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        _tell_outcome(outcome, "has the hooks now")
    if all(outcome.problem for outcome in outcomes):
        return
    print_text(f"{agent.title} is connected to {connection.url}.")
    key = connection.key_name or "that was given"
    print_text(f"  It reports with the key {key}, kept in {ledger.path}.")
    if connection.options.get("private"):
        print_text("  Private: no texts of prompts, answers and tools are sent.")
    if agent.next_step:
        print_text(agent.next_step)


def _tell_outcome(outcome: Outcome, what: str) -> None:
    if outcome.problem is not None:
        return
    state = what if outcome.changed else "needed no change"
    backup = f"; before, it was {outcome.backup}" if outcome.backup else ""
    print_text(f"{outcome.path}: {state}{backup}")
    for name in outcome.removed:
        print_text(f"{name}: removed")


def _refuse(outcomes: list[Outcome]) -> None:
    """End with what could not be edited, if anything, and what to add to it."""
    problems: list[Any] = [outcome.problem for outcome in outcomes if outcome.problem]
    for problem in problems:
        print_text(f"tracker: {problem}", err=True)
        if problem.snippet:
            print_text("Add this to it by hand:", err=True)
            click.echo(printable_lines(problem.snippet), nl=False)
    if problems:
        sys.exit(_FAILED)
