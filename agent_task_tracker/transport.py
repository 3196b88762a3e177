"""HTTP requests of a client, with retries. Standard library only."""

from __future__ import annotations

import http.client
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from agent_task_tracker import bounded
from agent_task_tracker.address import Address
from agent_task_tracker.credentials import Credentials, unaccepted
from agent_task_tracker.errors import ClientError, NoTracker, Refused, TooLarge, Unreachable
from agent_task_tracker.shapes import Shape, fits

Json = dict[str, Any]

# Worth a retry: too many requests, or a server or proxy that is unavailable now.
_TRANSIENT: Final = frozenset({429, 502, 503, 504})

# Of them, what proxies answer for a server that they do not reach.
_GATEWAY: Final = frozenset({502, 503, 504})

# Characters of what another server says that are shown.
_MAX_SHOWN: Final = 200

# Seconds before the first retry, and the maximum. Each pause is twice the one before.
_FIRST_PAUSE: Final = 0.1
_MAX_PAUSE: Final = 5.0

# Seconds, whatever a server asks for: what follows a log is to be there again when it is.
_MAX_WAIT: Final = 300.0

# Seconds that finding out why there was no answer may take.
_PROBE_TIMEOUT: Final = 1.0

# Seconds without even a heartbeat (they come every 15) after which a stream counts as dead.
_STREAM_TIMEOUT: Final = 45.0


class Transient(Exception):
    """A failure that may pass. `error` makes the error if it does not; `retry_after`: as the server
    says, in seconds."""

    def __init__(self, error: Callable[[], ClientError], retry_after: float = 0.0) -> None:
        super().__init__()
        self.error = error
        self.retry_after = retry_after


class Retries:
    """Paces the retries of one operation, and ends them after `patience` seconds."""

    def __init__(self, patience: float) -> None:
        self._deadline = time.monotonic() + patience
        self._pause = _FIRST_PAUSE

    def pause_after(self, failure: Transient) -> None:
        """Wait for the next try. Raises the failure's error if that would be too late."""
        pause = max(self._pause, failure.retry_after)
        if time.monotonic() + pause > self._deadline:
            raise failure.error() from None
        time.sleep(min(pause, _MAX_WAIT))
        self._pause = min(2 * self._pause, _MAX_PAUSE)

    def never_end(self) -> None:
        """Go on for as long as it takes."""
        self._deadline = math.inf


