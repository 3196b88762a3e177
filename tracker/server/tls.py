"""TLS with a certificate that is reloaded when its files change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any, Final

from agent_task_tracker.files import read_regular
from tracker.config.settings import Settings
from tracker.errors import ConfigError

logger = logging.getLogger(__name__)

# Far more than any chain has.
_MAX_BYTES: Final = 1024 * 1024

# OpenSSL's reasons for two of the same type (RSA, EC), and of different ones.
_MISMATCH: Final = ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED")

_BELONG_TOGETHER: Final = "--tls-cert and --tls-key belong together: give both, or neither"

_Stat = tuple[object, ...] | None


class Tls:
    """The server's certificate, for handshakes."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises ConfigError: they cannot be used."""
        self._certificate = certificate
        self._key = key
        self._loaded = self._seen = self._stat()
        self._current = self._load()
        self.context: Final = self._current
        self.context.sni_callback = self._use_current

    @classmethod
    def of(cls, settings: Settings) -> Tls | None:
        """None: no TLS. Raises ConfigError."""
        certificate, key = settings.tls_cert, settings.tls_key
        if certificate is None and key is None:
            return None
        if certificate is None or key is None:
            raise ConfigError(_BELONG_TOGETHER)
        return cls(Path(certificate).absolute(), Path(key).absolute())

    def reload_if_changed(self) -> None:
        """Use what the files hold by now; if it cannot be used, warn and keep the old. Call this
        periodically: files that changed since the last call may still be being written."""
        seen = self._stat()
        if seen == self._loaded or seen != self._seen:
            self._seen = seen
            return
        self._loaded = seen
        try:
            self._current = self._load()
        except ConfigError as error:
            logger.warning("%s; the old certificate stays in use", error)
        else:
            logger.info("%s: the new certificate is in use", self._certificate)

    def _use_current(self, connection: Any, _name: str | None, _context: object) -> None:
        """Called in each handshake, also without SNI. Loaded into the same context, a certificate
        of another type (RSA, EC) would not replace the old one."""
        connection.context = self._current

    def _stat(self) -> _Stat:
        """Identifies the files' content; None: one is missing."""
        try:
            found = self._certificate.stat(), self._key.stat()
        except OSError:
            return None
        return tuple((file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns) for file in found)

    def _load(self) -> ssl.SSLContext:
        _check(self._certificate, "--tls-cert", b"CERTIFICATE-----", "certificate")
        _check(self._key, "--tls-key", b"PRIVATE KEY-----", "private key")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        try:
            context.load_cert_chain(self._certificate, self._key, _refuse_passphrase)
        except _EncryptedError:
            raise ConfigError(
                f"{self._key}: cannot be used as --tls-key: it has a passphrase; remove it "
                "(openssl pkey)"
            ) from None
        except OSError as error:  # ssl.SSLError too
            raise ConfigError(
                f"{self._certificate}: cannot be used with {self._key}: {_reason(error)}"
            ) from None
        return context


class _EncryptedError(Exception):
    """The key has a passphrase."""


def _refuse_passphrase() -> str:
    """OpenSSL would prompt on the terminal."""
    raise _EncryptedError


def _check(path: Path, flag: str, mark: bytes, what: str) -> None:
    """OpenSSL does not say which file it cannot read, and would block on a pipe."""
    try:
        content = read_regular(path, _MAX_BYTES)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{path}: cannot be read as {flag}: {reason}") from None
    if mark not in content:
        raise ConfigError(f"{path}: cannot be used as {flag}: it holds no {what} in PEM")


def _reason(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    if reason in _MISMATCH:
        return "the key is not the certificate's"
    return (reason or str(error)).lower().replace("_", " ")
