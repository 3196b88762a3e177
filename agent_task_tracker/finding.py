"""Finds the server of a user's process: its address, and the key to it.

The address: as given; else from the environment (TRACKER_URL, then TRACKER_READY_FILE); else where
`tracker serve` listens with the same variables. The key: as given; else from the ready file; else
API_KEY; else, if the server is on this machine, the one it made on its first run and keeps beside
its database, which is sent only to a server that has proved to have it.

No `.env` is read: the one of a job's working directory may be a stranger's. The commands, which
read it, build on the same parts (`tracker/cli/discovery.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent_task_tracker.address import Address
from agent_task_tracker.credentials import (
    NEEDED,
    Credentials,
    ExplicitKey,
    MissingKey,
    StoredKey,
)
from agent_task_tracker.destination import Destination, destination
from agent_task_tracker.errors import ClientError, Unreachable
from agent_task_tracker.files import MAX_READY_FILE_BYTES, read_regular
from agent_task_tracker.folders import MEMORY, absolute, default_database
from agent_task_tracker.keys import is_generated, is_loopback, kept_in, read_key_file

_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_DEFAULT: Final = "http://127.0.0.1:8000"


class Found(NamedTuple):
    """A server, not contacted yet. `ready_file`: the one that named it."""

    url: str
    credentials: Credentials
    ca_file: str | None = None
    ready_file: str | None = None

    def destinations(self) -> list[Destination]:
        """What it is called in the spool; under the first name reports are kept for it. Raises
        ClientError: the address cannot be right."""
        known = destination(self.url, self.credentials.key_id)
        by_file = [] if self.ready_file is None else [of_ready_file(self.ready_file)]
        if known.key_id:
            return [known, *by_file, known.without_key]
        return by_file or [known]


def find(
    environment: Mapping[str, str],
    *,
    url: str | None = None,
    key: str | None = None,
    ca_file: str | None = None,
) -> Found:
    """The server to use.

    Raises:
        Unreachable: there is no such ready file, so no server.
        ClientError: the address, the ready file or the key cannot be used.
    """
    source = "" if key else "API_KEY"
    key = key or environment.get("API_KEY")
    url = url or environment.get("TRACKER_URL") or None
    ca_file = ca_file or environment.get("TRACKER_CA_FILE") or None
    name = environment.get("TRACKER_READY_FILE")
    if url is None and name:
        ready = ReadyFile(name)
        return Found(ready.url, _credentials_of(ready, key, source), ca_file, name)
    url = url or _listen_url(environment)
    if key:
        return Found(url, _explicit(key, source), ca_file)
    return Found(url, stored_key(url, _database(environment)), ca_file)


def of_ready_file(name: str) -> Destination:
    """The server that will write that ready file; its address is not known yet."""
    return Destination(f"ready-file:{absolute(name)}", "")


def listen_url(unix_socket: str | None, host: str, port: int, *, tls: bool) -> str:
    """The address of a server that is set up so, for clients of the same machine."""
    if unix_socket:
        return f"unix:{unix_socket}"
    host = _LOOPBACK_OF.get(host, host)
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def stored_key(url: str, database: Path | None) -> Credentials:
    """The key beside the database, for a server on this machine only. Raises ClientError: that is
    no server's address."""
    if database is None or not is_loopback(Address(url).host):
        return MissingKey(ClientError(NEEDED))
    try:
        path = kept_in(database)
        key = read_key_file(path)
    except FileNotFoundError:
        return MissingKey(ClientError(f"{NEEDED} (none is kept in {path})"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return MissingKey(
            ClientError(f"{NEEDED} (the one beside {database} cannot be read: {why})")
        )
    if not is_generated(key):
        return MissingKey(
            ClientError(
                f"the key in {path} was chosen by somebody, so no server can prove that it has it, "
                "and it is sent to none by itself: set API_KEY to it, or give --api-key"
            )
        )
    return StoredKey(key, str(path))


class ReadyFile:
    """The content of a ready file."""

    def __init__(self, name: str) -> None:
        """Raises Unreachable: it does not exist; ClientError: it is no ready file."""
        self._name = name
        content = self._read()
        self.url: str = content["url"]
        self.key: str = content["key"] if isinstance(content.get("key"), str) else ""
        self.database: Path | None = None
        if isinstance(content.get("db"), str) and content["db"] != MEMORY:
            self.database = Path(content["db"])

    def credentials(self, user_key: str | None) -> Credentials:
        """The file's key, for the file's address. The file may be stale: a generated key can be
        proved, one that a user chose (perhaps this one, as `user_key`) cannot."""
        if self.key == user_key or not is_generated(self.key):
            return ExplicitKey(self.key, self._name)
        if is_loopback(Address(self.url).host):
            return StoredKey(self.key, self._name)
        return ExplicitKey(self.key, self._name)

    def _read(self) -> dict[str, Any]:
        text = b""
        try:
            with suppress(FileNotFoundError):
                text = read_regular(Path(self._name), MAX_READY_FILE_BYTES)
            content = json.loads(text or "null")
        except (OSError, ValueError, RecursionError) as error:
            why = getattr(error, "strerror", None) or error
            raise ClientError(f"{self._name}: cannot be read as a ready file: {why}") from None
        if not text:  # also one that was made to be written by the server
            raise Unreachable(
                f"{self._name}: there is no such ready file, so the server is not running (yet); "
                "`tracker wait --ready` waits for it"
            )
        if not isinstance(content, dict) or not isinstance(content.get("url"), str):
            raise ClientError(f"{self._name}: this is not a server's ready file")
        return content


def _credentials_of(ready: ReadyFile, key: str | None, source: str) -> Credentials:
    if ready.key:
        return ready.credentials(key)
    if not key:
        return stored_key(ready.url, ready.database)
    if not is_loopback(Address(ready.url).host):
        return MissingKey(
            ClientError(
                f"the ready file names {ready.url}, which is not on this machine, where a server "
                "writes such files: no key is sent there; if it is meant, give the address"
            )
        )
    return _explicit(key, source)


def _explicit(key: str, source: str) -> Credentials:
    try:
        return ExplicitKey(key, source)
    except ClientError as error:
        return MissingKey(error)


def _listen_url(environment: Mapping[str, str]) -> str:
    try:
        port = int(environment.get("TRACKER_PORT") or 8000)
    except ValueError:
        raise ClientError("TRACKER_PORT: expected a whole number") from None
    return listen_url(
        environment.get("TRACKER_UNIX_SOCKET"),
        environment.get("TRACKER_HOST") or "127.0.0.1",
        port,
        tls=bool(environment.get("TRACKER_TLS_CERT")),
    )


def _database(environment: Mapping[str, str]) -> Path | None:
    name = environment.get("TRACKER_DB")
    if name == MEMORY:
        return None
    try:
        return Path(name) if name else default_database(environment)
    except RuntimeError:  # the user has no home
        return None


class Whereabouts:
    """Where the server is, as it was found last. `look` is asked again while nothing answers there:
    a server that is started later makes its key then.

    If none is found (`problem` says why), reports are kept for the one of the ready file that is to
    come, else for the one that would listen here by default."""

    def __init__(self, look: Callable[[], Found], environment: Mapping[str, str]) -> None:
        """`look` may raise ClientError."""
        self._look = look
        self._environment = environment
        self.problem: str | None = None
        self.look_again()

    def look_again(self) -> None:
        """Find it once more."""
        self.problem = None
        try:
            self.found = self._look()
            self.destinations = self.found.destinations()
        except Exception as error:  # noqa: BLE001 - also what an address of another type raises
            words = str(error) if isinstance(error, ClientError) else f"no address: {error!r}"
            self.problem = words
            name = self._environment.get("TRACKER_READY_FILE")
            self.found = Found(_DEFAULT, MissingKey(ClientError(words)), None, name)
            self.destinations = self.found.destinations()

    @property
    def destination(self) -> Destination:
        """Under which name reports are kept for it."""
        return self.destinations[0]
