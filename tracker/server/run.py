"""Runs the application under uvicorn: our sockets, our settings of it."""

from __future__ import annotations

import contextlib
import errno
import gc
import logging
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import uvicorn

from agent_task_tracker.errors import ClientError
from agent_task_tracker.finding import listen_url
from agent_task_tracker.folders import spool_folder
from agent_task_tracker.spool import Spool
from tracker.api.application import App, CreateApp
from tracker.auth import keys
from tracker.config.paths import locate, locate_ready_file
from tracker.config.settings import Settings
from tracker.domain.limits import MAX_WEBSOCKET_MESSAGE_BYTES
from tracker.errors import ConfigError, InUse
from tracker.server import logs
from tracker.server.delivery import SpoolDelivery
from tracker.server.descriptors import raise_limit
from tracker.server.http import HttpProtocol
from tracker.server.lifecycle import Server
from tracker.server.ready_file import ReadinessNotifier
from tracker.server.slots import Slots
from tracker.server.tls import Tls
from tracker.server.unix_socket import listening
from tracker.server.websocket import WebSocketProtocol
from tracker.timeouts import DEFAULT_TIMEOUTS, Timeouts

logger = logging.getLogger(__name__)

# Seconds. The whole stop has ten (docs/contract.md, "Start and stop").
_GRACE_PERIOD = 6


def run(
    create_app: CreateApp,
    settings: Settings,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    warnings: Iterable[str] = (),
) -> int:
    """Serve until told to stop; the process's exit code. `warnings`: log lines about the settings.

    Raises:
        ConfigError, InUse: it cannot start.
    """
    logs.configure(settings.log_level, settings.log_format)
    for warning in warnings:
        logger.warning("%s", warning)
    keys.check(settings)
    ready_file = locate_ready_file(settings.ready_file)
    descriptors = raise_limit()
    tls = Tls.of(settings)
    server: Server

    def die() -> None:
        server.died = server.should_exit = True

    with contextlib.ExitStack() as stack:
        database = (
            stack.enter_context(_temporary_database())
            if settings.ephemeral
            else locate(settings.db)
        )
        listener = stack.enter_context(contextlib.closing(_listen(settings.host, settings.port)))
        sockets = [listener]
        if settings.unix_socket is not None:
            sockets.append(stack.enter_context(listening(settings.unix_socket)))
        app = create_app(settings, database, timeouts=timeouts, on_death=die)
        notifier = ReadinessNotifier(settings, app, listener, ready_file)
        delivery = None
        if not (settings.ephemeral or database is None):
            spool = Spool(spool_folder(os.environ))
            delivery = SpoolDelivery(spool, settings, app.keys.api, listener, os.environ)

        def on_ready() -> None:
            notifier.notify()
            if delivery is not None:
                delivery.start()

        server = Server(
            _config(app, timeouts, settings.root_path),
            app,
            on_ready,
            Slots(descriptors, app.clock),
            tls,
            timeouts,
            idle_timeout=settings.idle_timeout,
        )
        _tune_garbage_collector()
        try:
            server.run(sockets=sockets)
        finally:
            notifier.withdraw()
            if delivery is not None:
                delivery.stop()
        if server.ready_error is not None:
            raise server.ready_error
    return 1 if server.died else 0


@contextlib.contextmanager
def _temporary_database() -> Iterator[Path]:
    """A database in a directory of its own, which is removed afterwards."""
    try:
        folder = tempfile.TemporaryDirectory(
            prefix="agent-task-tracker-", ignore_cleanup_errors=True
        )
    except OSError as error:
        raise ConfigError(f"no temporary directory: {error.strerror or error}") from None
    with folder as name:
        yield Path(name) / "tracker.db"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE or (error.errno == errno.EACCES and port >= 1024):
            # EACCES: on Windows, another program has the port exclusively.
            whose = ""
            if _is_tracker(host, port):
                whose = ", by a tracker that runs already; use that one, or"
            raise InUse(
                f"{host}:{port}: the port is taken{whose or ';'} choose another --port"
            ) from None
        # create_server appends an explanation of its own to the system's.
        is_name = isinstance(error, socket.gaierror)
        reason = error.strerror if is_name or error.errno is None else os.strerror(error.errno)
        raise ConfigError(f"{host}:{port}: cannot be bound: {reason}") from None
    except UnicodeError:  # from getaddrinfo, for what cannot be a host's name
        raise ConfigError(f"{host}:{port}: cannot be bound: no name of a host") from None


def _is_tracker(host: str, port: int) -> bool:
    try:
        from agent_task_tracker.client import Client  # noqa: PLC0415 - a start has no need of it

        Client(listen_url(None, host, port, tls=False), "", timeout=1, patience=0).health()
    except ClientError:
        return False
    return True


def _tune_garbage_collector() -> None:
    """Exempt what exists by now, which lives as long as the process. Collect less often: a webhook
    leaves no reference cycles, so this costs hardly any memory."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _config(app: App, timeouts: Timeouts, root_path: str = "") -> uvicorn.Config:
    return uvicorn.Config(
        app.asgi,
        loop="auto",
        http=partial(  # type: ignore[arg-type]
            HttpProtocol,
            clock=app.clock,
            webhooks=app.webhooks,
            head_timeout=timeouts.head,
            root_path=root_path.encode(),
        ),
        ws=partial(WebSocketProtocol, clock=app.clock, timeouts=timeouts),  # type: ignore[arg-type]
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=timeouts.ping,
        ws_ping_timeout=timeouts.pong,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=timeouts.keep_alive,
        timeout_graceful_shutdown=_GRACE_PERIOD,
    )
