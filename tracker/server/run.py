"""Runs the application under uvicorn: our socket, signals, order of start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import uvicorn

from tracker.api.application import App, CreateApp
from tracker.auth import keys
from tracker.config.paths import locate, locate_ready_file
from tracker.config.settings import Settings
from tracker.domain.limits import MAX_WEBSOCKET_MESSAGE_BYTES
from tracker.errors import ConfigError, InUse, StartupError
from tracker.server import logs
from tracker.server.http import HttpProtocol
from tracker.server.ready_file import Announcement
from tracker.server.websocket import WebSocketProtocol
from tracker.timeouts import DEFAULT_TIMEOUTS, Timeouts

logger = logging.getLogger(__name__)

# Seconds. The whole stop has ten (docs/contract.md, "Start and stop").
_GRACE = 6
_PATIENCE_AT_STOP = 2.0
_SWEEP_EVERY = 1.0


def run(
    create_app: CreateApp,
    settings: Settings,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    warnings: Iterable[str] = (),
) -> int:
    """Serve until told to stop; the process's exit code. `warnings`: what is to be said about the
    settings.

    Raises:
        ConfigError, InUse: it cannot start.
    """
    logs.configure(settings.log_level, settings.log_format)
    for warning in warnings:
        logger.warning("%s", warning)
    keys.check(settings)
    ready_file = locate_ready_file(settings.ready_file)
    server: Server

    def die() -> None:
        server.died = server.should_exit = True

    with contextlib.ExitStack() as stack:
        database = stack.enter_context(_temporary()) if settings.ephemeral else locate(settings.db)
        listener = stack.enter_context(contextlib.closing(_listen(settings.host, settings.port)))
        app = create_app(settings, database, timeouts=timeouts, on_death=die)
        announcement = Announcement(settings, app, listener, ready_file)
        server = Server(
            _config(app, timeouts),
            app,
            announcement.make,
            patience=timeouts.request,
            idle_timeout=settings.idle_timeout,
        )
        _spare_the_collector()
        try:
            server.run(sockets=[listener])
        finally:
            announcement.withdraw()
        if server.unannounced is not None:
            raise server.unannounced
    return 1 if server.died else 0


class Server(uvicorn.Server):
    """uvicorn's server, except for how it begins and ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: App,
        announce: Callable[[], None],
        *,
        patience: float,
        idle_timeout: float,
    ) -> None:
        """`patience`: seconds for a request to go on; `idle_timeout`: stop after so many seconds
        without requests and streams; 0: never."""
        super().__init__(config)
        self._patience = patience
        self._idle_timeout = idle_timeout
        self.died = False
        self.unannounced: StartupError | None = None
        self._app = app
        self._announce = announce

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal, and end with our own exit code, not by the signal once more."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell the world once connections are accepted, or stop in an orderly way."""
        await super().startup(sockets)
        if self.started:
            try:
                self._announce()
            except StartupError as error:  # through uvicorn it would leave a traceback in the log
                self.unannounced = error
                self.should_exit = True

    async def main_loop(self) -> None:
        """Look after connections that stall, besides what uvicorn does."""
        sweeper = asyncio.create_task(self._sweep())
        try:
            await super().main_loop()
        finally:
            sweeper.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, which would not end by themselves, and what has come to a standstill."""
        self._app.hub.close()
        hurrying = asyncio.create_task(self._hurry())
        await super().shutdown(sockets)
        hurrying.cancel()
        if self.force_exit:  # a second Ctrl-C; uvicorn would leave the database open
            self._drop_stalled(patience=-1)
            await self.lifespan.shutdown()

    async def _hurry(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY / 4)
            self._drop_stalled(_PATIENCE_AT_STOP)

    def _drop_stalled(self, patience: float) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpProtocol):
                connection.drop_if_stalled(now, patience)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        state = self.server_state
        asked, asked_at = 0, loop.time()
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            self._drop_stalled(self._patience)
            if state.tasks or state.total_requests > asked:
                asked, asked_at = state.total_requests, loop.time()
            elif self._idle_timeout and loop.time() - asked_at >= self._idle_timeout:
                logger.info("Stopping: no request for %s s", self._idle_timeout)
                self.should_exit = True


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    """A database that is gone afterwards, with its keys and all that SQLite puts beside it."""
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
            # EACCES: what Windows says of a port that another program has for itself.
            raise InUse(f"{host}:{port}: the port is taken; choose another --port") from None
        # create_server appends an explanation of its own to the system's.
        is_name = isinstance(error, socket.gaierror)
        reason = error.strerror if is_name or error.errno is None else os.strerror(error.errno)
        raise ConfigError(f"{host}:{port}: cannot be bound: {reason}") from None
    except UnicodeError:  # of what no name of a host can be, getaddrinfo says it so
        raise ConfigError(f"{host}:{port}: cannot be bound: no name of a host") from None


def _spare_the_collector() -> None:
    """What is there by now stays for ever: it need not be looked through again and again. And a
    webhook leaves no cycles, so looking less often costs no memory to speak of."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _config(app: App, timeouts: Timeouts) -> uvicorn.Config:
    return uvicorn.Config(
        app.asgi,
        loop="auto",
        http=partial(HttpProtocol, clock=app.clock, webhooks=app.webhooks),  # type: ignore[arg-type]
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
        timeout_graceful_shutdown=_GRACE,
    )
