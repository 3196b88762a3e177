"""What the API offers about keys and the audit log; see `operations`."""

from __future__ import annotations

from functools import partial
from typing import Final

from tracker.api import key_schemas
from tracker.api.openapi import examples
from tracker.api.openapi.operations import Operation, Response
from tracker.domain import key_answers
from tracker.domain.principal import Right

_operation = partial(Operation, tag="Keys", right=Right.ADMIN)

KEY_OPERATIONS: Final = (
    _operation(
        method="get",
        path="/api/keys",
        id="list_keys",
        summary="List the keys",
        description="Their secrets are not known here any more. The master key is not among them.",
        headers=("If-None-Match",),
        answers={200: Response("By name.", key_answers.Keys, examples.KEYS)},
        conditional=True,
        stored=False,
    ),
    _operation(
        method="post",
        path="/api/keys",
        id="create_key",
        summary="Make a key",
        description="Its secret is in this answer, and nowhere else ever after.",
        body=key_schemas.NewKeyBody,
        example=examples.NEW_KEY,
        answers={201: Response("Made.", key_answers.NewKey, examples.KEY_MADE)},
        failures=("Conflict",),
    ),
    _operation(
        method="delete",
        path="/api/keys/{name}",
        id="revoke_key",
        summary="Revoke a key",
        description="At once: its requests get 401, its sockets, streams and browser sessions are "
        "closed.",
        answers={204: Response("Revoked.")},
    ),
    _operation(
        method="post",
        path="/api/keys/{name}/rotate",
        id="rotate_key",
        summary="Give a key another secret",
        description="The secret before goes on for `overlap_seconds`, a day if left out.",
        body=key_schemas.RotateKeyBody,
        example=examples.ROTATION,
        answers={201: Response("The new secret.", key_answers.NewKey, examples.KEY_ROTATED)},
        failures=("Conflict",),
    ),
    _operation(
        method="get",
        path="/api/audit",
        id="read_audit_log",
        summary="Who did what",
        description="Keys, sign-ins, refusals, deletions, imports, restores, prunings, changes of "
        "settings; newest first. Sign-ins and refusals that are alike are one entry an hour.",
        query=key_schemas.AuditQuery,
        headers=("If-None-Match",),
        answers={200: Response("A page.", key_answers.Audit, examples.AUDIT)},
        conditional=True,
    ),
)
