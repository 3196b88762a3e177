"""A webhook's own cycle on a connection, and the bytes of its response."""

from __future__ import annotations

from typing import Final

from tracker.api.webhooks import WebhookRequest

JSON_OF_LENGTH: Final = b"content-type: application/json\r\ncontent-length: "


class _NoopEvent:
    """No-op event; nothing awaits it."""

    def set(self) -> None:
        pass


class WebhookCycle:
    """A webhook from its headers to its response, in place of uvicorn's cycle, with those of its
    attributes that the connection reads."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "opening", "response_complete")

    message_event = _NoopEvent()

    def __init__(self, opening: WebhookRequest, keep_alive: bool) -> None:
        self.opening = opening
        self.body: bytes | bytearray = b""
        self.disconnected = False
        self.keep_alive = keep_alive
        self.more_body = True
        self.response_complete = False

    @property
    def response_started(self) -> bool:
        return self.response_complete
