"""Finds the server for its clients, and the key to it.

The address: from a flag; else from the environment (TRACKER_URL, then TRACKER_READY_FILE); else
from `.env`, see below; else where `tracker serve` listens with the same settings: on its Unix
socket if it has one, which needs no certificate.

The key: from a flag; else from the ready file (an ephemeral server's is there); else API_KEY; else,
if the server is on this machine, the one it generated on its first run and keeps beside its
database, which is sent only to a server that has proved to have it.

A `.env` may be a stranger's, so its address counts only with its key: else the user's key and
reports would go where the stranger wants them. The same holds for a ready file's content.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from agent_task_tracker.address import Address
from agent_task_tracker.client import Client
from agent_task_tracker.credentials import Credentials, ExplicitKey
from agent_task_tracker.errors import ClientError
from agent_task_tracker.finding import Found, ReadyFile, listen_url, stored_key
from agent_task_tracker.folders import MEMORY
from agent_task_tracker.keys import is_loopback
from agent_task_tracker.transport import Transport
from tracker.config.settings import default_database, load
from tracker.config.variables import DotEnv, filter_dotenv
from tracker.errors import ConfigError

# By precedence.
_LISTENING: Final = ("TRACKER_UNIX_SOCKET", "TRACKER_HOST", "TRACKER_PORT", "TRACKER_TLS_CERT")
_ADDRESSES: Final = ("TRACKER_URL", "TRACKER_READY_FILE", *_LISTENING)

_TIMEOUT: Final = 10.0

_DOTENV: Final = "the address in .env"


class FoundServer(NamedTuple):
    """A server, not contacted yet; and the variables of `.env` that were ignored because it may be
    a stranger's. `is_named`: somebody gave its address, it is not just where one would listen;
    `named_by`: by what, for people."""

    url: str
    credentials: Credentials
    ignored: tuple[str, ...] = ()
    ca_file: str | None = None
    is_named: bool = True
    ready_file: str | None = None
    named_by: str = ""

    def found(self) -> Found:
        """It as the SDK knows it."""
        return Found(self.url, self.credentials, self.ca_file, self.ready_file)

    def client(self, patience: float) -> Client:
        """Raises ClientError: the address cannot be right."""
        return Client.over(self.transport(patience))

    def transport(self, patience: float) -> Transport:
        """Likewise."""
        return Transport(
            self.url, self.credentials, _TIMEOUT, patience, self.ca_file, self.named_by
        )


def find(
    environment: Mapping[str, str],
    dotenv: DotEnv,
    *,
    url: str | None = None,
    ready_file: str | None = None,
    api_key: str | None = None,
    ca_file: str | None = None,
) -> FoundServer:
    """The server to use.

    Raises:
        Unreachable: there is no such ready file, so no server.
        ClientError: the address, the ready file or the key cannot be used.
        ConfigError: a variable's value is not what its setting takes.
    """
    named_by = "--url"
    if url is None and ready_file is None:
        url, named_by = environment.get("TRACKER_URL") or None, "TRACKER_URL"
        ready_file = environment.get("TRACKER_READY_FILE")
    finder = _Finder(environment, dotenv, api_key)
    if url is not None:
        found = finder.for_url(url, named_by)
    elif ready_file is not None:
        found = finder.for_ready_file(ready_file)._replace(
            ready_file=ready_file, named_by=ready_file
        )
    else:
        found = finder.from_dotenv() or finder.from_settings()
    ca_file = ca_file or environment.get("TRACKER_CA_FILE")
    return found._replace(ca_file=ca_file) if ca_file else found


class _Finder:
    """Finds the address; the key and the settings are known."""

    def __init__(self, environment: Mapping[str, str], dotenv: DotEnv, api_key: str | None) -> None:
        self._environment = environment
        self._dotenv = dotenv
        self._flag_key = api_key
        # The user's own: never sent to an address of a stranger's.
        self._user_key = api_key or environment.get("API_KEY")
        self._key = self._user_key
        self._source = "--api-key" if api_key else "API_KEY in the environment"
        if not self._key and "API_KEY" not in environment:
            self._key, self._source = dotenv.values.get("API_KEY"), "API_KEY in .env"
        self._trusted, self._ignored = filter_dotenv(dotenv, environment, {})

    def for_url(self, url: str, named_by: str = "") -> FoundServer:
        """For an address that the user gave, by what `named_by` says."""
        _check(url, named_by)
        if self._key:
            return FoundServer(url, self._explicit(self._key), named_by=named_by)
        ignored = ("TRACKER_DB",) if "TRACKER_DB" in self._ignored else ()
        return FoundServer(url, stored_key(url, self._database()), ignored, named_by=named_by)

    def _explicit(self, key: str) -> ExplicitKey:
        return ExplicitKey(key, self._source)

    def for_ready_file(self, ready_file: str) -> FoundServer:
        """For a ready file that the user named, which a stranger may have written."""
        ready = ReadyFile(ready_file)
        _check(ready.url, ready_file)
        if ready.key and not self._flag_key:
            return FoundServer(ready.url, ready.credentials(self._user_key))
        if not self._key:
            return FoundServer(ready.url, stored_key(ready.url, ready.database))
        if not _is_on_this_machine(ready.url):
            raise ClientError(
                f"{ready_file}: names {ready.url}, which is not on this machine, where a server "
                "writes such files: no key is sent there; if it is meant, give --url"
            )
        return FoundServer(ready.url, self._explicit(self._key))

    def from_dotenv(self) -> FoundServer | None:
        """For the address in `.env`, if it has the key too; with the CA file in it."""
        found = self._addressed_by_dotenv()
        if found is None:
            return None
        _check(found.url, _DOTENV)
        ca_file = self._dotenv.values.get("TRACKER_CA_FILE") or None
        return found._replace(ca_file=ca_file, named_by=_DOTENV)

    def _addressed_by_dotenv(self) -> FoundServer | None:
        url = self._dotenv.values.get("TRACKER_URL")
        ready_file = self._dotenv.values.get("TRACKER_READY_FILE")
        if self._user_key or not (url or ready_file):
            return None
        if not url:
            ready = ReadyFile(str(ready_file))
            if ready.key:
                return FoundServer(ready.url, ready.credentials(None))
            url = ready.url
        if self._key:
            return FoundServer(url, self._explicit(self._key))
        own = self._dotenv.own_database
        return FoundServer(url, stored_key(url, own)) if own and _is_loopback(url) else None

    def from_settings(self) -> FoundServer:
        """For the address where `tracker serve` listens, as far as `.env` is trusted by clients."""
        without_address = {
            name: text for name, text in self._trusted.items() if name not in _ADDRESSES
        }
        dotenv_used = without_address if self._user_key else self._trusted
        if not (self._key or _is_loopback(self._listen_url(dotenv_used))):
            dotenv_used = without_address
        ignored = (
            name
            for name, text in self._dotenv.values.items()
            if name in _ADDRESSES
            and text
            and name not in self._environment
            and (name not in dotenv_used or name not in _LISTENING)
        )
        found = self.for_url(self._listen_url(dotenv_used))
        return found._replace(ignored=(*sorted(ignored), *found.ignored), is_named=False)

    def _listen_url(self, dotenv: Mapping[str, str]) -> str:
        settings = load({}, self._environment, dotenv)
        return listen_url(
            settings.unix_socket, settings.host, settings.port, tls=bool(settings.tls_cert)
        )

    def _database(self) -> Path | None:
        name = load({}, self._environment, self._trusted).db
        if name:
            return None if name == MEMORY else Path(name)
        try:
            return default_database()
        except ConfigError:  # the user has no home
            return None


def _check(url: str, named_by: str) -> None:
    """Raises ClientError, which says what gave the address: it is none."""
    try:
        Address(url)
    except ClientError as error:
        raise ClientError(f"{named_by}: {error}" if named_by else str(error)) from None


def _is_loopback(url: str) -> bool:
    """Raises ClientError: that is no server's address."""
    return is_loopback(Address(url).host)


def _is_on_this_machine(url: str) -> bool:
    """Whether the address is this machine's own. Names are not resolved: their owner could answer
    differently the next time."""
    if _is_loopback(url):
        return True
    host = Address(url).host
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))  # sends nothing; an own address is reached from itself
            return bool(probe.getsockname()[0] == host)
    except (OSError, ValueError):
        return False
