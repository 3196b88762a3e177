"""Tries an address as a browser would use it: HTTP, the key, and a WebSocket there and back."""

from __future__ import annotations

import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, NamedTuple

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

from tracker import bounded
from tracker.errors import ClientError
from tracker.transport import split

_TIMEOUT: Final = 5.0

_UNAUTHORIZED: Final = 3000
_FORBIDDEN: Final = 3003

_PROXY_ADVICE: Final = (
    "it has to pass WebSockets on; in nginx: proxy_http_version 1.1; "
    'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"'
)


class Finding(NamedTuple):
    """One thing that was tried. `problem` None: it works."""

    what: str
    problem: str | None
    milliseconds: float | None = None


class _BrokenError(Exception):
    """What was tried does not work; the text says why, and what to do."""


def try_address(url: str, key: str) -> tuple[list[Finding], bool]:
    """What works at `url` and what does not, and whether anything answers there at all."""
    findings = [_try("HTTP", lambda: _health(url, key))]
    if findings[0].problem is not None:
        return findings, False
    findings.append(_try("API key", lambda: _key(url, key)))
    if findings[1].problem is None:
        findings.append(_try("WebSocket", lambda: _round_trip(url, key)))
    return findings, True


def _try(what: str, attempt: Any) -> Finding:
    started = time.monotonic()
    try:
        attempt()
    except _BrokenError as error:
        return Finding(what, str(error))
    return Finding(what, None, round((time.monotonic() - started) * 1000, 1))


def _health(url: str, key: str) -> None:
    status, server, body = _get(url, "/health", key)
    try:
        healthy = status == 200 and bounded.loads(body)["status"] == "healthy"
    except (ValueError, KeyError, TypeError):
        healthy = False
    if not healthy:
        raise _BrokenError(f"{url}/health answers {status}{server}, not as a tracker does")


def _key(url: str, key: str) -> None:
    status, server, _ = _get(url, "/api/websocket/stats", key)
    if status == 401:
        raise _BrokenError(
            f"the key is not the server's{server}: set API_KEY, or give --api-key"
            if key
            else "no key is known: set API_KEY, or give --api-key"
        )
    if status != 200:
        raise _BrokenError(f"{url}/api/websocket/stats answers {status}{server}")


def _get(url: str, path: str, key: str) -> tuple[int, str, bytes]:
    try:
        parts = split(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    except (ClientError, HTTPException) as error:
        raise _BrokenError(str(error)) from None
    bounded.limit(connection, _TIMEOUT)
    try:
        connection.request("GET", parts.path.rstrip("/") + path, headers={"X-API-Key": key})
        with connection.getresponse() as answer:
            return answer.status, _named(answer.headers.get("Server")), answer.read(65_536)
    except (OSError, HTTPException, ValueError, ClientError) as error:
        raise _BrokenError(f"{url}: no answer ({error or type(error).__name__})") from None
    finally:
        connection.close()


def _round_trip(url: str, key: str) -> None:
    """A ping as the API has it, and its pong."""
    address = f"{url.replace('http', 'ws', 1)}/ws"
    try:
        with connect(
            address,
            additional_headers={"X-API-Key": key},
            compression=None,
            open_timeout=_TIMEOUT,
            close_timeout=1.0,
            proxy=None,
        ) as websocket:
            websocket.send('{"type":"ping"}')
            _await_pong(websocket)
    except InvalidStatus as error:
        server = _named(error.response.headers.get("Server"))
        raise _BrokenError(
            f"the handshake is answered {error.response.status_code}{server}: a proxy stands in "
            f"between, and {_PROXY_ADVICE}"
        ) from None
    except ConnectionClosed as error:
        raise _BrokenError(_closed(error)) from None
    except TimeoutError:
        raise _BrokenError(
            "it opens, but nothing comes back: something in between holds messages back"
        ) from None
    except (OSError, InvalidHandshake, ValueError) as error:
        raise _BrokenError(
            f"the handshake fails ({error}): if a proxy stands in between, {_PROXY_ADVICE}"
        ) from None


def _await_pong(websocket: Any) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while (left := deadline - time.monotonic()) > 0:  # events may come before the pong
        message = bounded.loads(websocket.recv(timeout=left))
        if isinstance(message, dict) and message.get("type") == "pong":
            return
    raise TimeoutError


def _closed(error: ConnectionClosed) -> str:
    code = None if error.rcvd is None else error.rcvd.code
    if code == _UNAUTHORIZED:
        return "the key does not arrive: the proxy in between drops the header X-API-Key"
    if code == _FORBIDDEN:
        return "the origin is refused: see --cors-origin of `tracker serve`"
    return f"it is closed at once ({code or 'without a word'})"


def _named(server: str | None) -> str:
    """Our server does not name itself: whoever does stands in front of it."""
    return "" if server is None else f" by {server}"
