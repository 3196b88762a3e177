"""One HTTP request of a client, tried again while that may help. Standard library only."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from agent_task_tracker import bounded
from agent_task_tracker.credentials import Credentials
from agent_task_tracker.errors import ClientError, NoTracker, Refused, Unreachable
from agent_task_tracker.shapes import Shape, fits

Json = dict[str, Any]

# Worth another try: too many requests, or a server or proxy that is not up to it just now.
_TRANSIENT: Final = frozenset({429, 502, 503, 504})

# Seconds: of the first pause between tries, and of the longest. Each is twice the one before.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0

# So many times what it may be silent for, an answer may take in all.
_LONGEST_ANSWER: Final = 6

# Seconds without even a heartbeat (they come every 15) after which a stream counts as dead.
_STREAM_SILENCE: Final = 45.0


class Transient(Exception):
    """A failure that may pass: what it is if it does not, and the seconds the server asks for."""

    def __init__(self, failure: ClientError, retry_after: float = 0.0) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.retry_after = retry_after


class Attempts:
    """Paces the tries at one thing, and ends them when the patience is used up."""

    def __init__(self, patience: float) -> None:
        self._deadline = time.monotonic() + patience
        self._pause = _FIRST_PAUSE

    def pause_after(self, interruption: Transient) -> None:
        """Wait for the next try; raises the failure itself if that would be too late."""
        pause = max(self._pause, interruption.retry_after)
        if time.monotonic() + pause > self._deadline:
            raise interruption.failure from None
        time.sleep(pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


class Place(NamedTuple):
    """Where a server is: what its address says."""

    url: str
    https: bool
    host: str
    port: int | None
    prefix: str

    @classmethod
    def of(cls, url: str) -> Place:
        """Raises ClientError: that is no server's address."""
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is none, brackets that do not close
            usable = False
        if not usable or any(char.isspace() or not char.isprintable() for char in url):
            raise ClientError(f"{url}: a server's address looks like http://localhost:8000")
        https, prefix = parts.scheme == "https", parts.path.rstrip("/")
        return cls(url.rstrip("/"), https, parts.hostname or "", parts.port, prefix)

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """One to there, not opened yet, whose answers end. No proxy of the environment is used.
        `timeout`: seconds that the other end may be silent. Raises InvalidURL, an HTTPException."""
        kind = http.client.HTTPSConnection if self.https else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=timeout)
        bounded.limit(connection, _LONGEST_ANSWER * timeout)
        return connection


class _Request(NamedTuple):
    """What is sent; `openly`: without a key."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    openly: bool = False


class Transport:
    """Requests to one server, each over a connection of its own.

    Proxies of the environment are not used and redirects not followed, so that the key goes to
    the server that was named and to no other.
    """

    def __init__(self, url: str, credentials: Credentials, timeout: float, patience: float) -> None:
        """`timeout`: seconds to wait for one answer; `patience`: seconds to keep trying.

        Raises:
            ClientError: the address cannot be right.
        """
        self._place = Place.of(url)
        self.url = self._place.url
        self._credentials = credentials
        self._timeout = timeout
        self._patience = patience

    def attempts(self) -> Attempts:
        """A fresh count of tries."""
        return Attempts(self._patience)

    def get(
        self, path: str, parameters: Mapping[str, Any], shape: Shape, *, openly: bool = False
    ) -> Json:
        """The JSON object at `path`, of this shape. Parameters that are None are left out.
        `openly`: it needs no key, so none is shown."""
        request = _Request("GET", path + _query(parameters), openly=openly)
        return self._until_answered(request, shape)

    def post(self, path: str, body: bytes, idempotency_key: str, shape: Shape) -> Json:
        """Send JSON; however often that is tried, the server acts on it once."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        return self._until_answered(_Request("POST", path, body, headers), shape)

    def stream(self, path: str, parameters: Mapping[str, Any], shape: Shape) -> Iterator[Json]:
        """The data of server-sent events, each of this shape; raises Transient when the connection
        ends."""
        connection = self._place.connection(_STREAM_SILENCE)
        headers = {"Accept": "text/event-stream"}
        request = _Request("GET", path + _query(parameters), headers=headers)
        try:
            with self._open(connection, request) as response:
                for line in bounded.lines(response):
                    if line.startswith(b"data:") and line.endswith(b"\n"):
                        yield self._checked(line[len(b"data:") :], shape)
            raise ConnectionError("the server ended the stream")
        except (OSError, http.client.HTTPException) as error:
            raise Transient(self._unreachable(error)) from error
        finally:
            connection.close()

    def _until_answered(self, request: _Request, shape: Shape) -> Json:
        attempts = self.attempts()
        while True:
            try:
                return self._once(request, shape)
            except Transient as interruption:
                attempts.pause_after(interruption)

    def _once(self, request: _Request, shape: Shape) -> Json:
        try:
            with (
                closing(self._place.connection(self._timeout)) as connection,
                self._open(connection, request) as response,
            ):
                return self._checked(bounded.read(response), shape)
        except (OSError, http.client.HTTPException) as error:
            raise Transient(self._unreachable(error)) from error
        except ValueError:  # no host has such a name, or the head is none
            raise NoTracker(self.url) from None

    def _checked(self, body: bytes, shape: Shape) -> Json:
        try:
            answer = bounded.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not fits(answer, shape):
            raise NoTracker(self.url)
        return answer

    def _open(
        self, connection: http.client.HTTPConnection, request: _Request
    ) -> http.client.HTTPResponse:
        """Send a request; its response unless that is an error."""
        prefix, headers = self._place.prefix, request.headers
        if not request.openly:
            headers = {**headers, **self._credentials.headers(connection, prefix)}
        connection.request(request.method, prefix + request.path, request.body, headers)
        response = connection.getresponse()
        if response.status < 300:
            return response
        with response:
            refusal = _refusal(response)
        if response.status in _TRANSIENT:
            retry_after = response.headers.get("Retry-After", "")
            raise Transient(refusal, float(retry_after) if retry_after.isdecimal() else 0.0)
        raise refusal

    def _unreachable(self, error: Exception) -> Unreachable:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unreachable(
            f"{self.url}: no answer ({reason}); start a server with `tracker serve`, "
            "or say where it is by --url or TRACKER_URL"
        )


def _refusal(response: http.client.HTTPResponse) -> Refused:
    """The API document's error object, or what stands in for it if a proxy answered."""
    try:
        error = bounded.loads(bounded.read(response))["error"]
        return Refused(response.status, error["code"], error["message"], error.get("details"))
    except (ValueError, KeyError, TypeError):
        return Refused(response.status, response.reason or "?", "The server gave no reason.")


def _query(parameters: Mapping[str, Any]) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urlencode(given, errors='replace')}" if given else ""
