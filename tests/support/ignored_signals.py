"""Signals that this process ignores since its start, as under `nohup` and in a script's background:
without more, every process that a test starts would ignore them too."""

from __future__ import annotations

import signal

_NAMES = ("SIGINT", "SIGQUIT", "SIGHUP")


def keep_to_ourselves() -> None:
    """Ignore them by a handler: processes that are executed from now on do not have it."""
    for name in _NAMES:
        number = getattr(signal, name, None)  # Windows has not all of them
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
