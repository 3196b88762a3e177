"""The API key and the secret key: taken from the settings, or made on first run and kept.

Kept beside the database, each in a file of mode 0600: `tracker.db.api-key`,
`tracker.db.secret-key`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
from pathlib import Path
from typing import Final, NamedTuple

from tracker.config.paths import API_KEY_SUFFIX, SIGNING_KEY_SUFFIX, kept_in
from tracker.config.settings import Settings
from tracker.errors import ConfigError
from tracker.files import read_regular

MIN_LENGTH: Final = 8
MIN_LENGTH_BEYOND_LOOPBACK: Final = 16

# The API document's own samples: everybody knows them.
_SAMPLES: Final = frozenset(
    {
        "your-api-key",
        "<your-api-key>",
        "your-secure-api-key",
        "your-secure-secret-key",
    }
)


# Far more than any key has.
_MAX_KEPT_BYTES: Final = 4096

# What `secrets.token_urlsafe(32)` gives: 43 characters, the last one of which carries 4 bits.
_MADE: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


class Keys(NamedTuple):
    """The two keys in force. `api_is_provable`: nobody can guess the API key, since a server made
    it; see `agent_task_tracker.proof`. `api_file`: where the API key is kept; None: nowhere, or it
    was given."""

    api: str
    secret: str
    api_is_provable: bool = False
    api_file: Path | None = None

    def __repr__(self) -> str:
        return "Keys(…)"


def check(settings: Settings) -> None:
    """Refuse keys that were given and are too weak for where the server is bound.

    Raises:
        ConfigError
    """
    beyond = not is_loopback(settings.host)
    for name, key in (("API_KEY", settings.api_key), ("SECRET_KEY", settings.secret_key)):
        if key is not None:
            _check(name, key, beyond=beyond)
    if settings.api_key is not None:
        _check_for_headers("API_KEY", settings.api_key)


def obtain(settings: Settings, database: Path | None) -> Keys:
    """The keys to use; made and kept if none were given. `database` None: in memory.

    Raises:
        ConfigError: a kept key cannot be read or is too weak, or a new one cannot be kept.
    """
    beyond = not is_loopback(settings.host)
    api = settings.api_key or _kept(database, API_KEY_SUFFIX, beyond=beyond)
    return Keys(
        api,
        settings.secret_key or _kept(database, SIGNING_KEY_SUFFIX, beyond=beyond),
        # One that was given may be the kept one, in a shell that has exported it.
        api_is_provable=is_made(api) and (not settings.api_key or _is_kept(api, database)),
        api_file=None if settings.api_key or database is None else kept_in(database),
    )


def is_made(key: str) -> bool:
    """Whether a server can have made the key itself, of 256 random bits; one that a person chose
    may be guessed. Fewer kinds of characters come at random once in a billion keys."""
    return (
        _MADE.fullmatch(key) is not None
        and len(set(key)) >= 16
        and key != key.lower()
        and key != key.upper()
    )


def is_loopback(host: str) -> bool:
    """Whether an address to bind can only be reached from this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(name: str, key: str, *, beyond: bool) -> None:
    if len(key) < MIN_LENGTH:
        raise ConfigError(
            f"{name}: shorter than {MIN_LENGTH} characters; give a longer one, "
            "or none at all to have one made"
        )
    if beyond and (len(key) < MIN_LENGTH_BEYOND_LOOPBACK or key in _SAMPLES):
        raise ConfigError(
            f"{name}: too weak to be reachable from other machines; give at least "
            f"{MIN_LENGTH_BEYOND_LOOPBACK} characters that are not a sample from the documentation"
        )


def _check_for_headers(name: str, key: str) -> None:
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        raise ConfigError(
            f"{name}: holds characters that an HTTP header does not carry; use ASCII, and no "
            "spaces around it"
        )


def read_kept(path: Path) -> str:
    """The key in the file. Raises OSError, also for what is no regular file; UnicodeDecodeError."""
    return read_regular(path, _MAX_KEPT_BYTES).decode("utf-8").strip()


def _is_kept(key: str, database: Path | None) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return database is not None and read_kept(kept_in(database)) == key
    return False


def _kept(database: Path | None, suffix: str, *, beyond: bool) -> str:
    if database is None:
        return secrets.token_urlsafe(32)
    path = kept_in(database, suffix)
    try:
        key = read_kept(path)
    except FileNotFoundError:
        return _make(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the key cannot be read: {error}") from None
    _check(str(path), key, beyond=beyond)
    if suffix == API_KEY_SUFFIX:
        _check_for_headers(str(path), key)
    return key


def _make(path: Path) -> str:
    key = secrets.token_urlsafe(32)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{key}\n")
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be kept: {error.strerror}") from None
    return key
