"""Wrong keys: counted by client address, seldom logged, answered by 429 past ten a minute.

Requests with the right key are not counted, so that guesses from the same address do not block
them. The address is the connection's: behind a proxy, that is the proxy's.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from typing import Final

from tracker.addresses import counted_address
from tracker.clock import Clock

logger = logging.getLogger(__name__)

MAX_PER_WINDOW: Final = 10
"""So many wrong keys in a window get 401, those after them 429."""

# The oldest is forgotten when there are more.
_MAX_ADDRESSES: Final = 1024

# Seconds without a wrong key after which an address's count begins anew.
_FORGOTTEN_AFTER: Final = 3600.0

# Lines in the log, for all addresses together, and the window for them in seconds.
_MAX_LINES: Final = 20
_LINES_WINDOW: Final = 60.0


class _Guesser:
    __slots__ = ("latest", "opened", "total", "used")

    def __init__(self) -> None:
        self.opened = self.latest = -math.inf
        self.used = 0  # in the window
        self.total = 0


class WrongKeys:
    """Counts wrong keys, and limits them."""

    def __init__(self, clock: Clock, window: float) -> None:
        """`window`: seconds, from an address's first wrong key on."""
        self._clock = clock
        self._window = window
        self._guessers: OrderedDict[str, _Guesser] = OrderedDict()
        self._lines_since = -math.inf
        self._lines = 0

    def take(self, client: tuple[str, int] | None) -> int:
        """Count one from this address and port. Returns the whole seconds until the next one is
        allowed; 0 if this one still is."""
        now = self._clock.monotonic()
        address = counted_address(client)
        guesser = self._guessers.pop(address, None)
        if guesser is None or now - guesser.latest >= _FORGOTTEN_AFTER:
            guesser = _Guesser()
        self._guessers[address] = guesser  # the newest
        if len(self._guessers) > _MAX_ADDRESSES:
            self._guessers.popitem(last=False)
        if now - guesser.opened >= self._window:
            guesser.opened, guesser.used = now, 0
        guesser.latest = now
        guesser.used += 1
        guesser.total += 1
        if _is_power_of_ten(guesser.total):
            self._log(now, address, guesser.total)
        if guesser.used <= MAX_PER_WINDOW:
            return 0
        return math.ceil(guesser.opened + self._window - now)

    def _log(self, now: float, address: str, count: int) -> None:
        if now - self._lines_since >= _LINES_WINDOW:
            self._lines_since, self._lines = now, 0
        self._lines += 1
        if self._lines < _MAX_LINES:
            logger.warning("Wrong API keys from %s: %d", address, count)
        elif self._lines == _MAX_LINES:
            logger.warning("Wrong API keys from more addresses; no more are named this minute")


def _is_power_of_ten(number: int) -> bool:
    text = str(number)
    return text[0] == "1" and not text[1:].strip("0")
