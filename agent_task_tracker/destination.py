"""Which server reports are for, by its address and by the key to it, however it is written."""

from __future__ import annotations

from agent_task_tracker.digests import sha256
from agent_task_tracker.keys import is_loopback
from agent_task_tracker.light_typing import NamedTuple
from agent_task_tracker.plain_url import PORTS, Place, plain, socket_path


class Destination(NamedTuple):
    """A server. `key_id`: of the key that the reports are sent with, never the key; empty: the key
    was not known yet, and whoever has one for the address may send them."""

    address: str
    key_id: str

    @property
    def folder_name(self) -> str:
        """The name of its folder in the spool."""
        return sha256(f"{self.address}\n{self.key_id}".encode()).hex()[:20]

    @property
    def without_key(self) -> Destination:
        """The same server, of which no key is known."""
        return self._replace(key_id="")


def destination(url: str, key_id: str) -> Destination:
    """The destination of a server's URL. Raises ClientError: that is no server's address."""
    place = plain(url)
    if place is None:
        path = socket_path(url)
        if path:
            return Destination(f"unix:{path}", key_id)
        place = _read(url)
    host = "localhost" if is_loopback(place.host) else place.host.lower()
    name = f"[{host}]" if ":" in host else host
    return Destination(f"{place.scheme}://{name}:{place.port}{place.prefix}", key_id)


def _read(url: str) -> Place:
    from agent_task_tracker.address import Address  # noqa: PLC0415 - much, and seldom needed

    address = Address(url)
    port = address.port or PORTS[address.scheme]
    return Place(address.scheme, address.host, port, address.prefix)
