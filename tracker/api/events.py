"""`/api/events`: the log, page by page or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

import falcon.asgi
import orjson
from falcon.asgi import SSEvent

from tracker.api.resources import answer, read_query
from tracker.api.schemas import EventsQuery, StreamQuery, validate
from tracker.store import Store
from tracker.ws.stream import Stream

# Seconds of silence after which a comment keeps proxies from closing (the contract's "Events").
HEARTBEAT: Final = 15.0


class Events:
    """`/api/events`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Events after `since`, oldest first.

        `last_id` is the cursor for the next page; `resync_required` says that `since` is from
        before what was pruned, or from another database.
        """
        query = read_query(req, EventsQuery)
        bounds = await self._store.bounds()
        page = await self._store.events(query.since, bounds.last, query.to_filter(), query.limit)
        answer(
            req,
            resp,
            {
                "events": [orjson.Fragment(event.message) for event in page.events],
                "last_id": bounds.last if page.complete else page.events[-1].id,
                "has_more": not page.complete,
                "oldest_id": bounds.oldest,
                "resync_required": not bounds.pruned <= query.since <= bounds.last,
            },
        )


class EventStream:
    """`/api/events/stream`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
        query = read_query(req, StreamQuery)
        since = query.since
        last_event_id = req.get_header("Last-Event-ID")
        if last_event_id:
            since = validate(StreamQuery, {"since": last_event_id}).since
        resp.set_header("Cache-Control", "no-cache")
        resp.set_header("X-Accel-Buffering", "no")
        resp.sse = self._events(since, query.project)

    async def _events(
        self, since: int | None, project: str | None
    ) -> AsyncGenerator[SSEvent, None]:
        yield _Encoded(b": connected\n\n")
        if since is not None:
            notice = await self._stream.resync_notice(since)
            if notice is not None:
                yield _Encoded(b"event: resync_required\ndata: %b\n\n" % notice)
                since = 0
        async for batch in self._stream.batches(since, project, HEARTBEAT):
            yield _Encoded(batch.sse or b": nothing new\n\n")


class _Encoded(SSEvent):
    """Server-sent events that are encoded already, as many as there are."""

    def __init__(self, encoded: bytes) -> None:
        super().__init__()
        self._encoded = encoded

    def serialize(self, handler: Any = None) -> bytes:  # noqa: ARG002 - Falcon's signature
        return self._encoded
