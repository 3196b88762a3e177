"""Request bodies: read once, and up to the limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import falcon.asgi

from tracker.errors import BadRequest, Issue, PayloadTooLarge, UnsupportedMediaType

MAX_BODY_BYTES: Final = 1_048_576

_RECEIVE: Final = "tracker.receive"

Receive = Callable[[], Awaitable[dict[str, Any]]]
ASGI = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class DeferBody:
    """Lets Falcon begin with a request before any of its body has been asked for.

    So that a body over the limit is refused unread (a client that sent `Expect: 100-continue`
    then never sends it), and without Falcon's stream, which costs a fifth of a webhook's time.
    """

    def __init__(self, app: ASGI) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        if scope["type"] == "http":
            scope[_RECEIVE] = receive
            receive = _BeginWithNothing(receive)
        await self._app(scope, receive, send)


class _BeginWithNothing:
    __slots__ = ("_begun", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._begun = False

    async def __call__(self) -> dict[str, Any]:
        if self._begun:
            return await self._receive()
        self._begun = True
        return {"type": "http.request", "body": b"", "more_body": True}


def check_content_type(req: falcon.asgi.Request) -> None:
    """Raises UnsupportedMediaType for anything said to be other than JSON in UTF-8."""
    content_type = req.content_type
    if content_type is None or content_type == "application/json":
        return
    essence, _, parameters = content_type.partition(";")
    charset = parameters.lower().replace('"', "").replace(" ", "")
    if essence.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise UnsupportedMediaType(
            "Send JSON in UTF-8, with the header Content-Type: application/json.",
            [Issue("Content-Type", "This has to be application/json")],
        )


async def read_body(req: falcon.asgi.Request) -> bytes:
    """The whole body. Raises PayloadTooLarge, having read no further than the limit."""
    if (req.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    receive: Receive = req.scope[_RECEIVE]
    body = b""
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise BadRequest("The connection ended in the middle of the body.")
        more = event["more_body"]
        body = body + event["body"] if body else event["body"]
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return body


def _too_large() -> PayloadTooLarge:
    message = f"The body is over {MAX_BODY_BYTES} bytes; send less."
    return PayloadTooLarge(message, [Issue("body", "Too large")])
