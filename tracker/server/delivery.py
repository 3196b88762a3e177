"""The server takes what waited for it: reports in the spool of its own user and machine.

By the same sender as the programs that report, through its own listening socket: what was sent
before without an answer is recognised by its idempotency key.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agent_task_tracker import connections
from agent_task_tracker.address import Address
from agent_task_tracker.courier import Courier
from agent_task_tracker.credentials import ExplicitKey
from agent_task_tracker.destination import Destination, destination
from agent_task_tracker.errors import ClientError
from agent_task_tracker.keys import is_loopback, public_id
from agent_task_tracker.sender import Delivery, Sender
from agent_task_tracker.spool import Spool
from tracker.config.settings import Settings

logger = logging.getLogger(__name__)

# Seconds between two looks: a process may have died while the server ran.
_INTERVAL: Final = 30.0


class SpoolDelivery:
    """Delivers the spool in the background, from the start on."""

    def __init__(
        self,
        spool: Spool,
        settings: Settings,
        key: str,
        listener: socket.socket,
        environment: Mapping[str, str],
    ) -> None:
        """`key`: the server's own; `environment`: says which agents are connected."""
        self._spool = spool
        self._environment = environment
        host, port = listener.getsockname()[:2]
        bound = f"[{host}]" if ":" in host else host
        name = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(bound, bound)
        scheme = "http" if settings.tls_cert is None else "https"
        self._key = key
        self._address = _OwnAddress(f"{scheme}://{name}:{port}")
        urls = [f"{scheme}://{name}:{port}", f"{scheme}://localhost:{port}"]
        if settings.unix_socket is not None:
            urls.append(f"unix:{settings.unix_socket}")
        if not is_loopback(settings.host):
            urls.append(f"{scheme}://{socket.gethostname()}:{port}")
        if settings.root_path:
            urls += [f"{url}{settings.root_path}" for url in urls if not url.startswith("unix:")]
        self._destinations = list(dict.fromkeys(_named(urls, public_id(key))))
        self._stopping = threading.Event()
        self._told: str | None = None

    def start(self) -> None:
        """The server listens."""
        threading.Thread(target=self._run, name="spool", daemon=True).start()

    def stop(self) -> None:
        """The server ends."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for key, destinations in [(self._key, self._destinations), *self._connected()]:
                if not self._stopping.is_set():
                    self._deliver(key, destinations)
            self._stopping.wait(_INTERVAL)

    def _deliver(self, key: str, destinations: Sequence[Destination]) -> None:
        courier = Courier(self._address, ExplicitKey(key))
        try:
            sender = Sender(self._spool, courier, *destinations)
            self._tell(sender.deliver(self._wait))
        except OSError as error:
            self._warn(f"{self._spool.folder}: {error.strerror or error}")
        finally:
            courier.close()

    def _connected(self) -> Iterator[tuple[str, list[Destination]]]:
        """The keys of agents that are connected to this server. With its own key they would be
        recorded twice: answers that were lost are known by the key that sent the report."""
        here = {destination.address for destination in self._destinations}
        try:
            found = connections.to_server(self._environment, here)
        except (OSError, ClientError) as error:
            self._warn(f"{self._spool.folder} for connected agents: {error}")
            return
        for connection in found:
            yield connection.key, [connection.destination]

    def _wait(self, seconds: float) -> bool:
        return not self._stopping.wait(seconds)

    def _tell(self, delivery: Delivery | None) -> None:
        if delivery is None or self._stopping.is_set():
            return
        if delivery.sent:
            logger.info("Took %s reports that waited in %s", delivery.sent, self._spool.folder)
        if delivery.problem is not None:
            self._warn(f"{self._spool.folder}: {delivery.problem}")

    def _warn(self, text: str) -> None:
        """Once, as long as nothing changes."""
        if text != self._told:
            self._told = text
            logger.warning("Reports wait in %s", text)


class _OwnAddress(Address):
    """This process's own listening socket, whose certificate need not be for a loopback address:
    nobody else can listen there."""

    @property
    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def _named(urls: list[str], key_id: str) -> Iterator[Destination]:
    """What the server is called in the spool, by those who know its key and those who did not."""
    for url in urls:
        known = destination(url, key_id)
        yield known
        yield known.without_key
