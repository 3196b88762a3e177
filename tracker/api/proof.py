"""`/proof`: the server shows that it has a key before a client of this machine shows it its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import falcon.asgi
import orjson

from agent_task_tracker.proof import canonical, key_id, proof
from tracker.api.resources import read_query
from tracker.api.schemas import ProofQuery
from tracker.errors import NotFound

NO_SUCH_KEY: Final = (
    "This server has no such key, or one that was chosen: it proves only those it made itself."
)


class Proof:
    """`/proof`."""

    def __init__(self, keys: Iterable[str]) -> None:
        """`keys`: those that are proven. None may be guessable: a proof lets anybody test
        guesses."""
        self._keys = {key_id(key): key for key in keys}

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
        key = self._keys.get(query.key_id)
        if key is None:
            raise NotFound(NO_SUCH_KEY)
        resp.set_header("Cache-Control", "no-store")
        resp.data = orjson.dumps({"proof": proof(key, query.nonce, *server)})


def _is_loopback(address: str, _port: int | None) -> bool:
    """Whether nobody on another machine can be at that end of a connection."""
    try:
        return canonical(address).is_loopback
    except ValueError:  # no IP address
        return False
