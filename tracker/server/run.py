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
from typing import cast

import uvicorn

from tracker.api.application import App, CreateApp
from tracker.auth import keys
from tracker.config.paths import locate, locate_ready_file
from tracker.config.settings import Settings
from tracker.domain.limits import MAX_WEBSOCKET_MESSAGE_BYTES
from tracker.errors import ConfigError, InUse, StartupError
from tracker.server import logs
from tracker.server.http import HttpProtocol
from tracker.server.ready_file import ReadinessNotifier
from tracker.server.tls import Tls
from tracker.server.unix_socket import listening
from tracker.server.websocket import WebSocketProtocol
from tracker.timeouts import DEFAULT_TIMEOUTS, Timeouts

logger = logging.getLogger(__name__)

# Seconds. The whole stop has ten (docs/contract.md, "Start and stop").
_GRACE_PERIOD = 6
_STALL_TIMEOUT_AT_STOP = 2.0
_SWEEP_INTERVAL = 1.0


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
        server = Server(
            _config(app, timeouts),
            app,
            notifier.notify,
            tls,
            timeouts,
            idle_timeout=settings.idle_timeout,
        )
        _tune_garbage_collector()
        try:
            server.run(sockets=sockets)
        finally:
            notifier.withdraw()
        if server.ready_error is not None:
            raise server.ready_error
    return 1 if server.died else 0


class Server(uvicorn.Server):
    """uvicorn's server, except for how it begins and ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: App,
        on_ready: Callable[[], None],
        tls: Tls | None,
        timeouts: Timeouts,
        *,
        idle_timeout: float,
    ) -> None:
        """`idle_timeout`: seconds without requests and streams after which to stop, 0: never."""
        super().__init__(config)
        self._tls = tls
        self._timeouts = timeouts
        self._idle_timeout = idle_timeout
        self.died = False
        self.ready_error: StartupError | None = None
        self._app = app
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal, and exit with our own code rather than by raising the signal again."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Call `on_ready` once connections are accepted; if that fails, shut down cleanly."""
        await super().startup([])  # uvicorn would use TLS on all sockets, without these timeouts
        if self.started:
            self.servers += [await self._serve_on(listener) for listener in sockets or ()]
            try:
                self._on_ready()
            except StartupError as error:  # through uvicorn it would leave a traceback in the log
                self.ready_error = error
                self.should_exit = True

    async def _serve_on(self, listener: socket.socket) -> asyncio.Server:
        create_protocol = partial(
            cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        loop = asyncio.get_running_loop()
        backlog = self.config.backlog
        if listener.family not in (socket.AF_INET, socket.AF_INET6):
            return await loop.create_unix_server(create_protocol, sock=listener, backlog=backlog)
        if self._tls is None:
            return await loop.create_server(create_protocol, sock=listener, backlog=backlog)
        return await loop.create_server(
            create_protocol,
            sock=listener,
            backlog=backlog,
            ssl=self._tls.context,
            ssl_handshake_timeout=self._timeouts.handshake,
            ssl_shutdown_timeout=self._timeouts.close,
        )

    async def main_loop(self) -> None:
        """Also drop stalled connections, and stop when idle."""
        sweeper = asyncio.create_task(self._sweep())
        try:
            await super().main_loop()
        finally:
            sweeper.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, which would not end by themselves, and drop stalled connections."""
        self._app.hub.close()
        for server in self.servers:
            server.close()
        self.servers.clear()  # asyncio would wait for pending TLS handshakes
        dropping = asyncio.create_task(self._drop_stalled_at_stop())
        await super().shutdown(sockets)
        dropping.cancel()
        if self.force_exit:  # a second Ctrl-C; uvicorn would leave the database open
            self._drop_stalled(timeout=-1)
            await self.lifespan.shutdown()

    async def _drop_stalled_at_stop(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_INTERVAL / 4)
            self._drop_stalled(_STALL_TIMEOUT_AT_STOP)

    def _drop_stalled(self, timeout: float) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpProtocol):
                connection.drop_if_stalled(now, timeout)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        state = self.server_state
        counted, active_at = 0, loop.time()
        while True:
            await asyncio.sleep(_SWEEP_INTERVAL)
            self._drop_stalled(self._timeouts.request)
            if self._tls is not None:
                self._tls.reload_if_changed()
            if state.tasks or state.total_requests > counted:
                counted, active_at = state.total_requests, loop.time()
            elif self._idle_timeout and loop.time() - active_at >= self._idle_timeout:
                logger.info("Stopping: no request for %s s", self._idle_timeout)
                self.should_exit = True


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
            raise InUse(f"{host}:{port}: the port is taken; choose another --port") from None
        # create_server appends an explanation of its own to the system's.
        is_name = isinstance(error, socket.gaierror)
        reason = error.strerror if is_name or error.errno is None else os.strerror(error.errno)
        raise ConfigError(f"{host}:{port}: cannot be bound: {reason}") from None
    except UnicodeError:  # from getaddrinfo, for what cannot be a host's name
        raise ConfigError(f"{host}:{port}: cannot be bound: no name of a host") from None


def _tune_garbage_collector() -> None:
    """Exempt what exists by now, which lives as long as the process. Collect less often: a webhook
    leaves no reference cycles, so this costs hardly any memory."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _config(app: App, timeouts: Timeouts) -> uvicorn.Config:
    return uvicorn.Config(
        app.asgi,
        loop="auto",
        http=partial(  # type: ignore[arg-type]
            HttpProtocol, clock=app.clock, webhooks=app.webhooks, head_timeout=timeouts.head
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
