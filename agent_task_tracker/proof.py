"""The server's proof that it has a key, requested before a client sends it: `GET /proof`.

A client that finds a key beside a database does not know who listens at the database's old port.
It asks for a proof over a nonce of its own. The address of the connection is signed too, so a proof
relayed from the real server at another address proves nothing.

docs/api.md describes it for authors of clients.
"""

from __future__ import annotations

import binascii
import re
from _operator import _compare_digest as compare_digest  # hmac's, which loads OpenSSL

from agent_task_tracker.digests import hmac_sha256, sha256
from agent_task_tracker.light_typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ipaddress

LABEL: Final = b"tracker-proof"
_KEY_ID_LABEL: Final = b"tracker-key-id"

# 16 to 64 bytes in base64url without padding.
NONCE_PATTERN: Final = r"^[A-Za-z0-9_-]{22,86}$"
KEY_ID_PATTERN: Final = r"^[0-9a-f]{16}$"


def key_id(key: str) -> str:
    """Identifies a key of 256 random bits, and reveals nothing of it."""
    return id_of(secret_of(key))


def proof(key: str, nonce: bytes, address: str, port: int) -> str:
    """The proof that only a holder of the key can compute, for `nonce` and a connection whose
    server's end is `address` and `port`."""
    return prove(secret_of(key), nonce, address, port)


def secret_of(key: str) -> bytes:
    """What proofs are made with: the key's SHA-256, which a server may keep in the key's place."""
    return sha256(key.encode())


def id_of(secret: bytes) -> str:
    """See `key_id`."""
    return sha256(_KEY_ID_LABEL + secret).hex()[:16]


def prove(secret: bytes, nonce: bytes, address: str, port: int) -> str:
    """See `proof`."""
    # A socket tells these two in their canonical form, and a hook is waited for.
    known = address in ("127.0.0.1", "::1")
    end = f"{address if known else canonical(address)} {port}".encode()
    message = LABEL + bytes([len(nonce)]) + nonce + end
    return encode(hmac_sha256(secret, message))


def is_proof(given: object, key: str, nonce: bytes, address: str, port: int) -> bool:
    """Whether that is the proof, compared in constant time."""
    expected = proof(key, nonce, address, port)
    return isinstance(given, str) and compare_digest(
        given.encode("utf-8", "replace"), expected.encode()
    )


def canonical(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IP address in canonical form: IPv4 instead of IPv4-mapped IPv6, and without a zone. Raises
    ValueError."""
    import ipaddress  # noqa: PLC0415

    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return parsed if mapped is None else mapped


def encode(data: bytes) -> str:
    """Base64url (RFC 4648, 5) without padding."""
    text = binascii.b2a_base64(data, newline=False).decode()
    return text.rstrip("=").replace("+", "-").replace("/", "_")


def decode_nonce(text: str) -> bytes:
    """The nonce that `text` carries. Raises ValueError."""
    if not re.fullmatch(NONCE_PATTERN, text) or len(text) % 4 == 1:
        raise ValueError("expected base64url, without padding, of 16 to 64 bytes")
    plain = text.replace("-", "+").replace("_", "/")
    return binascii.a2b_base64(plain + "=" * (-len(text) % 4))
