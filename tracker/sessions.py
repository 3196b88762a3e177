"""Browser sessions: what a page holds instead of the API key, signed with SECRET_KEY.

A session is its own proof, kept nowhere here: the time it ends, and an HMAC-SHA256 over that time
and the API key's hash. Another API key or another SECRET_KEY thus ends all sessions at once.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from tracker.clock import Clock
from tracker.keys import Keys

# Seconds (the contract's "Authentication").
LIFETIME: Final = 12 * 3600


class Sessions:
    """Issues sessions and recognises them."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._secret = keys.secret.encode()
        self._key_hash = hashlib.sha256(keys.api.encode()).digest()
        self._clock = clock
        # Cookies do not tell ports apart: each server of a host needs a name of its own.
        self.cookie: Final = f"tracker_session_{self._sign(b'name')[:8]}"

    def issue(self) -> tuple[str, int]:
        """A new session, and when it ends in milliseconds since the epoch."""
        ends = self._clock.now_ms() + LIFETIME * 1000
        return f"{ends}.{self._sign(b'%d' % ends)}", ends

    def recognises(self, session: str) -> bool:
        """Whether it was issued here, under the keys in force, and has not ended."""
        ends, _, signature = session.partition(".")
        if not (ends.isascii() and ends.isdigit() and len(ends) < 20):
            return False
        expected = self._sign(ends.encode())
        genuine = hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode())
        return genuine and self._clock.now_ms() < int(ends)

    def _sign(self, message: bytes) -> str:
        return hmac.new(self._secret, self._key_hash + message, hashlib.sha256).hexdigest()
