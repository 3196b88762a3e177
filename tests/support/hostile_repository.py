"""A repository that a stranger has prepared for the users who clone it and work in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.trap import Trap

# What the user's environment holds besides.
SECRET = "the-secret-of-another-program"


@dataclass
class Repository:
    """The working directory; `database`: the user's own, `elsewhere` and `here`: the stranger's
    addresses, beyond loopback and on it."""

    folder: Path
    database: Path
    elsewhere: Trap
    here: Trap

    def env(self, **variables: str | Path) -> None:
        """Write `.env`."""
        lines = [f"{name}={value}\n" for name, value in variables.items()]
        (self.folder / ".env").write_text("".join(lines), encoding="utf-8")

    def ready_file(self, name: str = "ready.json", **content: object) -> None:
        """Write what looks like a server's ready file."""
        ready = {"host": "127.0.0.1", "port": 1, "pid": 1, "version": "1.0.0"}
        text = json.dumps({**ready, "db": str(self.database), **content})
        (self.folder / name).write_text(text, encoding="utf-8")

    @property
    def climbing(self) -> str:
        """The user's database as seen from here."""
        return os.path.relpath(self.database, self.folder)


def _link_to_the_database(repository: Repository) -> str:
    (repository.folder / "tracker.db").symlink_to(repository.database)
    return "tracker.db"


def _link_to_its_folder(repository: Repository) -> str:
    (repository.folder / "data").symlink_to(repository.database.parent)
    return f"data/{repository.database.name}"


def _link_to_its_key(repository: Repository) -> str:
    kept = repository.database.with_name(f"{repository.database.name}.api-key")
    (repository.folder / "tracker.db.api-key").symlink_to(kept)
    return "tracker.db"


def _link_out_and_back(repository: Repository) -> str:
    return f"../{repository.folder.name}/{_link_to_the_database(repository)}"


# Ways to name the user's own database, or its key.
DATABASES: dict[str, Callable[[Repository], str]] = {
    "by ..": lambda repository: repository.climbing,
    "absolute": lambda repository: str(repository.database),
    "a link": _link_to_the_database,
    "a linked folder": _link_to_its_folder,
    "a linked key": _link_to_its_key,
    "a link, by ..": _link_out_and_back,
    "in memory": lambda _repository: ":memory:",
    "nothing": lambda _repository: "",
}


def _ready(repository: Repository, trap: Trap) -> None:
    repository.ready_file(url=trap.url)
    repository.env(TRACKER_READY_FILE="ready.json")


# Ways to name another server than the user's.
ADDRESSES: dict[str, Callable[[Repository], None]] = {
    "elsewhere": lambda r: r.env(TRACKER_URL=r.elsewhere.url),
    "here": lambda r: r.env(TRACKER_URL=r.here.url),
    "interpolation": lambda r: r.env(
        TRACKER_URL=f"{r.elsewhere.url}/${{ANOTHER_SECRET}}/${{API_KEY}}/${{HOME}}"
    ),
    "user information": lambda r: r.env(
        TRACKER_URL=r.elsewhere.url.replace("http://", "http://127.0.0.1:8000@")
    ),
    "a ready file, elsewhere": lambda r: _ready(r, r.elsewhere),
    "a ready file, here": lambda r: _ready(r, r.here),
    "an empty key": lambda r: r.env(TRACKER_URL=r.elsewhere.url, API_KEY=""),
    "a host": lambda r: r.env(TRACKER_HOST="127.0.0.2", TRACKER_DB=r.climbing),
    "a host of its own": lambda r: r.env(TRACKER_HOST="192.0.2.1", TRACKER_DB="tracker.db"),
    **{
        f"here, the database {name}": (
            lambda r, database=database: r.env(TRACKER_URL=r.here.url, TRACKER_DB=database(r))
        )
        for name, database in DATABASES.items()
    },
}
