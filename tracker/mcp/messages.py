"""JSON-RPC as MCP uses it: what a message is, which versions there are, what is wrong with one.

Sources: MCP 2026-07-28, "Overview" and "Streamable HTTP"; 2025-11-25 and before, "Lifecycle".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tracker.domain.limits import MAX_INTEGER

MODERN: Final = "2026-07-28"
"""The version without a handshake: each request says which it is of."""

LEGACY: Final = ("2025-11-25", "2025-06-18", "2025-03-26")
"""Those that begin with `initialize`, the newest first."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
_HEADER_MISMATCH: Final = -32020
_UNSUPPORTED_VERSION: Final = -32022

VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CLIENT_KEY: Final = "io.modelcontextprotocol/clientInfo"
CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
SERVER_KEY: Final = "io.modelcontextprotocol/serverInfo"

# Methods whose subject stands in a header too, and the parameter that it stands in.
_NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

_BASE64: Final = ("=?base64?", "?=")


class RpcError(Exception):
    """A request cannot be answered. `status`: what that is in HTTP. `request_id`: of a request
    that is none, as far as it can be read."""

    def __init__(
        self,
        code: int,
        message: str,
        data: object = None,
        *,
        status: int = 200,
        request_id: str | int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status
        self.request_id = request_id

    def response(self, request_id: str | int | None) -> dict[str, Any]:
        """The answer to the request of that id."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return {"jsonrpc": "2.0", "id": request_id, "error": error}


class Request(NamedTuple):
    """A request, or without `request_id` a notification. `version`: the one that it says it is of;
    empty: it does not say, so one of `LEGACY`. `client`: who sends it, as it calls itself."""

    request_id: str | int | None
    method: str
    params: dict[str, Any]
    version: str
    client: str

    @property
    def is_notification(self) -> bool:
        """Whether nobody waits for an answer."""
        return self.request_id is None

    @property
    def is_modern(self) -> bool:
        """Whether it is of `MODERN`."""
        return self.version == MODERN


def read(message: object) -> Request:
    """What a message asks for. Raises RpcError."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise invalid("This has to be a JSON-RPC 2.0 request.")
    request_id, method = message.get("id"), message.get("method")
    is_integer = type(request_id) is int and abs(request_id) <= MAX_INTEGER
    if "id" in message and not (is_integer or isinstance(request_id, str)):
        raise invalid("`id` has to be a string or an integer.")
    if not isinstance(method, str):
        raise invalid("`method` has to be a string.", request_id)
    params = message.get("params")
    params = {} if params is None else params
    if not isinstance(params, dict):
        raise _wrong_params("`params` has to be an object.", request_id)
    meta = params.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    version, client = meta.get(VERSION_KEY), meta.get(CLIENT_KEY)
    is_modern_request = version == MODERN and request_id is not None
    if is_modern_request and not isinstance(meta.get(CAPABILITIES_KEY), dict):
        raise _wrong_params(f"`{CAPABILITIES_KEY}` has to be an object in `_meta`.", request_id)
    name = client.get("name") if isinstance(client, dict) else None
    return Request(
        request_id,
        method,
        params,
        version if isinstance(version, str) else "",
        name if isinstance(name, str) else "",
    )


def invalid(message: str, request_id: str | int | None = None) -> RpcError:
    """The error for what is no request."""
    return RpcError(INVALID_REQUEST, message, status=400, request_id=request_id)


def _wrong_params(message: str, request_id: str | int | None) -> RpcError:
    return RpcError(INVALID_PARAMS, message, status=400, request_id=request_id)


def check_version(version: str) -> None:
    """Raises RpcError: there is no such version here, or it begins with a handshake."""
    if version and version != MODERN:
        raise RpcError(
            _UNSUPPORTED_VERSION,
            f"The version {version!r} is not spoken here without `initialize`.",
            {"supported": [MODERN], "requested": version},
            status=400,
        )


def check_headers(request: Request, headers: Mapping[str, str]) -> None:
    """Whether the headers, by their names in lower case, say what the body says: others may have
    decided by them ("Server Validation"). Raises RpcError."""
    version = headers.get("mcp-protocol-version", "")
    if not request.version and (version in LEGACY or not version):
        return  # they know no such headers
    if version != request.version:
        raise _mismatch("MCP-Protocol-Version", version, request.version)
    check_version(version)
    method = headers.get("mcp-method", "")
    if method != request.method:
        raise _mismatch("Mcp-Method", method, request.method)
    parameter = _NAMED.get(request.method)
    if parameter is not None:
        name, given = _decoded(headers.get("mcp-name", "")), request.params.get(parameter)
        if name != given:
            raise _mismatch("Mcp-Name", name, given)


def _mismatch(header: str, value: str, expected: object) -> RpcError:
    return RpcError(
        _HEADER_MISMATCH,
        f"Header mismatch: {header} is {value!r}, the body says {expected!r}.",
        status=400,
    )


def _decoded(value: str) -> str:
    begin, end = _BASE64
    if not (value.startswith(begin) and value.endswith(end)):
        return value
    try:
        return base64.b64decode(value[len(begin) : -len(end)], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return value
