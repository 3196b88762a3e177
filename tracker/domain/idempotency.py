"""Keys by which a report that is sent again is recorded once (docs/contract.md, "Webhooks")."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from tracker.clock import MS_PER_DAY
from tracker.domain.tasks import Report

LIFETIME_MS: Final = MS_PER_DAY
"""How long a key is remembered."""

LATE_LIFETIME_MS: Final = 31 * MS_PER_DAY
"""The same, of a report that says when it happened: it may have waited for its server for as long
as such a report is taken as it is."""


OwnedKey = tuple[int, str]
"""A key, after the id of the API key that sent it: clients do not know each other's."""


class Idempotency(NamedTuple):
    """A key, a hash of the kind and body of its request, and for how many milliseconds it is
    remembered."""

    key: OwnedKey
    fingerprint: bytes
    lifetime_ms: int


def idempotency(owner: int, key: str, report: Report, body: bytes) -> Idempotency:
    """The same key on another webhook, or with another body, is another request. `owner`: see
    `OwnedKey`."""
    fingerprint = hashlib.blake2b(body, digest_size=16, person=report.kind.encode()).digest()
    lifetime = LIFETIME_MS if report.occurred_at is None else LATE_LIFETIME_MS
    return Idempotency((owner, key), fingerprint, lifetime)
