"""The API key of a request, and requests that contradict themselves.

One reader takes the first of two values, another one the last: a proxy and this server, or two
parts of this server, would see two different requests. Such a request is refused, by every way in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tracker.api.request_head import RawHeaders, RequestHead
from tracker.errors import BadRequest, Issue

# The parameter that carries the key.
PARAMETER: Final = "api_key"

_SINGLE_HEADERS: Final = (
    (b"host", "Host"),
    (b"x-api-key", "X-API-Key"),
    (b"authorization", "Authorization"),
)


def contradiction(headers: RawHeaders, parameters: Sequence[str]) -> Issue | None:
    """What a request repeats so that its host or its key is ambiguous; None: nothing.

    `headers`: all of them, as they came, their names in lower case. `parameters`: each `api_key` of
    the query string.
    """
    names = [name for name, _ in headers]
    key_headers = names.count(b"x-api-key")
    for name, title in _SINGLE_HEADERS:  # twice the same is no better (RFC 9112, 3.2)
        if names.count(name) > 1 and not (key_headers == 1 and name == b"authorization"):
            return Issue(title, "This header is given twice")
    keys = {value for value in parameters if value}
    if keys:
        first = {name: value.decode("latin-1") for name, value in headers}
        in_header = _key(first.get(b"x-api-key"), first.get(b"authorization"))
        if len(keys if in_header is None else keys | {in_header}) > 1:
            return Issue(PARAMETER, "This is given with two values")
    return None


def refuse_contradictions(head: RequestHead) -> None:
    """Raises BadRequest for a request that contradicts itself."""
    if head.is_unambiguous:
        return
    found = contradiction(head.headers, head.parameters(PARAMETER))
    if found is not None:
        raise BadRequest("The request says two things at once; say one.", [found])


def request_key(head: RequestHead) -> str | None:
    """The API key that came with the request, right or wrong. An empty parameter is none."""
    key = _key(head.get(b"x-api-key"), head.get(b"authorization"))
    if key is not None:
        return key
    return next(iter(head.parameters(PARAMETER)), None)


def _key(x_api_key: str | None, authorization: str | None) -> str | None:
    """The key in the headers. With `X-API-Key`, `Authorization` is not ours: proxies add their own.
    It is not ours either if it is no Bearer (RFC 6750, 2.1)."""
    if x_api_key is not None or authorization is None:
        return x_api_key
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
