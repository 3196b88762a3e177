"""`connections.json`: which agents are connected, to which server, with which key.

`tracker connect` writes it, hooks read it, at every event. It lies in the user's configuration
folder, mode 0600, and is replaced by renaming, so that it is always whole.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Mapping

from agent_task_tracker import user_folders
from agent_task_tracker.destination import Destination, destination
from agent_task_tracker.errors import ClientError
from agent_task_tracker.files import read_regular
from agent_task_tracker.keys import is_generated, public_id
from agent_task_tracker.light_typing import Any, Final, NamedTuple

VERSION: Final = 1

_NAME: Final = "connections.json"
_MAX_BYTES: Final = 4 * 1024 * 1024
_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)

Entry = dict[str, Any]


class Connection(NamedTuple):
    """What hooks need of an entry. `ca_file`: trusted certificates in PEM, instead of the
    system's; `private`: no texts are told."""

    url: str
    key: str
    ca_file: str | None = None
    private: bool = False

    @property
    def destination(self) -> Destination:
        """What its server is called in the spool. Raises ClientError: the address cannot be
        right."""
        return destination(self.url, public_id(self.key))

    @property
    def is_proven(self) -> bool:
        """Whether a server can prove that it has the key, and has to before it is sent to one on
        this machine."""
        return is_generated(self.key)


def path(environment: Mapping[str, str]) -> str:
    """Where the file is: TRACKER_CONNECTIONS, else in the user's configuration folder. Raises
    RuntimeError: the user has no home."""
    given = environment.get("TRACKER_CONNECTIONS")
    if given:
        return user_folders.absolute(given)
    return os.path.join(user_folders.configuration(environment), _NAME)


def load(file: str) -> dict[str, Entry]:
    """The entries by agent, with all that is in them; none if there is no file.

    Raises:
        ClientError: it is no such file, or a newer program's.
        OSError: it cannot be read.
    """
    try:
        content = json.loads(read_regular(file, _MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        raise ClientError(
            f"{file}: this is no JSON; mend it, or remove it and connect again"
        ) from None
    found = content.get("connections") if isinstance(content, dict) else None
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise ClientError(f"{file}: there are no connections in it; remove it and connect again")
    if content.get("version") != VERSION:
        raise ClientError(
            f"{file}: a newer program wrote it (version {content.get('version')!r}); upgrade this "
            "one"
        )
    return found


def connection(entry: Entry) -> Connection:
    """What hooks need of an entry. Raises ClientError: it is not there."""
    url, key, ca_file = entry.get("url"), entry.get("key"), entry.get("ca_file")
    options = entry.get("options")
    if not isinstance(url, str) or not isinstance(key, str):
        raise ClientError("an entry needs url and key; connect the agent again")
    if not (key.isascii() and key.isprintable()):
        raise ClientError("the key of an entry is none; connect the agent again")
    options = {} if options is None else options
    private = not isinstance(options, dict) or bool(options.get("private"))
    return Connection(url, key, ca_file if isinstance(ca_file, str) else None, private)


def to_server(environment: Mapping[str, str], addresses: Collection[str]) -> list[Connection]:
    """The connections to a server, by what it is called in the spool. What is wrong with others is
    for `tracker agents` to say. Raises OSError, ClientError: see `load`."""
    try:
        entries = load(path(environment))
    except RuntimeError:  # the user has no home
        return []
    found = []
    for entry in entries.values():
        with contextlib.suppress(ClientError):
            connected = connection(entry)
            if connected.destination.address in addresses:
                found.append(connected)
    return found


def save(file: str, entries: Mapping[str, Entry]) -> None:
    """Replace the file, through links to where it is: others see the one before, or this. Raises
    OSError."""
    target = os.path.realpath(file)
    folder = os.path.dirname(target)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    content = json.dumps({"version": VERSION, "connections": entries}, indent=2).encode() + b"\n"
    part = f"{target}.{os.getpid()}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    if os.name == "posix":  # so that a power cut does not bring the one before back
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
