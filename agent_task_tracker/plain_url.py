"""Addresses of servers as they are mostly written, read without a parser of URLs.

An agent waits for a hook, and the standard library's parsers take longer to import than the hook
has. `address.Address` reads all addresses, and says what is wrong with one.
"""

from __future__ import annotations

import os
import re
import stat

from agent_task_tracker.light_typing import Final, NamedTuple

UNIX: Final = "unix:"
NEAR: Final = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::1": "::1"}
"""Names of this machine, and the address of each."""

PORTS: Final = {"http": 80, "https": 443}

_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH

_PLAIN: Final = (
    r"(https?)://"
    r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[::1\])"
    r"(?::([1-9]\d{0,4}))?"
    r"((?:/[A-Za-z0-9._~-]+)*)/?"
)


class Place(NamedTuple):
    """Where a server listens. `prefix`: the path under which it answers, without a slash at the
    end."""

    scheme: str
    host: str
    port: int
    prefix: str


def plain(url: str) -> Place | None:
    """Where that is; None: it is written in another way, or is no address."""
    found = re.fullmatch(_PLAIN, url, re.ASCII)
    if found is None or int(found[3] or 1) > 65_535:
        return None
    return Place(found[1], found[2].strip("[]"), int(found[3] or PORTS[found[1]]), found[4])


def is_near(url: str) -> bool:
    """Whether the server is reached at once, if there is one: on this machine, without TLS."""
    place = plain(url)
    if place is None:
        return bool(socket_path(url)) and os.name == "posix"
    return place.scheme == "http" and place.host in NEAR


def socket_path(url: str) -> str:
    """The path of a Unix socket, without links in its folder; empty: it is none."""
    path = url.removeprefix(UNIX)
    if path == url or not path or path.endswith("/") or not path.isprintable():
        return ""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)


def why_untrusted(path: str) -> str | None:
    """Why another user than this one, or root, may have made the socket; None: none can have.
    Raises OSError."""
    user, found = os.geteuid(), os.lstat(path)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != user:
        return "it is not this user's"
    if found.st_mode & _WRITABLE_BY_OTHERS:
        return "others may write to it"
    folder = path
    while (parent := os.path.dirname(folder)) != folder:
        folder = parent
        found = os.lstat(folder)
        if found.st_uid not in (user, 0):
            return f"{folder} is another user's"
        if found.st_mode & _WRITABLE_BY_OTHERS and not found.st_mode & stat.S_ISVTX:
            return f"others may write to {folder}"
    return None