class _Request(NamedTuple):
    """A request; `without_key`: it needs no key, so none is sent."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    without_key: bool = False


class Transport:
    """Requests to one server, each over a connection of its own.

    Proxies of the environment are not used and redirects not followed, so that the key goes to
    the server that was named and to no other.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        timeout: float,
        patience: float,
        ca_file: str | None = None,
        named_by: str = "",
    ) -> None:
        """`timeout`: seconds to wait for one answer; `patience`: seconds to keep trying; `ca_file`:
        see `Address`; `named_by`: who or what gave the address, for people.

        Raises:
            ClientError: the address cannot be right, or `ca_file` has no certificates.
        """
        self._address = Address(url, ca_file)
        self.url = self._address.url
        self._credentials = credentials
        self._timeout = timeout
        self._patience = patience
        self._named_by = named_by

    def retries(self) -> Retries:
        """For one operation."""
        return Retries(self._patience)

    def get(
        self, path: str, parameters: Mapping[str, Any], shape: Shape, *, without_key: bool = False
    ) -> Json:
        """The JSON object at `path`, of this shape. Parameters that are None are left out.
        `without_key`: see `_Request`."""
        request = _Request("GET", path + _query(parameters), without_key=without_key)
        return self._retry(request, shape)

    def post(self, path: str, body: bytes, idempotency_key: str | None, shape: Shape) -> Json:
        """Send JSON. However often that is retried, the server acts on it once. `idempotency_key`
        None: each report of the body has one."""
        headers = {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return self._retry(_Request("POST", path, body, headers), shape)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        shape: Shape | None = None,
    ) -> Json:
        """Send what the server would do twice if it came twice: once, whatever happens to it.
        `shape`: of the answer; None: it is empty."""
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            return self._try_once(_Request(method, path, content, headers), shape)
        except Transient as failure:
            raise failure.error() from None

    def stream(
        self,
        path: str,
        parameters: Mapping[str, Any],
        shape: Shape,
        connected: Callable[[], None],
    ) -> Iterator[Json]:
        """The data of server-sent events, each of this shape; calls `connected` when they may come,
        raises Transient when the connection ends."""
        connection = self._address.connection(_STREAM_TIMEOUT)
        headers = {"Accept": "text/event-stream"}
        request = _Request("GET", path + _query(parameters), headers=headers)
        try:
            with self._open(connection, request) as response:
                connected()
                for line in bounded.lines(response):
                    if line.startswith(b"data:") and line.endswith(b"\n"):
                        yield self._parse(line[len(b"data:") :], shape)
            raise ConnectionError("the server ended the stream")
        except (OSError, http.client.HTTPException) as error:
            raise Transient(partial(self._unreachable, error)) from error
        except ValueError as error:
            raise self._no_tracker(error) from None
        except TooLarge:
            raise TooLarge(self.url) from None
        finally:
            connection.close()

    def _retry(self, request: _Request, shape: Shape) -> Json:
        retries = self.retries()
        while True:
            try:
                return self._try_once(request, shape)
            except Transient as failure:
                retries.pause_after(failure)

    def _try_once(self, request: _Request, shape: Shape | None) -> Json:
        try:
            with (
                closing(self._address.connection(self._timeout)) as connection,
                self._open(connection, request) as response,
            ):
                return {} if shape is None else self._parse(bounded.read(response), shape)
        except (OSError, http.client.HTTPException) as error:
            raise Transient(partial(self._unreachable, error)) from error
        except ValueError as error:
            raise self._no_tracker(error) from None
        except TooLarge:
            raise TooLarge(self.url) from None

    def _parse(self, body: bytes, shape: Shape) -> Json:
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
        """Send a request. Returns its response; raises Refused or Transient for an error status."""
        prefix, headers = self._address.prefix, request.headers
        if not request.without_key:
            headers = {**headers, **self._credentials.headers(connection, prefix)}
        connection.request(request.method, prefix + request.path, request.body, headers)
        response = connection.getresponse()
        if response.status < 300:
            return response
        with response:
            refusal = self._refusal(response)
        if response.status in _TRANSIENT:
            retry_after = response.headers.get("Retry-After", "")
            raise Transient(lambda: refusal, float(retry_after) if retry_after.isdecimal() else 0.0)
        raise refusal

    def _refusal(self, response: http.client.HTTPResponse) -> Refused:
        """The API document's error object, or a substitute if a proxy answered."""
        status = response.status
        try:
            error = bounded.loads(bounded.read(response))["error"]
            code, message = error["code"], error["message"]
            if status == 401 and code == "UNAUTHORIZED":  # its message speaks of headers
                return Refused(status, code, unaccepted(self._credentials))
            return Refused(status, code, message, error.get("details"))
        except (ValueError, KeyError, TypeError):
            return Refused(status, _shown(response.reason or "?"), self._substitute(response))

    def _substitute(self, response: http.client.HTTPResponse) -> str:
        """What is said of an answer that is no tracker's."""
        wait = response.headers.get("Retry-After")
        if response.status < 400:
            target = _shown(response.headers.get("Location") or "nowhere")
            return (
                f"{self.url}: redirects to {target}, which is not followed, as the key is for this "
                "address; if the tracker is there, give that one"
            )
        if response.status in _GATEWAY:
            return f"{self.url}: a proxy answers, but the server behind it does not; is it running?"
        if response.status == 429 and wait:
            return f"{self.url}: too many requests; go on in {_shown(wait)} s"
        return f"{self.url}: what answers there is no tracker; check the address"

    def _no_tracker(self, error: ValueError) -> ClientError:
        """The head of an answer makes no sense; or the host's name, as the standard library only
        finds then."""
        if isinstance(error, UnicodeError):
            return ClientError(f"{self.url}: {self._address.host} is no name of a host")
        return NoTracker(self.url)

    def _unreachable(self, error: Exception) -> Unreachable:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, http.client.BadStatusLine) and not isinstance(error, OSError):
            reason = f"it speaks no HTTP, but says {_shown(reason.strip())}"
        named_by = f" (from {self._named_by})" if self._named_by else ""
        return Unreachable(f"{self.url}{named_by}: no answer ({reason}); {self._advise(error)}")

    def _advise(self, error: Exception) -> str:
        if isinstance(error, ConnectionResetError) and self._address.speaks_tls(_PROBE_TIMEOUT):
            return "it speaks TLS: write https://"
        if self._named_by:
            return "start a server there with `tracker serve`, or correct the address"
        return "start a server with `tracker serve`, or say where it is by --url or TRACKER_URL"


def _shown(text: str) -> str:
    """Another server's text, in one line that no terminal obeys."""
    return repr(text[:_MAX_SHOWN])[1:-1]


def _query(parameters: Mapping[str, Any]) -> str:
    present = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urlencode(present, errors='replace')}" if present else ""
