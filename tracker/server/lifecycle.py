"""How the server begins and ends: listeners, signals, streams, what has stalled.

Uses parts of uvicorn that are not public; it is pinned in pyproject.toml.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, cast

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from tracker.api.application import App
from tracker.errors import StartupError
from tracker.server.acceptor import Acceptor
from tracker.server.http import HttpProtocol
from tracker.server.slots import Slots
from tracker.server.tls import Tls
from tracker.timeouts import Timeouts

logger = logging.getLogger(__name__)

# Seconds.
_STALL_TIMEOUT_AT_STOP: Final = 2.0
_SWEEP_INTERVAL: Final = 1.0


class Server(uvicorn.Server):
    """uvicorn's server, except for how it begins and ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: App,
        on_ready: Callable[[], None],
        slots: Slots,
        tls: Tls | None,
        timeouts: Timeouts,
        *,
        idle_timeout: float,
    ) -> None:
        """`idle_timeout`: seconds without requests and streams after which to stop, 0: never."""
        super().__init__(config)
        self._slots = slots
        self._tls = tls
        self._timeouts = timeouts
        self._idle_timeout = idle_timeout
        self.died = False
        self.ready_error: StartupError | None = None
        self._app = app
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal, and exit with our own code rather than by raising the signal again.

        Further ones do not end the process, also once uvicorn has put back the handlers that it
        found: the database is still to be closed then, and temporary files to be removed.
        """
        if threading.current_thread() is threading.main_thread():
            for number in HANDLED_SIGNALS:
                signal.signal(number, self.handle_exit)
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Call `on_ready` once connections are accepted; if that fails, shut down cleanly."""
        await super().startup([])  # uvicorn would use TLS on all sockets, and accept without end
        if self.started:
            create_protocol = partial(
                cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class),
                config=self.config,
                server_state=self.server_state,
                app_state=self.lifespan.state,
            )
            self._acceptor = Acceptor(
                create_protocol, self._slots, self._tls, self._timeouts, self._app.clock
            )
            for listener in sockets or ():
                self._acceptor.listen(listener)
            try:
                self._on_ready()
            except StartupError as error:  # through uvicorn it would leave a traceback in the log
                self.ready_error = error
                self.should_exit = True

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
        await self._acceptor.close()
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
