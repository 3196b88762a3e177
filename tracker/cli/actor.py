"""Whom the audit log names for what a command does to a database file."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from typing import Final

from tracker.domain.audit import THIS_MACHINE, Actor

_MAX_NAME: Final = 64

if sys.platform != "win32":
    import pwd


def this_user() -> Actor:
    """The command of this user; no key has such a name."""
    return Actor(f"command ({_user()[:_MAX_NAME]})", THIS_MACHINE)


def _user() -> str:
    """By the system, not by the environment."""
    if sys.platform == "win32":
        with contextlib.suppress(OSError, ImportError, KeyError):
            return getpass.getuser()
        return "unknown"
    user = os.getuid()
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # as in containers that run as any user
        return str(user)
