"""Accepts connections, as many as there may be.

The event loop's own servers accept whatever comes: asyncio's logs a traceback each second when
there are no descriptors left, uvloop's takes the last one and hangs up on whoever comes then.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from tracker.addresses import counted_address
from tracker.clock import Clock
from tracker.server.logs import SeldomWarning
from tracker.server.slots import Slot, Slots
from tracker.server.tls import Tls
from tracker.timeouts import Timeouts

logger = logging.getLogger(__name__)

# Seconds until the next try, if the system cannot accept a connection.
_RETRY_DELAY: Final = 1.0

_TCP: Final = (socket.AF_INET, socket.AF_INET6)

# Seconds for connections without TLS to get their protocols, at the end.
_MOMENT: Final = 0.1


class Acceptor:
    """Accepts connections, and hands each to a protocol of its own."""

    def __init__(
        self,
        create_protocol: Callable[..., asyncio.Protocol],
        slots: Slots,
        tls: Tls | None,
        timeouts: Timeouts,
        clock: Clock,
    ) -> None:
        """`create_protocol` is called with `slot`, the connection's."""
        self._create_protocol = create_protocol
        self._slots = slots
        self._tls = tls
        self._timeouts = timeouts
        self._failed = SeldomWarning(clock, logger)
        self._watched: list[socket.socket] = []
        self._accepting: set[asyncio.Task[None]] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    def listen(self, listener: socket.socket) -> None:
        """Begin to accept; with TLS, unless it is a Unix socket."""
        listener.setblocking(False)
        try:
            self._watch(listener)
        except NotImplementedError:  # the event loop of Windows
            self._start(self._accept_one_by_one(listener), self._accepting)
        else:
            self._watched.append(listener)

    async def close(self) -> None:
        """Accept no more. What was accepted gets its protocol, unless that takes a handshake."""
        for listener in self._watched:
            asyncio.get_running_loop().remove_reader(listener)
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        if self._connecting:
            await asyncio.wait(self._connecting, timeout=_MOMENT)

    def _watch(self, listener: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Called while connections wait. A few are accepted and heard before more are, or a burst
        of agents would close each other's connections before their keys have been read."""
        try:
            for _ in range(self._slots.burst):
                if self._slots.are_taken():
                    self._pause(listener, 0.0)
                    break
                self._take(*listener.accept())
        except (BlockingIOError, ConnectionError):  # there is no more, or it was reset by now
            pass
        except OSError as error:
            self._log(error)
            self._pause(listener, _RETRY_DELAY)

    def _pause(self, listener: socket.socket, seconds: float) -> None:
        asyncio.get_running_loop().remove_reader(listener)
        self._start(self._resume(listener, seconds), self._accepting)

    async def _resume(self, listener: socket.socket, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._slots.wait_for_one()
        self._watch(listener)

    async def _accept_one_by_one(self, listener: socket.socket) -> None:
        while True:
            await self._slots.wait_for_one()
            try:
                self._take(*await asyncio.get_running_loop().sock_accept(listener))
            except ConnectionError:
                pass
            except OSError as error:
                self._log(error)
                await asyncio.sleep(_RETRY_DELAY)
            await asyncio.sleep(0)

    def _log(self, error: OSError) -> None:
        if error.errno == errno.EMFILE:
            self._slots.log_exhausted()
        else:
            self._failed.log("No connections can be accepted at the moment: %s", error.strerror)

    def _take(self, connection: socket.socket, peer: object) -> None:
        connection.setblocking(False)
        if connection.family in _TCP:  # uvloop does so by itself
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        slot = self._slots.take(counted_address(peer if isinstance(peer, tuple) else None))
        slot.holder = _Handshake(connection)
        self._start(self._connect(connection, slot), self._connecting)

    async def _connect(self, connection: socket.socket, slot: Slot) -> None:
        """Hand the connection to its protocol; with TLS, after the handshake."""
        create_protocol = partial(self._create_protocol, slot=slot)
        options: dict[str, Any] = {}
        if self._tls is not None and connection.family in _TCP:
            options = {
                "ssl": self._tls.context,
                "ssl_handshake_timeout": self._timeouts.handshake,
                "ssl_shutdown_timeout": self._timeouts.close,
            }
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError), contextlib.ExitStack() as undo:  # of those who left
            undo.callback(connection.close)
            undo.callback(slot.free)
            await loop.connect_accepted_socket(create_protocol, connection, **options)
            undo.pop_all()

    def _start(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)


class _Handshake:
    """A connection that has no protocol yet."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def is_answering(self) -> bool:
        return False

    def abort(self) -> None:
        """End it as if the client had: the event loop owns the descriptor by now."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
