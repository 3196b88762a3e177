"""Finds the server for its clients, and the key to it.

The address: as told by a flag; else by the environment (TRACKER_URL, then TRACKER_READY_FILE); else
by `.env`, see below; else where `tracker serve` listens with the same settings.

The key: as told by a flag; else the ready file's (an ephemeral server's is there); else API_KEY;
else, if the server is on this machine, the one it made on its first run and keeps beside its
database. It goes to nobody who has not proved to have it.

A `.env` may be a stranger's. So an address of it counts only with a key of it: else the user's key
and reports would go where the stranger wants them. Likewise the content of a ready file.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent_task_tracker.client import Client
from agent_task_tracker.credentials import Credentials, ExplicitKey, MissingKey, StoredKey
from agent_task_tracker.errors import ClientError, Unreachable
from agent_task_tracker.transport import Address, Transport
from tracker.auth.keys import is_generated, is_loopback, read_key_file
from tracker.config.paths import MAX_READY_FILE_BYTES, MEMORY, kept_in
from tracker.config.settings import default_database, load
from tracker.config.variables import DotEnv, filter_dotenv
from tracker.files import read_regular

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}

# In the order in which they count.
_ADDRESSES: Final = ("TRACKER_URL", "TRACKER_READY_FILE", "TRACKER_HOST", "TRACKER_PORT")

_LISTENING: Final = ("TRACKER_HOST", "TRACKER_PORT")

_TIMEOUT: Final = 10.0


class Found(NamedTuple):
    """A server, which has not been spoken to yet; and the variables of `.env` that were left out
    of account because it may be a stranger's."""

    url: str
    credentials: Credentials
    ignored: tuple[str, ...] = ()

    def client(self, patience: float) -> Client:
        """Raises ClientError: the address cannot be right."""
        return Client.over(Transport(self.url, self.credentials, _TIMEOUT, patience))


def find(
    environment: Mapping[str, str],
    dotenv: DotEnv,
    *,
    url: str | None = None,
    ready_file: str | None = None,
    api_key: str | None = None,
) -> Found:
    """The server that is meant.

    Raises:
        Unreachable: there is no such ready file, so no such server.
        ClientError: the address, the ready file or the key cannot be used.
        ConfigError: a variable's value is not what its setting takes.
    """
    if url is None and ready_file is None:
        url = environment.get("TRACKER_URL") or None
        ready_file = environment.get("TRACKER_READY_FILE")
    seeker = _Seeker(environment, dotenv, api_key)
    if url is not None:
        return seeker.at(url)
    if ready_file is not None:
        return seeker.named_by(ready_file)
    return seeker.by_dotenv() or seeker.as_served()


