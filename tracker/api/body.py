"""Request bodies: read once, up to the limit, and taken for JSON only if they say so; compressed
ones are then expanded (`tracker.api.content_coding`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tracker.api.content_coding import Coding, coding_of
from tracker.api.request_head import RequestHead
from tracker.domain.limits import MAX_BODY_BYTES
from tracker.errors import BadRequest, Issue, PayloadTooLarge, UnsupportedMediaType

Receive = Callable[[], Awaitable[dict[str, Any]]]
ASGI = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def check_body(head: RequestHead) -> Coding | None:
    """Refuse a body unread, if its headers say that it is too large, or not JSON in UTF-8. Tells
    how it is compressed.

    Raises:
        UnsupportedMediaType, PayloadTooLarge
    """
    _check_content_type(head.get(b"content-type"))
    coding = coding_of(head)
    if int(head.get(b"content-length") or 0) > MAX_BODY_BYTES:
        raise too_large()
    return coding


async def read_body(receive: Receive) -> bytes:
    """The whole body, as it was sent. Raises PayloadTooLarge, having read no further than the
    limit."""
    body = bytearray()  # grows by parts of whatever size, in all at linear cost
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise BadRequest("The connection ended in the middle of the body.")
        more = event["more_body"]
        body += event["body"]
        if len(body) > MAX_BODY_BYTES:
            raise too_large()
    return bytes(body)


def too_large() -> PayloadTooLarge:
    """The error for a body over the limit."""
    message = f"The body is over {MAX_BODY_BYTES} bytes; send less."
    return PayloadTooLarge(message, [Issue("body", "Too large")])


def _check_content_type(content_type: str | None) -> None:
    if content_type is None or content_type == "application/json":
        return
    essence, _, parameters = content_type.partition(";")
    charset = parameters.lower().replace('"', "").replace(" ", "").replace("utf8", "utf-8")
    if essence.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise UnsupportedMediaType(
            "Send JSON in UTF-8, with the header Content-Type: application/json.",
            [Issue("Content-Type", "This has to be application/json")],
        )
