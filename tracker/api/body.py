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
    if not is_json(head.get(b"content-type")):
        raise UnsupportedMediaType(
            "Send JSON in UTF-8, with the header Content-Type: application/json.",
            [Issue("Content-Type", "This has to be application/json")],
        )
    coding = coding_of(head)
    check_length(head)
    return coding


def check_length(head: RequestHead, limit: int = MAX_BODY_BYTES, read: int = 0) -> None:
    """Refuse a body that is too large, by its head or by what was `read` of it. Raises
    PayloadTooLarge."""
    if max(int(head.get(b"content-length") or 0), read) > limit:
        raise too_large(limit)


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


def too_large(limit: int = MAX_BODY_BYTES) -> PayloadTooLarge:
    """The error for a body over the limit."""
    message = f"The body is over {limit} bytes; send less."
    return PayloadTooLarge(message, [Issue("body", "Too large")])


def is_json(content_type: str | None) -> bool:
    """Whether a body is said to be JSON in UTF-8."""
    if content_type is None or content_type == "application/json":
        return True
    essence, _, parameters = content_type.partition(";")
    charset = parameters.lower().replace('"', "").replace(" ", "").replace("utf8", "utf-8")
    return essence.strip().lower() == "application/json" and charset in ("", "charset=utf-8")