class _Seeker:
    """What is known apart from the address."""

    def __init__(self, environment: Mapping[str, str], dotenv: DotEnv, api_key: str | None) -> None:
        self._environment = environment
        self._dotenv = dotenv
        self._told = api_key
        # The user's own: it goes nowhere that a stranger has named.
        self._chosen = api_key or environment.get("API_KEY")
        self._key = self._chosen
        if "API_KEY" not in environment:
            self._key = self._key or dotenv.values.get("API_KEY")
        self._trusted, self._ignored = filter_dotenv(dotenv, environment, {})

    def at(self, url: str) -> Found:
        """At an address that the user named."""
        if self._key:
            return Found(url, ExplicitKey(self._key))
        ignored = ("TRACKER_DB",) if "TRACKER_DB" in self._ignored else ()
        return Found(url, _kept(url, self._database()), ignored)

    def named_by(self, ready_file: str) -> Found:
        """Where a ready file says that the user named. Who wrote it is another question."""
        ready = _Ready(ready_file)
        if ready.key and not self._told:
            return Found(ready.url, ready.credentials(self._chosen))
        if not self._key:
            return Found(ready.url, _kept(ready.url, ready.database))
        if not _is_on_this_machine(ready.url):
            raise ClientError(
                f"{ready_file}: names {ready.url}, which is not on this machine, where a server "
                "writes such files: no key is sent there; if it is meant, give --url"
            )
        return Found(ready.url, ExplicitKey(self._key))

    def by_dotenv(self) -> Found | None:
        """Where `.env` says, if it has the key too."""
        url = self._dotenv.values.get("TRACKER_URL")
        ready_file = self._dotenv.values.get("TRACKER_READY_FILE")
        if self._chosen or not (url or ready_file):
            return None
        if not url:
            ready = _Ready(str(ready_file))
            if ready.key:
                return Found(ready.url, ready.credentials(None))
            url = ready.url
        if self._key:
            return Found(url, ExplicitKey(self._key))
        own = self._dotenv.own_database
        return Found(url, _kept(url, own)) if own and _is_loopback(url) else None

    def as_served(self) -> Found:
        """Where `tracker serve` listens, as far as `.env` may say so to clients too."""
        without = {name: text for name, text in self._trusted.items() if name not in _ADDRESSES}
        used = without if self._chosen else self._trusted
        if not (self._key or _is_loopback(self._listening(used))):
            used = without
        ignored = (
            name
            for name, text in self._dotenv.values.items()
            if name in _ADDRESSES
            and text
            and name not in self._environment
            and (name not in used or name not in _LISTENING)
        )
        found = self.at(self._listening(used))
        return found._replace(ignored=(*sorted(ignored), *found.ignored))

    def _listening(self, dotenv: Mapping[str, str]) -> str:
        settings = load({}, self._environment, dotenv)
        host = _EVERYWHERE.get(settings.host, settings.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"

    def _database(self) -> Path | None:
        name = load({}, self._environment, self._trusted).db
        return None if name == MEMORY else Path(name) if name else default_database()


class _Ready:
    """What a ready file says."""

    def __init__(self, name: str) -> None:
        """Raises Unreachable: there is none; ClientError: that is none."""
        self._name = name
        content = self._read()
        self.url: str = content["url"]
        self.key: str = content["key"] if isinstance(content.get("key"), str) else ""
        self.database: Path | None = None
        if isinstance(content.get("db"), str) and content["db"] != MEMORY:
            self.database = Path(content["db"])
        self._is_chosen = content.get("key_chosen") is True

    def credentials(self, chosen: str | None) -> Credentials:
        """The file's own key, for the file's own address. It may be stale: what the server made it
        can prove; what its user chose (`chosen` by this one too, perhaps) it cannot."""
        if self._is_chosen or self.key == chosen or not is_generated(self.key):
            return ExplicitKey(self.key)
        return StoredKey(self.key, self._name) if _is_loopback(self.url) else ExplicitKey(self.key)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(read_regular(Path(self._name), MAX_READY_FILE_BYTES))
        except FileNotFoundError:
            raise Unreachable(
                f"{self._name}: there is no such ready file, so the server is not running (yet); "
                "`tracker wait --ready` waits for it"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise ClientError(f"{self._name}: cannot be read as a ready file: {error}") from None
        if not isinstance(content, dict) or not isinstance(content.get("url"), str):
            raise ClientError(f"{self._name}: this is not a server's ready file")
        return content


def _kept(url: str, database: Path | None) -> Credentials:
    """The key of a server on this machine. A server elsewhere is never shown it."""
    needed = "the server's API key is needed: set API_KEY, or give --api-key"
    if database is None or not _is_loopback(url):
        return MissingKey(ClientError(needed))
    try:
        path = kept_in(database)
        key = read_key_file(path)
    except (OSError, ValueError):
        return MissingKey(ClientError(needed))
    if not is_generated(key):
        return MissingKey(
            ClientError(
                f"the key in {path} was chosen by somebody, so no server can prove that it has it, "
                "and it is sent to none by itself: set API_KEY to it, or give --api-key"
            )
        )
    return StoredKey(key, str(path))


def _is_loopback(url: str) -> bool:
    """Raises ClientError: that is no server's address."""
    return is_loopback(Address.of(url).host)


def _is_on_this_machine(url: str) -> bool:
    """Whether the address is this machine's own. A name is not asked for: whoever chose it could
    answer differently the next time."""
    if _is_loopback(url):
        return True
    host = Address.of(url).host
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.connect((host, 9))  # sends nothing; what is at home is reached from itself
            return bool(one.getsockname()[0] == host)
    except (OSError, ValueError):
        return False
