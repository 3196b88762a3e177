"""A server's address, and connections to it: plain, over TLS, or to a Unix socket."""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from agent_task_tracker import bounded
from agent_task_tracker.authorities import client_context
from agent_task_tracker.errors import ClientError, Unverified
from agent_task_tracker.plain_url import why_untrusted
from agent_task_tracker.user_folders import absolute

# A whole response may take so many times the timeout, which limits silence.
_RESPONSE_TIMEOUTS: Final = 6

_UNIX: Final = "unix:"

# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_MISMATCHES: Final = (62, 64)


class Address:
    """A server's URL, taken apart. For a Unix socket, `host` is localhost."""

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        """`ca_file`: trusted certificates in PEM, instead of the system's.

        Raises:
            ClientError: that is no server's address, or `ca_file` has no certificates.
        """
        if not isinstance(url, str):
            raise ClientError(
                f"a server's address is a string such as http://localhost:8000, not {url!r}"
            )
        self._ca_file = ca_file
        self._socket = _socket_of(url)
        if self._socket is not None:
            self._https, self.host, self.port, self.prefix = False, "localhost", None, ""
            self.url = url
            return
        parts = _parts(url)
        self._https = parts.scheme == "https"
        self.host, self.port = parts.hostname or "", parts.port
        self.prefix = parts.path.rstrip("/")
        self.url = url.rstrip("/")
        if self._https and ca_file:
            self._tls_context  # noqa: B018 - fails before the first request

    @property
    def scheme(self) -> str:
        """http or https."""
        return "https" if self._https else "http"

    @property
    def socket_path(self) -> Path | None:
        """The Unix socket's, without links in its folder; None: it is none."""
        return self._socket and Path(os.path.realpath(self._socket.parent), self._socket.name)

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """A connection with limits, not opened yet. No proxy of the environment is used. `timeout`:
        seconds that the other end may be silent. Raises InvalidURL, an HTTPException."""
        connection: http.client.HTTPConnection
        if self._socket is not None:
            connection = UnixConnection(self._socket, timeout)
        elif self._https:
            connection = _TlsConnection(
                self.host, self.port, timeout=timeout, context=self._tls_context
            )
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        bounded.limit(connection, _RESPONSE_TIMEOUTS * timeout)
        return connection

    def speaks_tls(self, timeout: float) -> bool:
        """Whether what listens there, and does not answer to plain HTTP, speaks TLS."""
        if self._https or self._socket is not None:
            return False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent
        try:
            with (
                socket.create_connection((self.host, self.port or 80), timeout) as plain,
                context.wrap_socket(plain, server_hostname=self.host),
            ):
                return True
        except (OSError, ValueError):
            return False

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        try:
            return client_context(self._ca_file)
        except OSError as error:  # ssl.SSLError too
            reason = "no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
            raise ClientError(f"{self._ca_file}: cannot be used as --ca-file: {reason}") from None


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        # Without links, so that the folders that `why_untrusted` checks are those that lead there.
        self.path = Path(os.path.realpath(path.parent), path.name)

    def connect(self) -> None:
        """See HTTPConnection."""
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(str(self.path))
        except BaseException:
            self.close()
            raise

    def why_untrusted(self) -> str | None:
        """See `plain_url.why_untrusted`."""
        return why_untrusted(str(self.path))


class _TlsConnection(http.client.HTTPSConnection):
    """HTTPS with clear errors."""

    def connect(self) -> None:
        """See HTTPSConnection. Raises Unverified too."""
        try:
            super().connect()
        except ssl.SSLCertVerificationError as error:
            advice = (
                "use a name that is in it"
                if error.verify_code in _MISMATCHES
                else "if it is self-signed, or its authority is your own, pass --ca-file"
            )
            raise Unverified(
                f"https://{self.host}:{self.port}: the certificate cannot be verified: "
                f"{error.verify_message.rstrip('.')}; {advice}"
            ) from None
        except ssl.SSLError as error:
            reason = (error.reason or str(error)).lower().replace("_", " ")
            raise ConnectionError(f"no TLS: {reason}; is it plain http://?") from None


def _socket_of(url: str) -> Path | None:
    if not url.startswith(_UNIX):
        return None
    path = url.removeprefix(_UNIX)
    if not path or path.endswith("/") or not path.isprintable():
        raise _no_address(url, "that is no path of a socket")
    if not hasattr(socket, "AF_UNIX"):
        raise ClientError(f"{url}: this system has no Unix sockets; use http:// or https://")
    return Path(absolute(path))


def _parts(url: str) -> SplitResult:
    if any(char.isspace() or not char.isprintable() for char in url):
        raise _no_address(url, "it holds spaces or invisible characters")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _no_address(url, "its brackets are not those of an IPv6 address") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ClientError(
            f"{_without_key(url)}: leave out what stands before @ in an address, and what follows "
            "? or #; a key goes into API_KEY"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_address(url, "it is not http:// or https:// and the name of a host")
    try:
        has_port = parts.port != 0
    except ValueError:
        has_port = False
    if not has_port:
        raise _no_address(url, "its port is no number from 1 to 65535")
    return parts


def _no_address(url: str, why: str) -> ClientError:
    return ClientError(
        f"{_without_key(url)}: {why}; a server's address looks like http://localhost:8000"
    )


def _without_key(url: str) -> str:
    """Without the parts in which some write a key: as in the dashboard's address, or a password."""
    return re.sub(r"//[^/]*@", "//", re.split("[?#]", url, maxsplit=1)[0])
