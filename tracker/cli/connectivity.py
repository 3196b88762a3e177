"""Checks a server as a browser would use it: HTTP, the key, and a WebSocket round trip."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from ssl import SSLSocket
from typing import Any, Final, NamedTuple

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from agent_task_tracker import bounded
from agent_task_tracker.address import Address
from agent_task_tracker.credentials import Credentials, StoredKey, unaccepted
from agent_task_tracker.errors import ClientError
from tracker.domain.limits import CloseCode

_TIMEOUT: Final = 5.0

_MAX_BODY_BYTES: Final = 64 * 1024

_PROXY_ADVICE: Final = (
    "it has to pass WebSockets on; in nginx: proxy_http_version 1.1; "
    'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"'
)


_HOST_ADVICE: Final = (
    "in nginx: proxy_set_header Host $http_host; or the server is started with --cors-origin"
)

# Where the dashboard's page says what its addresses begin with.
_ROOT_PATH: Final = re.compile(rb'<html [^>]*data-root="([^"]*)"')


class Finding(NamedTuple):
    """The result of one check. `problem` None: it works."""

    what: str
    problem: str | None
    milliseconds: float | None = None


class _CheckFailed(Exception):
    """A check failed; the text says why, and what to do."""


def try_address(
    url: str, credentials: Credentials, ca_file: str | None
) -> tuple[list[Finding], bool]:
    """The results for `url`, and whether a server answers there at all. A stored key is sent only
    after the server has proved to have it.

    Raises:
        ClientError: that is no server's address.
    """
    address = Address(url, ca_file)
    findings = [_try("HTTP", lambda: _health(address))]
    if findings[-1].problem is None and isinstance(credentials, StoredKey):
        findings.append(_try("Proof", lambda: _proof(address, credentials)))
    if findings[-1].problem is not None:
        return findings, False
    findings.append(_try("API key", lambda: _key(address, credentials)))
    if findings[-1].problem is None:
        findings.append(_try("WebSocket", lambda: _round_trip(address, credentials)))
        findings.append(_try("Dashboard", lambda: _page(address)))
    return findings, True


def _try(what: str, attempt: Any) -> Finding:
    started = time.monotonic()
    try:
        attempt()
    except _CheckFailed as error:
        return Finding(what, str(error))
    return Finding(what, None, round((time.monotonic() - started) * 1000, 1))


def _health(address: Address) -> None:
    status, server, body = _get(address, "/health", None)
    try:
        healthy = status == 200 and bounded.loads(body)["status"] == "healthy"
    except (ValueError, KeyError, TypeError):
        healthy = False
    if not healthy:
        raise _CheckFailed(f"{address.url}/health answers {status}{server}, not as a tracker does")


def _proof(address: Address, credentials: StoredKey) -> None:
    with closing(address.connection(_TIMEOUT)) as connection, _reporting_errors(address):
        credentials.demand_proof(connection, address.prefix)


def _key(address: Address, credentials: Credentials) -> None:
    status, server, _ = _get(address, "/api/websocket/stats", credentials)
    if status == 401:
        raise _CheckFailed(f"refused{server}: {unaccepted(credentials)}")
    if status != 200:
        raise _CheckFailed(f"{address.url}/api/websocket/stats answers {status}{server}")


def _page(address: Address) -> None:
    """Whether the page finds its files and the API at this address."""
    _, _, body = _get(address, "/", None)
    found = _ROOT_PATH.search(body)
    if found is None or found[1].decode() != address.prefix:
        raise _CheckFailed(
            f"the page at {address.url}/ does not look for its files there: start the server with "
            f"--root-path {address.prefix or '/'}"
        )


def _get(address: Address, path: str, credentials: Credentials | None) -> tuple[int, str, bytes]:
    with closing(address.connection(_TIMEOUT)) as connection, _reporting_errors(address):
        headers = credentials.headers(connection, address.prefix) if credentials else {}
        connection.request("GET", address.prefix + path, headers=headers)
        with connection.getresponse() as answer:
            return (
                answer.status,
                _by_server(answer.headers.get("Server")),
                answer.read(_MAX_BODY_BYTES),
            )


@contextmanager
def _reporting_errors(address: Address) -> Iterator[None]:
    """Turn what fails before there is a response into a failed check."""
    try:
        yield
    except ClientError as error:
        raise _CheckFailed(str(error)) from None
    except (OSError, HTTPException, ValueError) as error:
        is_tls = isinstance(error, ConnectionResetError) and address.speaks_tls(_TIMEOUT)
        reason = "it speaks TLS: write https://" if is_tls else error or type(error).__name__
        raise _CheckFailed(f"{address.url}: no answer ({reason})") from None


def _round_trip(address: Address, credentials: Credentials) -> None:
    """Send the API's ping and wait for its pong, as a page of this address would, on a connection
    that was proved if need be."""
    with closing(address.connection(_TIMEOUT)) as connection:
        with _reporting_errors(address):
            connection.connect()
            if isinstance(connection.sock, SSLSocket):
                _receive_session_tickets(connection, address)
            headers = credentials.headers(connection, address.prefix)
        _ping(connection, address, headers)


def _receive_session_tickets(connection: HTTPConnection, address: Address) -> None:
    """Make a request first: `websockets` reads in a thread of its own, and Python's ssl may hang
    where one thread receives TLS's session tickets while another one writes."""
    connection.request("GET", f"{address.prefix}/health")
    with connection.getresponse() as response:
        response.read(_MAX_BODY_BYTES)
    if connection.sock is None:  # closed by a proxy
        connection.connect()


