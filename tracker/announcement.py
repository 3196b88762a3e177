"""Where the server is: said to people on a terminal, else to the log; and in the ready file."""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path
from urllib.parse import quote

import orjson

import tracker
from tracker import keys
from tracker.app import App
from tracker.settings import Settings
from tracker.text import printable

logger = logging.getLogger(__name__)


class Announcement:
    """Made once the server listens, withdrawn when it has stopped."""

    def __init__(
        self, settings: Settings, app: App, listener: socket.socket, ready_file: Path | None
    ) -> None:
        self._app = app
        self._ephemeral = settings.ephemeral
        self._key_is_kept = settings.api_key is None
        self._host, self._port = listener.getsockname()[:2]
        name = settings.host if self._host not in ("0.0.0.0", "::") else "localhost"
        self._url = f"http://{f'[{name}]' if ':' in name else name}:{self._port}"
        self._ready_file = ready_file

    def make(self) -> None:
        """The server is listening."""
        if self._ready_file is not None:
            self._write(self._ready_file)
        if sys.stdout is not None and sys.stdout.isatty():  # None: closed (>&-)
            self._greet()
        else:
            logger.info("Listening on %s, database %s", self._url, self._app.store.name)

    def withdraw(self) -> None:
        """The server has stopped."""
        if self._ready_file is not None:
            self._ready_file.unlink(missing_ok=True)

    def _greet(self) -> None:
        database = self._app.store.path
        lines = {
            "Address": self._url,
            "Dashboard": f"{self._url}/#key={quote(self._app.keys.api, safe='')}",
            "API docs": f"{self._url}/docs",
            "Database": self._app.store.name,
        }
        if database is not None and self._key_is_kept:
            lines["API key"] = f"in {keys.kept_in(database)}"
        print(f"Agent Task Tracker {tracker.__version__}")  # noqa: T201
        for name, value in lines.items():
            print(f"  {name:<10} {printable(value)}")  # noqa: T201
        print("Press Ctrl-C to stop.", flush=True)  # noqa: T201

    def _write(self, path: Path) -> None:
        """At once or not at all: whoever waits for the file never reads half of it."""
        content = {
            "url": self._url,
            "host": self._host,
            "port": self._port,
            "pid": os.getpid(),
            "version": tracker.__version__,
            "db": self._app.store.name,
        }
        mode = 0o666  # less what the user's umask takes away
        if self._ephemeral:
            content["key"] = self._app.keys.api
            mode = 0o600
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as f:
            f.write(orjson.dumps(content))
        unfinished.replace(path)
