"""Keys by which a report that is sent again is recorded once (docs/contract.md, "Webhooks")."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from tracker.clock import MS_PER_DAY
from tracker.domain.tasks import Kind

LIFETIME_MS: Final = MS_PER_DAY
"""How long a key is remembered."""


OwnedKey = tuple[int, str]
"""A key, after the id of the API key that sent it: clients do not know each other's."""


class Idempotency(NamedTuple):
    """A key, and a hash of the kind and body of its request."""

    key: OwnedKey
    fingerprint: bytes


def idempotency(owner: int, key: str, kind: Kind, body: bytes) -> Idempotency:
    """The same key on another webhook, or with another body, is another request. `owner`: see
    `OwnedKey`."""
    fingerprint = hashlib.blake2b(body, digest_size=16, person=kind.encode()).digest()
    return Idempotency((owner, key), fingerprint)
