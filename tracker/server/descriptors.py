"""How many files, and so connections, the process may have open."""

from __future__ import annotations

import contextlib
import sys
from typing import Final

# One a connection; 16,000 idle ones take 170 MB, and 40 ms of each second.
_WANTED: Final = 16_384

# What macOS grants at least where it claims that there is no limit (OPEN_MAX).
_MODEST: Final = 10_240


def raise_limit() -> int:
    """Let this process open more files, as far as it may without being privileged: shells give
    1,024, or 256, so that programs with `select` do not fail. Returns how many it may open."""
    if sys.platform == "win32":  # no limit that would be reached earlier
        return _WANTED
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    for wanted in (_WANTED, _MODEST):
        target = wanted if hard == unlimited else min(wanted, hard)
        if soft == unlimited or soft >= target:
            break
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            soft = target
    return _WANTED if soft == unlimited else soft
