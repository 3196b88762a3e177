"""`connections.json` as connecting writes it (`agent_task_tracker/connections.py`), with what
disconnecting needs; and beside it the keys that are still to be revoked."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent_task_tracker import connections
from agent_task_tracker.errors import ClientError
from agent_task_tracker.files import read_regular
from agent_task_tracker.locks import let_go, try_lock
from tracker.agents.connect.changes import Change
from tracker.errors import ConfigError, InUse
from tracker.files import make_private, replacing, translate_errors

VARIABLE: Final = "TRACKER_CONNECTIONS"

_MAX_BYTES: Final = 1024 * 1024
_LOCK_SECONDS: Final = 15.0
_LOCK_PAUSE: Final = 0.05

Json = dict[str, Any]


class Connection(NamedTuple):
    """One agent's. `key_name`: under which the server knows the key; None: it was given, and is not
    ours to revoke. `executable`: what the hooks run."""

    url: str
    key: str
    key_name: str | None
    ca_file: str | None
    connected_at: str
    options: Mapping[str, Any]
    executable: str
    changed: tuple[Change, ...] = ()

    def to_json(self) -> Json:
        """As it is kept."""
        return {**self._asdict(), "changed": [change.to_json() for change in self.changed]}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Connection:
        """Raises KeyError, TypeError, ValueError."""
        key_name, ca_file, options = kept.get("key_name"), kept.get("ca_file"), kept.get("options")
        changes = map(Change.from_json, kept.get("changed", ()))
        return cls(
            str(kept["url"]),
            str(kept["key"]),
            None if key_name is None else str(key_name),
            None if ca_file is None else str(ca_file),
            str(kept.get("connected_at", "")),
            dict(options or {}),
            str(kept.get("executable", "")),
            tuple(change for change in changes if change is not None),
        )

    def with_change(self, change: Change) -> Connection:
        """With it in place of the one before in the same file."""
        others = [one for one in self.changed if one.file != change.file]
        return self._replace(changed=(*others, change))

    def without_change(self, file: Path) -> Connection:
        """Without what was changed in that file."""
        return self._replace(changed=tuple(one for one in self.changed if one.file != file))


class Revocation(NamedTuple):
    """A key that is to be revoked as soon as its server can be asked."""

    url: str
    key_name: str


class Ledger:
    """The file. Whoever changes it holds the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_file = path.with_name(f"{path.name}.lock")
        self.backups = path.with_name("before-tracker")
        """The folder for what files in working trees were before."""
        self._revocations = path.with_name(f"{path.stem}.to-revoke{path.suffix}")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands from changing it, and agents' configuration. Raises InUse,
        ConfigError."""
        with translate_errors(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            while not try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise InUse(f"{self.path}: another command is changing connections; try again")
                time.sleep(_LOCK_PAUSE)
            yield
        finally:
            let_go(descriptor)

    def connections(self) -> dict[str, Connection]:
        """By the agents' names. Raises ConfigError: the file cannot be used."""
        try:
            return {name: Connection.from_json(kept) for name, kept in self._entries().items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ConfigError(
                f"{self.path}: is damaged; move it away, and connect the agents again"
            ) from None

    def put(self, agent: str, connection: Connection | None) -> None:
        """Keep an agent's connection; None: there is none any more. Raises ConfigError, NoRoom."""
        entries = self._entries()
        if connection is not None:
            entries[agent] = connection.to_json()
        elif entries.pop(agent, None) is None:
            return
        with translate_errors(self.path):
            connections.save(str(self.path), entries)

    def revocations(self) -> list[Revocation]:
        """Keys that are to be revoked. Raises ConfigError: the file cannot be used."""
        try:
            found = json.loads(read_regular(self._revocations, _MAX_BYTES))
            return [Revocation(*map(str, item)) for item in found]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, RecursionError):
            raise ConfigError(
                f"{self._revocations}: cannot be used; move it away, and revoke keys that are no "
                "longer needed by `tracker key revoke`"
            ) from None

    def put_revocations(self, revocations: list[Revocation]) -> None:
        """Keep these, and no others. Raises ConfigError, NoRoom."""
        if revocations == self.revocations():
            return
        if not revocations:
            with translate_errors(self._revocations):
                self._revocations.unlink(missing_ok=True)
            return
        with replacing(self._revocations, force=True) as part:
            make_private(part)
            part.write_text(json.dumps(revocations), encoding="utf-8")

    def remove(self) -> None:
        """Remove the file and its lock, and the folder unless there is more in it. Raises
        ConfigError."""
        with translate_errors(self.path):
            self.path.unlink(missing_ok=True)
            self._lock_file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.backups.rmdir()
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()

    def check_private(self) -> None:
        """Raises ConfigError: the file is inside a git work tree, where keys would be committed."""
        real = Path(os.path.realpath(self.path))
        for folder in real.parents:
            if os.path.lexists(folder / ".git"):
                raise ConfigError(
                    f"{self.path}: is in the git work tree {folder}, where the keys in it could be "
                    f"committed; name a file elsewhere by {VARIABLE}, for the agents as well"
                )

    def _entries(self) -> dict[str, Json]:
        try:
            return connections.load(str(self.path))
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read: {error.strerror or error}") from None
        except ClientError as error:
            raise ConfigError(str(error)) from None


def ledger_file(environment: Mapping[str, str]) -> Path:
    """Where it is. Raises ConfigError: the user has no home."""
    try:
        return Path(connections.path(environment))
    except RuntimeError as error:
        raise ConfigError(f"{error}; name the file of connections by {VARIABLE}") from None
