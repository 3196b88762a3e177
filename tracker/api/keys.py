"""`/api/keys`: keys of one's own, made, listed, rotated, revoked; each secret is shown once."""

from __future__ import annotations

import falcon.asgi
import orjson

from tracker.api.key_schemas import NewKeyBody, RotateKeyBody
from tracker.api.middleware.auth import Rights, actor_of
from tracker.api.resources import read_json, send_json
from tracker.auth.named_keys import NamedKeys
from tracker.clock import Clock
from tracker.domain import key_answers
from tracker.domain.keys import StoredKey, key_spec
from tracker.domain.principal import Right


class Keys:
    """`/api/keys`."""

    rights = Rights(get=Right.ADMIN, post=Right.ADMIN)

    def __init__(self, named: NamedKeys, clock: Clock) -> None:
        self._named = named
        self._clock = clock

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """All of them, by name."""
        keys = [key_answers.key(stored) for stored in self._named.stored()]
        send_json(req, resp, {"keys": keys})

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Make one. Raises ValidationFailed, Conflict."""
        body = await read_json(req, NewKeyBody)
        spec = key_spec(
            *(body.name, body.role, body.projects),
            None if body.expires_in_seconds is None else int(body.expires_in_seconds * 1000),
            self._clock.now_ms(),
        )
        _show(resp, *await self._named.create(spec, actor_of(req)))


class Key:
    """`/api/keys/{name}`."""

    rights = Rights(delete=Right.ADMIN)

    def __init__(self, named: NamedKeys) -> None:
        self._named = named

    async def on_delete(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str
    ) -> None:
        """Revoke it: at once, on every connection. Raises NotFound."""
        await self._named.revoke(name, actor_of(req))
        resp.status = 204


class KeyRotation:
    """`/api/keys/{name}/rotate`."""

    rights = Rights(post=Right.ADMIN)

    def __init__(self, named: NamedKeys) -> None:
        self._named = named

    async def on_post(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str
    ) -> None:
        """Give it another secret. Raises NotFound, ValidationFailed."""
        body = await read_json(req, RotateKeyBody, empty=b"{}")
        overlap_ms = int(body.overlap_seconds * 1000)
        _show(resp, *await self._named.rotate(name, overlap_ms, actor_of(req)))


def _show(resp: falcon.asgi.Response, secret: str, stored: StoredKey) -> None:
    resp.status = 201
    resp.set_header("Cache-Control", "no-store")
    resp.data = orjson.dumps(key_answers.new_key(secret, stored))
