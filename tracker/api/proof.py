"""`/proof`: the server shows that it has a key before a client of this machine shows it its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import falcon.asgi
import orjson

from agent_task_tracker.proof import canonical, prove
from tracker.api.middleware.auth import Rights
from tracker.api.parameters import ProofQuery
from tracker.api.resources import read_query
from tracker.domain.principal import Right
from tracker.errors import NotFound

NO_SUCH_KEY: Final = (
    "This server has no such key, or one that was chosen: it proves only those it made itself."
)


class Proof:
    """`/proof`."""

    rights = Rights(get=Right.OPEN)

    def __init__(self, secret_for: Callable[[str], bytes | None]) -> None:
        """`secret_for`: what a key is proven with, by what proofs call it. None of them may be
        guessable: a proof lets anybody test guesses."""
        self._secret_for = secret_for

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Sign the nonce and where this connection ends.

        Raises:
            NotFound: the client is on another machine, or the key is none that is proven here.
            ValidationFailed
        """
        client, server = req.scope.get("client"), req.scope.get("server")
        if not (client and server and _is_loopback(*client) and _is_loopback(*server)):
            raise NotFound("The proof is given to programs on the server's own machine only.")
        query = read_query(req, ProofQuery)
        secret = self._secret_for(query.key_id)
        if secret is None:
            raise NotFound(NO_SUCH_KEY)
        resp.set_header("Cache-Control", "no-store")
        resp.data = orjson.dumps({"proof": prove(secret, query.nonce, *server)})


def _is_loopback(address: str, _port: int | None) -> bool:
    """Whether nobody on another machine can be at that end of a connection."""
    try:
        return canonical(address).is_loopback
    except ValueError:  # no IP address
        return False
