"""Keys of one's own: recognised, made, rotated, revoked (docs/contract.md, "Keys of one's own").

All of them are in memory, so that no request waits for the database, and of each its SHA-256:
nobody can guess 256 bits, so that it needs no salt and no slowness. Those in use are there as they
came, too. A change counts once it is stored: a key that was revoked stays revoked, whatever happens
to the server.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent_task_tracker.proof import id_of, secret_of
from tracker.clock import Clock
from tracker.domain import keys
from tracker.domain.audit import Actor
from tracker.domain.keys import KeySpec, KeyUse, StoredKey, StoredSecret
from tracker.domain.lease import Lease
from tracker.domain.ports import KeyStore
from tracker.domain.principal import Principal


class NamedKeys:
    """All keys but the master key."""

    def __init__(self, clock: Clock, store: KeyStore) -> None:
        self._clock = clock
        self._store = store
        self._keys: dict[str, StoredKey] = {}
        self._by_digest: dict[bytes, Principal] = {}
        self._digests: dict[str, bytes] = {}  # by what proofs and sessions call them
        self._in_use: dict[str, Principal] = {}  # by the key itself: no hash for each request
        self._uses: dict[int, KeyUse] = {}  # by the key's id
        self._unsaved: set[int] = set()
        for stored in store.stored_keys:
            self._replace(stored)

    def find(self, key: str) -> Principal | None:
        """Who has this key; None: nobody, any more."""
        principal = self._in_use.get(key)
        if principal is None:
            principal = self._by_digest.get(secret_of(key))
            if principal is not None:
                self._in_use[key] = principal
        return self._in_force(principal)

    def of_secret(self, secret_id: str) -> Principal | None:
        """Who has the key whose secret is named so; None: nobody, any more."""
        digest = self._digests.get(secret_id)
        return None if digest is None else self._in_force(self._by_digest[digest])

    def digest_for_proof(self, proof_id: str) -> bytes | None:
        """What a proof is made with: see `tracker.api.proof`."""
        return self._digests.get(proof_id)

    def note_use(self, principal: Principal, address: str) -> None:
        """Its key was used now. Costs next to nothing; `save` stores it."""
        self._uses[principal.key_id] = KeyUse(self._clock.now_ms(), address)
        self._unsaved.add(principal.key_id)

    def stored(self) -> Sequence[StoredKey]:
        """All keys, by name, with their last use."""
        return [self._with_use(self._keys[name]) for name in sorted(self._keys)]

    async def create(self, spec: KeySpec, by: Actor) -> tuple[str, StoredKey]:
        """A new key, to be shown once. Raises Conflict, Unavailable."""
        key = keys.generate()
        stored = await self._store.add_key(spec, secret_of(key), by)
        self._replace(stored)
        return key, stored

    async def rotate(self, name: str, overlap_ms: int, by: Actor) -> tuple[str, StoredKey]:
        """Another secret for a key; the one before goes on for so many milliseconds. Raises
        NotFound, ValidationFailed, Unavailable."""
        keys.check_overlap(overlap_ms)
        key = keys.generate()
        stored = await self._store.rotate_key(name, secret_of(key), overlap_ms, by)
        self._replace(stored)
        return key, self._with_use(stored)

    async def revoke(self, name: str, by: Actor) -> None:
        """End a key, on every connection. Raises NotFound, Unavailable."""
        await self._store.revoke_key(name, by)
        self._remove(name)

    async def save(self) -> None:
        """Store when keys were used last. Raises Unavailable: later calls store it."""
        unsaved = {id_: self._uses[id_] for id_ in self._unsaved}
        if unsaved:
            await self._store.save_key_uses(unsaved)
            self._unsaved -= {id_ for id_, use in unsaved.items() if self._uses.get(id_) == use}

    def _in_force(self, principal: Principal | None) -> Principal | None:
        if principal is None or self._seconds_left(principal) <= 0:
            return None
        return principal

    def _seconds_left(self, principal: Principal) -> float:
        if principal.ends_at is None:
            return math.inf
        return (principal.ends_at - self._clock.now_ms()) / 1000

    def _replace(self, stored: StoredKey) -> None:
        """Have the key as it is stored now. What is open with a secret that stays goes on."""
        before = self._keys.get(stored.spec.name)
        self._keys[stored.spec.name] = stored
        kept = {secret.digest for secret in stored.secrets}
        for secret in before.secrets if before else ():
            if secret.digest not in kept:
                self._forget(secret)
        for secret in stored.secrets:
            ends = [end for end in (stored.spec.expires_at, secret.expires_at) if end is not None]
            principal = self._by_digest.get(secret.digest) or self._add(stored, secret)
            principal.ends_at = min(ends, default=None)
            principal.lease.review()

    def _add(self, stored: StoredKey, secret: StoredSecret) -> Principal:
        spec, secret_id = stored.spec, id_of(secret.digest)
        principal = Principal(
            *(spec.name, spec.role, spec.scope),
            Lease(lambda: self._seconds_left(principal)),
            key_id=stored.id,
            secret_id=secret_id,
        )
        self._by_digest[secret.digest] = principal
        self._digests[secret_id] = secret.digest
        return principal

    def _remove(self, name: str) -> None:
        stored = self._keys.pop(name)
        for secret in stored.secrets:
            self._forget(secret)
        self._uses.pop(stored.id, None)
        self._unsaved.discard(stored.id)

    def _forget(self, secret: StoredSecret) -> None:
        principal = self._by_digest.pop(secret.digest)
        del self._digests[principal.secret_id]
        self._in_use = {key: of for key, of in self._in_use.items() if of is not principal}
        principal.lease.end()

    def _with_use(self, stored: StoredKey) -> StoredKey:
        use = self._uses.get(stored.id)
        if use is None:
            return stored
        return stored._replace(last_used_at=use.at, last_used_from=use.address)
