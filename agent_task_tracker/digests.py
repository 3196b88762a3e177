"""SHA-256 without OpenSSL, which takes longer to load than a hook has: by Python's own, as `random`
of the standard library does it."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from hashlib import sha256 as _sha256
else:
    try:
        from _sha2 import sha256 as _sha256
    except ImportError:
        try:
            from _sha256 import sha256 as _sha256  # before Python 3.12
        except ImportError:  # another Python
            from hashlib import sha256 as _sha256

_BLOCK = 64  # bytes


def sha256(data: bytes) -> bytes:
    """The digest."""
    return _sha256(data).digest()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104, for keys no longer than a block."""
    padded = key.ljust(_BLOCK, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in padded) + message)
    return sha256(bytes(byte ^ 0x5C for byte in padded) + inner)
