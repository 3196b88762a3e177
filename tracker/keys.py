"""The API key and the secret key: taken from the settings, or made on first run and kept.

Kept beside the database, each in a file of mode 0600: `tracker.db.api-key`,
`tracker.db.secret-key`.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Final, NamedTuple

from tracker.errors import ConfigError
from tracker.settings import Settings

KEPT_SUFFIXES: Final = ("api-key", "secret-key")
API_KEY_SUFFIX, SIGNING_KEY_SUFFIX = KEPT_SUFFIXES

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


class Keys(NamedTuple):
    """The two keys in force."""

    api: str
    secret: str

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
    return Keys(
        settings.api_key or _kept(database, API_KEY_SUFFIX, beyond=beyond),
        settings.secret_key or _kept(database, SIGNING_KEY_SUFFIX, beyond=beyond),
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


def kept_in(database: Path, suffix: str = API_KEY_SUFFIX) -> Path:
    """Where a key is kept."""
    return database.with_name(f"{database.name}.{suffix}")


def _kept(database: Path | None, suffix: str, *, beyond: bool) -> str:
    if database is None:
        return secrets.token_urlsafe(32)
    path = kept_in(database, suffix)
    try:
        key = path.read_text(encoding="utf-8").strip()
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
