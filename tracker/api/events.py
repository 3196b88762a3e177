"""`/api/events`: the log, page by page or as server-sent events."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import falcon.asgi
import orjson
from falcon.asgi import SSEvent

from tracker.api import responses
from tracker.api.middleware.auth import Rights, principal_of, scope_of
from tracker.api.parameters import EventsQuery, EventStreamQuery, StreamQuery
from tracker.api.resources import read_query, send_json
from tracker.api.schemas import validate
from tracker.domain.lease import Lease
from tracker.domain.ports import EventLog
from tracker.domain.principal import Right, Scope
from tracker.errors import NotFound, Unavailable
from tracker.timeouts import Timeouts
from tracker.ws.stream import Stream


class Events:
    """`/api/events`."""

    rights = Rights(get=Right.READ)

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Events after `since`, oldest first; or the `newest`.

        `last_id` is the cursor for the next page; `resync_required` says that `since` is from
        before what was pruned, or from another database.
        """
        query = read_query(req, EventsQuery)
        if query.newest is None:
            page = await self._log.events(
                scope_of(req), query.since, query.to_filter(), query.limit
            )
            resync = not page.bounds.covers(query.since)
        else:
            page = await self._log.newest_events(
                scope_of(req), query.before, query.to_filter(), query.newest
            )
            resync = False
        send_json(req, resp, responses.events_page(page, resync=resync))


class Event:
    """`/api/events/{event_id}`."""

    rights = Rights(get=Right.READ)

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def on_get(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, event_id: str
    ) -> None:
        """One event. Raises NotFound."""
        if not re.fullmatch("[1-9][0-9]{0,15}", event_id):
            raise _no_such_event(event_id)
        event = await self._log.event(scope_of(req), int(event_id))
        if event is None:
            raise _no_such_event(event_id)
        send_json(req, resp, orjson.Fragment(event.message))


class EventStream:
    """`/api/events/stream`."""

    rights = Rights(get=Right.READ)

    def __init__(self, stream: Stream, timeouts: Timeouts) -> None:
        self._stream = stream
        self._heartbeat = timeouts.heartbeat

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
        query = read_query(req, EventStreamQuery)
        since = query.since
        last_event_id = req.get_header("Last-Event-ID")
        if last_event_id:
            since = validate(StreamQuery, {"since": last_event_id}).since
        resp.set_header("Cache-Control", "no-cache, no-transform")  # compressed, it would wait
        resp.set_header("X-Accel-Buffering", "no")
        principal = principal_of(req)
        scope = principal.scope.narrowed(query.project)
        resp.sse = self._events(since, scope, principal.lease, named=query.named)

    async def _events(
        self, since: int | None, scope: Scope, lease: Lease, *, named: bool
    ) -> AsyncGenerator[SSEvent, None]:
        yield _Encoded(b": connected\n\n")
        try:
            stream = self._stream.batches(since, scope, self._heartbeat, lease)
            async with aclosing(stream) as batches:
                async for batch in batches:
                    # The comment keeps proxies from closing, and shows us whose client is gone.
                    encoded = batch.sse if named else batch.unnamed_sse
                    yield _Encoded(encoded or b": nothing new\n\n")
        except Unavailable as error:
            yield _Encoded(b": %b The stream ends; connect again.\n\n" % error.message.encode())


def _no_such_event(event_id: str) -> NotFound:
    return NotFound(f"There is no event {event_id!r}; it may have been deleted or pruned.")


class _Encoded(SSEvent):
    """Server-sent events that are encoded already, as many as there are."""

    def __init__(self, encoded: bytes) -> None:
        super().__init__()
        self._encoded = encoded

    def serialize(self, handler: Any = None) -> bytes:  # noqa: ARG002 - Falcon's signature
        return self._encoded