def _ping(connection: HTTPConnection, address: Address, headers: dict[str, str]) -> None:
    host = f"[{address.host}]" if ":" in address.host else address.host
    authority = host if address.port is None else f"{host}:{address.port}"
    try:
        with connect(
            f"ws://{authority}{address.prefix}/ws",  # TLS, if any, is the connection's own
            sock=connection.sock,
            additional_headers=headers,
            origin=None if address.socket_path else Origin(f"{address.scheme}://{authority}"),
            compression=None,
            open_timeout=_TIMEOUT,
            close_timeout=1.0,
            proxy=None,
        ) as websocket:
            websocket.send('{"type":"ping"}')
            _await_pong(websocket)
    except InvalidStatus as error:
        server = _by_server(error.response.headers.get("Server"))
        raise _CheckFailed(
            f"the handshake is answered {error.response.status_code}{server}: a proxy stands in "
            f"between, and {_PROXY_ADVICE}"
        ) from None
    except ConnectionClosed as error:
        raise _CheckFailed(_close_reason(error, address)) from None
    except TimeoutError:
        raise _CheckFailed(
            "it opens, but nothing comes back: something in between holds messages back"
        ) from None
    except (OSError, InvalidHandshake, ValueError) as error:
        raise _CheckFailed(
            f"the handshake fails ({error}): if a proxy stands in between, {_PROXY_ADVICE}"
        ) from None


def _await_pong(websocket: Any) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while (left := deadline - time.monotonic()) > 0:  # events may come before the pong
        message = bounded.loads(websocket.recv(timeout=left))
        if isinstance(message, dict) and message.get("type") == "pong":
            return
    raise TimeoutError


def _close_reason(error: ConnectionClosed, address: Address) -> str:
    code = None if error.rcvd is None else error.rcvd.code
    if code == CloseCode.UNAUTHORIZED:
        return "the key does not arrive: the proxy in between drops the header X-API-Key"
    if code == CloseCode.FORBIDDEN:
        return (
            f"pages of {address.url} are refused, so the dashboard is not live there: the proxy in "
            f"between changes the header Host; it has to pass it on, {_HOST_ADVICE} {address.url}"
        )
    return f"it is closed at once ({code or 'without a word'})"


def _by_server(server: str | None) -> str:
    """Our server sends no `Server` header, so what does is a proxy before it."""
    return "" if server is None else f" by {server}"
