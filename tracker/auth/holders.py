"""Who has which key: the master key, or one of one's own."""

from __future__ import annotations

import hmac

from agent_task_tracker.proof import id_of, secret_of
from tracker.auth.keys import Keys
from tracker.auth.named_keys import NamedKeys
from tracker.domain.principal import Principal


class Holders:
    """Finds the holder of any key."""

    def __init__(self, master: Principal, keys: Keys, named: NamedKeys) -> None:
        """`master`: whoever has the key of the settings."""
        self._master = master
        self._master_key = keys.api.encode()
        self._provable = {}
        if keys.api_is_provable:
            secret = secret_of(keys.api)
            self._provable[id_of(secret)] = secret
        self._named = named

    def find(self, key: str, address: str) -> Principal | None:
        """Who has the key, used now from this address; None: nobody, any more."""
        # Takes the same time whatever it is.
        if hmac.compare_digest(key.encode("utf-8", "replace"), self._master_key):
            return self._master
        principal = self._named.find(key)
        if principal is not None:
            self._named.note_use(principal, address)
        return principal

    def of_secret(self, secret_id: str) -> Principal | None:
        """Who has the key whose secret is named so, "" being the master's; None: nobody, any
        more."""
        return self._named.of_secret(secret_id) if secret_id else self._master

    def secret_for_proof(self, proof_id: str) -> bytes | None:
        """What the key with this id is proven with; None: there is no such key, or it was
        chosen."""
        return self._provable.get(proof_id) or self._named.digest_for_proof(proof_id)
