"""Who may open a WebSocket, and what it asks for: the HTTP side's rules for `/ws`."""

from __future__ import annotations

import falcon.asgi

from tracker.api.accepted import say_accepted
from tracker.api.middleware.auth import Authenticator, Rights
from tracker.api.middleware.origin import Origins
from tracker.api.parameters import StreamQuery
from tracker.api.request_head import RequestHead
from tracker.api.resources import read_query
from tracker.domain.limits import CloseCode
from tracker.domain.principal import Right
from tracker.errors import Forbidden, RateLimited, Unauthorized, ValidationFailed
from tracker.ws.socket import Admitted, RefusalError, Socket


class WebSocketRoute(Socket):
    """`/ws`."""

    rights = Rights(get=Right.READ)


class SocketAdmission:
    """See `tracker.ws.socket.Admission`."""

    def __init__(self, authenticator: Authenticator, origins: Origins) -> None:
        self._authenticator = authenticator
        self._origins = origins

    def __call__(self, req: falcon.asgi.Request) -> Admitted:
        """What was asked for. Raises RefusalError."""
        head = RequestHead.of(req.scope)
        if not self._origins.admits(head):
            raise RefusalError(
                CloseCode.FORBIDDEN, "the page's origin is not allowed; --cors-origin"
            )
        try:
            principal = self._authenticator.admit(head, WebSocketRoute.rights.needed("GET"))
            say_accepted(req.scope)
            query = read_query(req, StreamQuery)
        except Unauthorized:
            raise RefusalError(CloseCode.UNAUTHORIZED, "unauthorized") from None
        except RateLimited as error:
            raise RefusalError(
                CloseCode.TRY_AGAIN_LATER, f"too many wrong keys; wait {error.retry_after} s"
            ) from None
        except Forbidden as error:
            raise RefusalError(CloseCode.FORBIDDEN, error.message[:120]) from None
        except ValidationFailed as error:
            field, issue = error.issues[0]
            raise RefusalError(CloseCode.POLICY_VIOLATION, f"{field}: {issue}"[:120]) from None
        scope, project = principal.scope.narrowed(query.project), query.project
        if project is not None and not principal.scope.includes(project):
            project = None  # or the socket, which is sent nothing, would take one of its places
        return Admitted(project, scope, query.since, principal.lease)
