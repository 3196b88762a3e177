"""Which server reports are for, by its address and by the key to it, however it is written."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from agent_task_tracker.address import Address
from agent_task_tracker.keys import is_loopback


class Destination(NamedTuple):
    """A server. `key_id`: of the key that the reports are sent with, never the key; empty: the key
    was not known yet, and whoever has one for the address may send them."""

    address: str
    key_id: str

    @property
    def folder_name(self) -> str:
        """The name of its folder in the spool."""
        return hashlib.sha256(f"{self.address}\n{self.key_id}".encode()).hexdigest()[:20]

    @property
    def without_key(self) -> Destination:
        """The same server, of which no key is known."""
        return self._replace(key_id="")


def destination(url: str, key_id: str) -> Destination:
    """The destination of a server's URL. Raises ClientError: that is no server's address."""
    address = Address(url)
    if url.startswith("unix:"):
        return Destination(f"unix:{address.socket_path}", key_id)
    host = "localhost" if is_loopback(address.host) else address.host.lower()
    scheme, _, _ = url.partition(":")
    port = address.port or (443 if scheme == "https" else 80)
    name = f"[{host}]" if ":" in host else host
    return Destination(f"{scheme.lower()}://{name}:{port}{address.prefix}", key_id)
