"""The options of every command that speaks to a server, and the client made of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from agent_task_tracker.client import Client
from tracker.cli import env_file
from tracker.cli.discovery import FoundServer
from tracker.cli.reporting import discover

_OPTIONS = (
    click.option("--url", metavar="URL", help="The server's address, or unix:PATH.  [TRACKER_URL]"),
    click.option(
        "--ready-file",
        metavar="FILE",
        help="The file the server wrote its address to.  [TRACKER_READY_FILE]",
    ),
    click.option(
        "--api-key",
        metavar="KEY",
        help="The server's key; prefer the variable, flags show in process lists.  [API_KEY; "
        "default: the one kept beside the database of a server on this machine]",
    ),
    click.option(
        "--ca-file",
        metavar="FILE",
        help="Trusted certificates in PEM.  [TRACKER_CA_FILE; default: the system's]",
    ),
)

_NAMES = ("url", "ready_file", "api_key", "ca_file")


def with_client(*, patience: float) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options that say where the server is, and pass the command a client for it.
    `patience`: see `Client`, in seconds."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapped(**options: Any) -> None:
            server = {name: options.pop(name) for name in _NAMES}
            command(find_server(**server, patience=patience), **options)

        return with_options(wrapped)

    return decorate


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Only add the options, for a command that looks for the server more than once."""
    return functools.reduce(lambda inner, option: option(inner), reversed(_OPTIONS), command)


def find_server(*, patience: float, **options: str | None) -> Client:
    """See `tracker.cli.discovery.find`. Warns of variables that are ignored."""
    return locate_server(**options).client(patience)


def locate_server(**options: str | None) -> FoundServer:
    """Likewise; for what has to be asked in other ways than a client's."""
    found, warnings = discover(**options)
    env_file.warn(warnings)
    return found
