"""By which address clients are counted."""

from __future__ import annotations

import ipaddress
from typing import Final

NO_ADDRESS: Final = "the Unix socket"
"""In place of an address, which its clients do not have."""

# One holder has all addresses of such a network (RFC 6177).
_IPV6_PREFIX: Final = 64


def counted_address(client: tuple[str, int] | None) -> str:
    """The address to count by, given a client's address and port: of IPv6 the network; one for all
    of loopback, as any program may use each of its 16 million addresses."""
    host = client[0] if client else NO_ADDRESS
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return "127.0.0.1"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((int(address), _IPV6_PREFIX), strict=False))
