"""`tracker flush`: deliver the reports that wait in the spool."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import click

from agent_task_tracker.address import Address
from agent_task_tracker.courier import Courier
from agent_task_tracker.folders import spool_folder
from agent_task_tracker.journal import recover
from agent_task_tracker.sender import Sender, patient
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
    courier = Courier(Address(server.url, server.ca_file), server.credentials)
    destinations = server.destinations()
    try:
        if any_key:
            recover(spool)
            addresses = {destination.address for destination in destinations}
            kept = (item.destination for item in spool.contents())
            others = (other for other in kept if other.address in addresses)
            destinations = list(dict.fromkeys([*destinations, *others]))
        delivery = Sender(spool, courier, *destinations).deliver(patient(timeout))
        contents, rejected = spool.contents(), spool.rejected()
    except OSError as error:
        raise ConfigError(f"{spool.folder}: {error.strerror or error}") from None
    finally:
        courier.close()
    result = {
        "url": server.url,
        "spool": str(spool.folder),
        "delivered": delivery.sent if delivery else 0,
        "kept": [
            {
                **{"to": item.destination.address, "key_id": item.destination.key_id},
                **{"reports": item.reports, "bytes": item.bytes},
            }
            for item in contents
        ],
        "rejected": [_line_of(content) for content in rejected],
        "problem": delivery.problem if delivery else "another process is delivering them",
    }
    if as_json:
        print_json(result)
    else:
        _print(result)
    sys.exit(_UNREACHABLE if any(item.destination in destinations for item in contents) else 0)


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
        print_text(
            f"rejected: {put_aside['kind']} of {put_aside['project']}/{put_aside['task_id']}: "
            f"{put_aside['reason']}"
        )
    if result["rejected"]:
        print_text(f"What was rejected is in {result['spool']}{os.sep}rejected")
