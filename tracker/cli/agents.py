"""`tracker agents`: which agents there are, and what becomes of what they tell."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from agent_task_tracker.errors import ClientError
from tracker.agents.connect.ledger import Ledger, ledger_file
from tracker.cli import env_file
from tracker.cli.agent_states import AgentStates
from tracker.cli.connect import place_of
from tracker.cli.connection import with_options
from tracker.cli.discovery import FoundServer
from tracker.cli.output import console, local_time, print_json, print_text
from tracker.cli.reporting import discover


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_options
def agents(*, as_json: bool, **server: str | None) -> None:
    """List agents: installed, connected, heard of, and what is wrong.

    Looks at the user's configuration and at that of the repository that this is in. Exit code: 1 if
    something is wrong with a connected agent.
    """
    ledger = Ledger(ledger_file(os.environ))
    places = [place_of(in_project=False), place_of(in_project=True)]
    states = AgentStates(places, ledger).all(_server(server))
    pending = [revocation._asdict() for revocation in ledger.revocations()]
    if as_json:
        print_json({"agents": states, "connections": str(ledger.path), "to_revoke": pending})
    else:
        _print(states)
        for item in pending:
            print_text(f"The key {item['key_name']} of {item['url']} is still to be revoked.")
    sys.exit(1 if any(state["problems"] for state in states) else 0)


def _server(options: dict[str, str | None]) -> FoundServer | None:
    """The one to ask; None: there is none now."""
    try:
        found, warnings = discover(**options)
    except ClientError:
        return None
    env_file.warn(warnings)
    return found


def _print(states: list[dict[str, Any]]) -> None:
    from tracker.cli.tables import table

    columns = ("AGENT", "INSTALLED", "CONNECTED", "LAST REPORT", "SESSIONS", "REJECTED", "TRIED")
    console().print(table(columns, map(_row, states)))
    for state in states:
        for path in state["files"]:
            print_text(f"{state['agent']}: hooks in {path}")
        unknown = ", ".join(f"{name} ({count})" for name, count in state["unknown"].items())
        if unknown:
            print_text(f"{state['agent']}: events that the server does not know: {unknown}")
        for problem in state["problems"]:
            print_text(f"{state['agent']}: {problem}")


def _row(state: dict[str, Any]) -> tuple[object, ...]:
    connected = "no"
    if state["connected"]:
        connected = f"{state['url']}{', private' if state['private'] else ''}"
    return (
        state["agent"],
        "yes" if state["installed"] else "no",
        connected,
        local_time(state["last_at"]) or ("never" if state["sessions"] is not None else "unknown"),
        "" if state["sessions"] is None else state["sessions"],
        state["rejected"] or "",
        state["verified"],
    )
