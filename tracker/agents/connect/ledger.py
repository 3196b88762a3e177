"""`connections.json`: which agent reports to which server with which key, and what was changed for
it. The hooks read address, key and options of it; the rest is what disconnecting needs."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import platformdirs

from agent_task_tracker.files import read_regular
from agent_task_tracker.locks import let_go, try_lock
from tracker.agents.connect.changes import Change
from tracker.errors import ConfigError, InUse
from tracker.files import make_private, replacing, translate_errors

VERSION: Final = 1
VARIABLE: Final = "TRACKER_CONNECTIONS"

_MAX_BYTES: Final = 4 * 1024 * 1024
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
    ca_file: str | None = None


class Ledger:
    """The file. Whoever changes it holds the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_file = path.with_name(f"{path.name}.lock")

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
        found = self._read()["connections"]
        try:
            return {str(name): Connection.from_json(kept) for name, kept in found.items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._damaged() from None

    def revocations(self) -> list[Revocation]:
        """Likewise."""
        try:
            return [
                Revocation(str(item["url"]), str(item["key_name"]), item.get("ca_file"))
                for item in self._read().get("revoke", ())
            ]
        except (KeyError, TypeError, AttributeError):
            raise self._damaged() from None

    def put(self, agent: str, connection: Connection | None) -> None:
        """Keep an agent's connection; None: there is none any more. Raises ConfigError, NoRoom."""
        content = self._read()
        content["connections"].pop(agent, None)
        if connection is not None:
            content["connections"][agent] = connection.to_json()
        self._write(content)

    def put_revocations(self, revocations: list[Revocation]) -> None:
        """Keep these, and no others. Raises ConfigError, NoRoom."""
        content = self._read()
        content.pop("revoke", None)
        if revocations:
            content["revoke"] = [revocation._asdict() for revocation in revocations]
        self._write(content)

    def remove(self) -> None:
        """Remove the file and its lock, and the folder unless there is more in it. Raises
        ConfigError."""
        with translate_errors(self.path):
            self.path.unlink(missing_ok=True)
            self._lock_file.unlink(missing_ok=True)
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

    def _read(self) -> Json:
        try:
            content = json.loads(read_regular(self.path, _MAX_BYTES))
        except FileNotFoundError:
            return {"version": VERSION, "connections": {}}
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise self._damaged() from None
        if not isinstance(content, dict) or not isinstance(content.get("connections"), dict):
            raise self._damaged()
        if content.get("version") != VERSION:
            raise ConfigError(
                f"{self.path}: was written by another version of this program; upgrade the older"
            )
        return content

    def _damaged(self) -> ConfigError:
        return ConfigError(
            f"{self.path}: is no list of connections; move it away, and connect the agents again"
        )

    def _write(self, content: Json) -> None:
        with replacing(self.path, force=True) as part:
            make_private(part)
            part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def ledger_file(environment: Mapping[str, str]) -> Path:
    """Where it is: TRACKER_CONNECTIONS, else in the user's folder of configuration."""
    given = environment.get(VARIABLE)
    if given:
        return Path(os.path.abspath(given))  # noqa: PTH100 - a link stays one
    return Path(platformdirs.user_config_dir("agent-task-tracker", appauthor=False)).joinpath(
        "connections.json"
    )
