"""The options of every command that speaks to a server, and the client made of them."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any

import click

from agent_task_tracker.client import Client
from agent_task_tracker.errors import Unreachable
from agent_task_tracker.finding import Found
from agent_task_tracker.folders import spool_folder
from agent_task_tracker.reporter import Reporter
from agent_task_tracker.spool import Spool
from tracker.cli import env_file
from tracker.cli.discovery import FoundServer, find

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
    found, warnings = discover(**options)
    env_file.warn(warnings)
    return found.client(patience)


def find_reporter(*, quiet: bool = True, **options: str | None) -> Reporter:
    """Reports to that server, in the background. Raises ClientError, ConfigError: what was given
    can lead to no server, whenever it is tried. `quiet`: without warnings of variables."""

    def look() -> Found:
        return discover(**options)[0].found()

    with contextlib.suppress(Unreachable):  # the server has not written its ready file yet
        found, warnings = discover(**options)
        found.found().destinations()
        if not quiet:
            env_file.warn(warnings)
    ready_file = options.get("ready_file")
    environment = {**os.environ, **({"TRACKER_READY_FILE": ready_file} if ready_file else {})}
    return Reporter(look, Spool(spool_folder(os.environ)), environment=environment)


def discover(**options: str | None) -> tuple[FoundServer, list[str]]:
    """The server, and warnings about how it was found."""
    dotenv = env_file.read()
    found = find(os.environ, dotenv, **options)
    return found, [*env_file.address_ignored(found.ignored), *env_file.misspelt_variables(dotenv)]
