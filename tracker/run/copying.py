"""Copies what a command writes to where it would have gone, byte for byte."""

from __future__ import annotations

import errno
import os
import select
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from tracker.run.child import CannotRun, spawn
from tracker.run.tail import Tail

_CHUNK: Final = 64 * 1024

# Bytes that are copied after the command has ended, while others still hold its pipe: more than any
# pipe or terminal holds, so all that is the command's own is among them.
_REST: Final = 1024 * 1024


class Copy(threading.Thread):
    """Copies from `source`, the end of a pipe or terminal, to `sink`, until its end, or until the
    command has ended (`ended` is hung up) and nothing is left of it.

    If the sink breaks, the source is closed, so that the command meets at its next write what it
    would have met without us. `failure`: why it broke, if it is no broken pipe.
    """

    def __init__(self, source: int, sink: int, ended: int, tail: Tail) -> None:
        super().__init__(daemon=True)
        self._source = source
        self._sink = sink
        self._ended = ended
        self._tail = tail
        self._is_open = True
        self.failure: OSError | None = None

    def run(self) -> None:
        """See threading.Thread."""
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._sink, 0)  # broken pipes are reported without being asked for
        poll.register(self._ended, 0)
        left = None
        while left is None or left > 0:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._sink in ready:
                return self._close()
            if self._ended in ready and left is None:
                left = _REST  # look again: what came before the end may have been missed
            elif self._source in ready:
                data = self._read()
                if not data:
                    self._is_open = False
                    return None
                if not self._write(data):
                    return self._close()
                left = None if left is None else left - len(data)
            elif self._ended in ready:
                return None
        return None

    def leave_to_others(self, mask: Iterable[int]) -> None:
        """After the end: if processes that the command left behind still hold its output, have what
        they write copied on, for as long as they live. They are not waited for."""
        if self._is_open:
            with suppress(CannotRun):
                spawn(["cat"], [self._source, self._sink, None], mask)

    def _read(self) -> bytes:
        try:
            data = os.read(self._source, _CHUNK)
        except OSError:  # how Linux reports the end of a terminal
            return b""
        self._tail.add(data)
        return data

    def _write(self, data: bytes) -> bool:
        remaining = memoryview(data)
        while remaining:
            try:
                remaining = remaining[os.write(self._sink, remaining) :]
            except BlockingIOError:  # another process made it non-blocking
                select.select([], [self._sink], [])
            except OSError as error:
                if error.errno != errno.EPIPE:
                    self.failure = error
                return False
        return True

    def _close(self) -> None:
        self._is_open = False
        os.close(self._source)
