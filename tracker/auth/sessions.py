"""Browser sessions: what a page holds instead of the API key, signed with SECRET_KEY.

A session is its own proof: its id, the time it ends, the generation it belongs to, what names the
key it was opened with in any database (numbers begin anew in a new one), and an HMAC-SHA256 over
these and the master key's hash. Another master key or another SECRET_KEY thus ends all sessions at
once; a key that is revoked, those opened with it. What is stored are the ids of sessions that were
signed out before they expired, and the epoch, which names the generation: a new epoch ends them
all.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from tracker.auth.keys import Keys
from tracker.clock import Clock
from tracker.domain.lease import Lease
from tracker.domain.ports import SessionStore
from tracker.domain.principal import Principal
from tracker.domain.sessions import EndedSessions

# Seconds (docs/contract.md, "Authentication").
LIFETIME: Final = 12 * 3600


class Session(NamedTuple):
    """A session that was issued here; it may be over."""

    id: str
    ends: int
    generation: str
    secret_id: str


class Sessions:
    """Issues sessions, recognises them, ends them."""

    def __init__(
        self,
        keys: Keys,
        clock: Clock,
        store: SessionStore,
        holder_of: Callable[[str], Principal | None],
    ) -> None:
        """`holder_of`: who has the key with a secret of this name; None: nobody, any more."""
        self._holder_of = holder_of
        self._secret = keys.secret.encode()
        self._key_hash = hashlib.sha256(keys.api.encode()).digest()
        self._clock = clock
        self._store = store
        epoch, revoked = store.ended_sessions
        self._set_epoch(epoch)
        self._revoked = dict(revoked)
        self._unsaved: dict[str, int] = {}  # revoked, and not yet stored
        self._epoch_is_saved = True
        self._leases: WeakValueDictionary[str, Lease] = WeakValueDictionary()
        # Cookies are shared by all ports of a host, so each server needs a name of its own.
        self.cookie: Final = f"tracker_session_{self._sign('name')[:8]}"

    def issue(self, holder: Principal) -> tuple[str, int]:
        """A new session, and when it ends in milliseconds since the epoch."""
        ends = self._clock.now_ms() + LIFETIME * 1000
        if holder.ends_at is not None:
            ends = min(ends, holder.ends_at)
        payload = f"{ends}.{secrets.token_urlsafe(12)}.{self._generation}.{holder.secret_id}"
        return f"{payload}.{self._sign(payload)}", ends

    def read(self, token: str) -> Session | None:
        """The session, over or not; None if it was not issued here, under the keys in force."""
        payload, _, signature = token.rpartition(".")
        expected = self._sign(payload).encode()
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), expected):
            return None
        if payload.count(".") != 3:  # of an older version's form; they have expired
            return Session("", 0, "", "")
        ends, id_, generation, secret_id = payload.split(".")
        return Session(id_, int(ends), generation, secret_id)

    def principal(self, session: Session) -> Principal | None:
        """Who holds the session; None: it is over."""
        holder = self._holder_of(session.secret_id)
        lease = None if holder is None else self._lease(session, holder.lease)
        return None if holder is None or lease is None else holder.with_lease(lease)

    def _lease(self, session: Session, of_key: Lease) -> Lease | None:
        ends = session.ends
        if (
            session.generation != self._generation
            or session.id in self._revoked
            or ends <= self._clock.now_ms()
        ):
            return None
        lease = self._leases.get(session.id)
        if lease is None:
            lease = of_key.child(lambda: (ends - self._clock.now_ms()) / 1000)
            self._leases[session.id] = lease
        return lease

    async def revoke(self, tokens: Iterable[str]) -> None:
        """End these sessions: at once, and for good when this returns. Raises Unavailable: a
        restart brings them back unless a later `save` succeeds."""
        now = self._clock.now_ms()
        self._revoked = {id_: ends for id_, ends in self._revoked.items() if ends > now}
        for session in map(self.read, tokens):
            principal = None if session is None else self.principal(session)
            if session is not None and principal is not None:
                self._revoked[session.id] = self._unsaved[session.id] = session.ends
                principal.lease.end()
        await self.save()

    async def revoke_all(self) -> None:
        """End all sessions, likewise. Raises Unavailable."""
        self._set_epoch(secrets.token_urlsafe(12))
        self._epoch_is_saved = False
        self._revoked.clear()
        for lease in list(self._leases.values()):
            lease.end()
        await self.save()

    async def save(self) -> None:
        """Store what is not stored yet. Raises Unavailable."""
        if self._unsaved or not self._epoch_is_saved:
            written = EndedSessions(self._epoch, dict(self._unsaved))
            await self._store.save_ended_sessions(written)
            self._epoch_is_saved = self._epoch == written.epoch
            for id_ in written.revoked:
                self._unsaved.pop(id_, None)

    def _set_epoch(self, epoch: str) -> None:
        self._epoch = epoch
        # The epoch in characters that a cookie may hold.
        self._generation = hashlib.sha256(epoch.encode()).hexdigest()[:16]

    def _sign(self, message: str) -> str:
        signed = self._key_hash + message.encode("utf-8", "replace")
        return hmac.new(self._secret, signed, hashlib.sha256).hexdigest()
