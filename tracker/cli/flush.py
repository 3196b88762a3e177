"""`tracker flush`: deliver the reports that wait in the spool."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import click

from agent_task_tracker import connections
from agent_task_tracker.address import Address
from agent_task_tracker.courier import Courier
from agent_task_tracker.credentials import Credentials, of_connection
from agent_task_tracker.destination import Destination
from agent_task_tracker.folders import spool_folder
from agent_task_tracker.journal import recover
from agent_task_tracker.report import HOOK
from agent_task_tracker.sender import Delivery, Sender, patient
from agent_task_tracker.spool import Spool
from tracker.cli import env_file
from tracker.cli.connection import with_options
from tracker.cli.output import print_json, print_text
from tracker.cli.reporting import discover
from tracker.errors import ConfigError

_UNREACHABLE: Final = 69


@click.command()
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait no longer for the server's rate limit.",
)
@click.option(
    "--any-key",
    is_flag=True,
    help="Also what was kept for the same address with another key, as before a key was changed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_options
def flush(*, timeout: float, any_key: bool, as_json: bool, **options: str | None) -> None:
    """Deliver the reports that wait for the server.

    Reports that found no server wait in the spool, until a process that reports to the same server
    reaches it, the server starts on this machine, or this command. Exit code: 0 nothing is left for
    this server, 69 something is kept. Reports that the server can never take are put aside.
    """
    found, warnings = discover(**options)
    env_file.warn(warnings)
    spool = Spool(spool_folder(os.environ))
    server = found.found()
    address = Address(server.url, server.ca_file)
    destinations = server.destinations()
    try:
        if any_key:
            recover(spool)
            addresses = {destination.address for destination in destinations}
            kept = (item.destination for item in spool.contents())
            others = (other for other in kept if other.address in addresses)
            destinations = list(dict.fromkeys([*destinations, *others]))
        wait = patient(timeout)
        done = [_deliver(spool, address, server.credentials, destinations, wait)]
        for credentials, agents in _connected(destinations[0].address):
            done.append(_deliver(spool, address, credentials, [agents], wait))
            destinations.append(agents)
        contents, rejected = spool.contents(), spool.rejected()
    except OSError as error:
        raise ConfigError(f"{spool.folder}: {error.strerror or error}") from None
    problems = [_problem(delivery) for delivery in done]
    result = {
        "url": server.url,
        "spool": str(spool.folder),
        "delivered": sum(delivery.sent for delivery in done if delivery),
        "kept": [
            {
                **{"to": item.destination.address, "key_id": item.destination.key_id},
                **{"reports": item.reports, "bytes": item.bytes},
            }
            for item in contents
        ],
        "rejected": [_line_of(content) for content in rejected],
        "problem": next((problem for problem in problems if problem), None),
    }
    if as_json:
        print_json(result)
    else:
        _print(result)
    sys.exit(_UNREACHABLE if any(item.destination in destinations for item in contents) else 0)


def _deliver(
    spool: Spool,
    address: Address,
    credentials: Credentials,
    destinations: Sequence[Destination],
    wait: Callable[[float], bool],
) -> Delivery | None:
    courier = Courier(address, credentials)
    try:
        return Sender(spool, courier, *destinations).deliver(wait)
    finally:
        courier.close()


def _connected(address: str) -> Iterator[tuple[Credentials, Destination]]:
    """The keys of agents that are connected to the same server: what their hooks kept is sent with
    the key that it was kept for."""
    for connection in connections.to_server(os.environ, [address]):
        yield of_connection(connection), connection.destination


def _problem(delivery: Delivery | None) -> str | None:
    return delivery.problem if delivery else "another process is delivering them"


def _line_of(content: dict[str, Any]) -> dict[str, Any]:
    report, why = content.get("report"), content.get("rejected")
    named = report if isinstance(report, dict) else {}
    return {
        "to": content.get("to"),
        "kind": named.get("kind"),
        "project": named.get("project"),
        "task_id": named.get("task_id"),
        "reason": why.get("reason") if isinstance(why, dict) else None,
    }


def _print(result: dict[str, Any]) -> None:
    print_text(f"{result['delivered']} reports delivered to {result['url']}")
    for kept in result["kept"]:
        print_text(f"{kept['reports']} kept for {kept['to']}, key {kept['key_id'] or 'any'}")
    if result["problem"] and result["kept"]:
        print_text(f"tracker: {result['problem']}", err=True)
    for put_aside in result["rejected"]:
        print_text(f"rejected: {put_aside['kind']} of {_whose(put_aside)}: {put_aside['reason']}")
    if result["rejected"]:
        print_text(f"What was rejected is in {result['spool']}{os.sep}rejected")


def _whose(put_aside: dict[str, Any]) -> str:
    """A task, or an agent's session."""
    separator = " session " if put_aside["kind"] == HOOK else "/"
    return f"{put_aside['project']}{separator}{put_aside['task_id']}"
