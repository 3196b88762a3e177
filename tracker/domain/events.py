"""An event as every consumer gets it.

The log stores `data` as the JSON it is sent as (made by `tracker.domain.messages`); WebSocket, SSE,
`/api/events`, a task's history and exports all carry the same message around it.
"""

from __future__ import annotations

from tracker.clock import iso


class Event:
    """One row of the event log. Ids increase and are never reused."""

    __slots__ = ("at", "data", "id", "project", "type")

    def __init__(self, event_id: int, project: str, type_: str, data: bytes, at: int) -> None:
        self.id = event_id
        self.project = project
        self.type = type_
        self.data = data
        self.at = at

    @property
    def message(self) -> bytes:
        """The message of `/ws`, `/api/events` and SSE: `id` beside the API document's fields."""
        return message(self.type, self.data, iso(self.at), self.id)

    @property
    def frame(self) -> bytes:
        """`message` as one WebSocket text frame."""
        return text_frame(self.message)

    @property
    def sse(self) -> bytes:
        """`message` as one server-sent event whose id is the event's."""
        return b"id: %d\nevent: %b\ndata: %b\n\n" % (self.id, self.type.encode(), self.message)

    @property
    def unnamed_sse(self) -> bytes:
        """The same without the event's name, so that it reaches an EventSource's `onmessage`."""
        return b"id: %d\ndata: %b\n\n" % (self.id, self.message)


class Notice:
    """A message that is no event: it is not in the log and has no id."""

    def __init__(self, type_: str, data: bytes, at: int, cursor: int | None = None) -> None:
        """`cursor`: the event id from which the reader goes on; None: it has no position."""
        self.message = message(type_, data, iso(at))
        self._type = type_
        self._cursor = cursor

    @property
    def frame(self) -> bytes:
        """See `Event.frame`."""
        return text_frame(self.message)

    @property
    def sse(self) -> bytes:
        """See `Event.sse`; the id, which browsers reconnect with, is the cursor."""
        return b"%bevent: %b\ndata: %b\n\n" % (self._id_line, self._type.encode(), self.message)

    @property
    def unnamed_sse(self) -> bytes:
        """See `Event.unnamed_sse`."""
        return b"%bdata: %b\n\n" % (self._id_line, self.message)

    @property
    def _id_line(self) -> bytes:
        return b"" if self._cursor is None else b"id: %d\n" % self._cursor


def message(type_: str, data: bytes, timestamp: str, event_id: int | None = None) -> bytes:
    """A WebSocket message; `data` is JSON already. Without an id: a notice that is no event."""
    id_field = b"" if event_id is None else b'"id":%d,' % event_id
    return b'{%b"type":"%b","data":%b,"timestamp":"%b"}' % (
        id_field,
        type_.encode(),
        data,
        timestamp.encode(),
    )


def text_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65_536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2), payload)
    return b"\x81\x7f%b%b" % (size.to_bytes(8), payload)
