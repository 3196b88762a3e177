"""What a signal ends tidies up first: no file is left half."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

# As a shell has it for a program that a signal has ended.
_BY_SIGNAL: Final = 128

_ENDING: Final = ("SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def tidy_end(*names: str) -> Iterator[None]:
    """Have signals (by default SIGTERM and the end of the terminal) end the block by SystemExit, as
    Ctrl-C does by KeyboardInterrupt."""
    numbers = [getattr(signal, name) for name in names or _ENDING if hasattr(signal, name)]
    # What was ignored on purpose (nohup) stays so.
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _end) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(_BY_SIGNAL + number)
