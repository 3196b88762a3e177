"""The API key and the secret key: taken from the settings, or made on first run and kept.

Kept beside the database, each in a file of mode 0600: `tracker.db.api-key`,
`tracker.db.secret-key`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final, NamedTuple

from agent_task_tracker.keys import (
    API_KEY_SUFFIX,
    is_generated,
    is_loopback,
    kept_in,
    read_key_file,
)
from tracker.config.paths import SIGNING_KEY_SUFFIX
from tracker.config.settings import Settings
from tracker.errors import ConfigError

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
    """The two keys in force. `api_is_provable`: the API key cannot be guessed, as a server made
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
    for fault in faults(settings).values():
        raise ConfigError(fault)


def faults(settings: Settings) -> dict[str, str]:
    """What is wrong with keys that were given, by the variable."""
    is_public = not is_loopback(settings.host)
    found = {}
    for name, key in (("API_KEY", settings.api_key), ("SECRET_KEY", settings.secret_key)):
        try:
            if key is not None:
                _check(name, key, is_public=is_public)
            if key is not None and name == "API_KEY":
                _check_for_headers(name, key)
        except ConfigError as error:
            found[name] = str(error)
    return found


def obtain_keys(settings: Settings, database: Path | None) -> Keys:
    """The keys to use; generated and kept if not given. `database` None: in memory.

    Raises:
        ConfigError: a kept key cannot be read or is too weak, or a new one cannot be kept.
    """
    is_public = not is_loopback(settings.host)
    api = settings.api_key or _read_or_generate(database, API_KEY_SUFFIX, is_public=is_public)
    return Keys(
        api,
        settings.secret_key or _read_or_generate(database, SIGNING_KEY_SUFFIX, is_public=is_public),
        # A key in the settings may be the kept one, exported by a shell.
        api_is_provable=is_generated(api)
        and (not settings.api_key or _is_in_key_file(api, database)),
        api_file=None if settings.api_key or database is None else kept_in(database),
    )


def exposure(settings: Settings) -> list[str]:
    """A warning if other machines can reach the server without TLS, unless that is intended."""
    if settings.insecure or settings.tls_cert is not None or is_loopback(settings.host):
        return []
    return [
        f"{settings.host or 'the server'} can be reached from other machines without TLS, so the "
        "key can be read in transit: give --tls-cert and --tls-key, or put a proxy with TLS in "
        "front; --insecure if this is intended"
    ]


def _check(name: str, key: str, *, is_public: bool) -> None:
    if len(key) < MIN_LENGTH:
        raise ConfigError(
            f"{name}: shorter than {MIN_LENGTH} characters; give a longer one, "
            "or none at all to have one made"
        )
    if is_public and (len(key) < MIN_LENGTH_BEYOND_LOOPBACK or key in _SAMPLES):
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


def _is_in_key_file(key: str, database: Path | None) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return database is not None and read_key_file(kept_in(database)) == key
    return False


def _read_or_generate(database: Path | None, suffix: str, *, is_public: bool) -> str:
    if database is None:
        return secrets.token_urlsafe(32)
    path = kept_in(database, suffix)
    try:
        key = read_key_file(path)
    except FileNotFoundError:
        return _generate(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the key cannot be read: {error}") from None
    _check(str(path), key, is_public=is_public)
    if suffix == API_KEY_SUFFIX:
        _check_for_headers(str(path), key)
    return key


def _generate(path: Path) -> str:
    key = secrets.token_urlsafe(32)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{key}\n")
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be kept: {error.strerror}") from None
    return key
