"""Notifies users that the server is ready: on the terminal or in the log, and by the ready file."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

import tracker
from tracker.api.application import App
from tracker.auth.keys import exposure
from tracker.config.paths import check_ready_file
from tracker.config.settings import Settings
from tracker.files import identity, replacing, translate_errors
from tracker.text import printable

logger = logging.getLogger(__name__)


class ReadinessNotifier:
    """Says where the server is. The ready file is removed when it has stopped."""

    def __init__(
        self, settings: Settings, app: App, listener: socket.socket, ready_file: Path | None
    ) -> None:
        self._app = app
        self._host, self._port = listener.getsockname()[:2]
        name = settings.host if self._host not in ("0.0.0.0", "::") else "localhost"
        scheme = "http" if settings.tls_cert is None else "https"
        self._url = f"{scheme}://{f'[{name}]' if ':' in name else name}:{self._port}"
        self._root_path = settings.root_path
        self._unix_socket = settings.unix_socket and str(Path(settings.unix_socket).absolute())
        self._warnings = exposure(settings)
        self._ready_file = ready_file
        self._written: tuple[int, int, int] | None = None

    def notify(self) -> None:
        """The server is listening. Raises ConfigError, NoRoom: the ready file cannot be written."""
        if self._ready_file is not None:
            self._write(self._ready_file)
        if sys.stdout is not None and sys.stdout.isatty():  # None: closed (>&-)
            self._print_banner()
        else:
            where = f"{self._url} and {self._unix_socket}" if self._unix_socket else self._url
            logger.info("Listening on %s, database %s", where, self._app.store.name)
            kept = self._app.keys.api_file
            key = "" if kept is None else f", its key in {kept}"
            logger.info("Dashboard on %s%s/%s", self._url, self._root_path, key)
        for warning in self._warnings:
            logger.warning("%s", warning)

    def withdraw(self) -> None:
        """The server has stopped: remove the ready file, unless another server has replaced it."""
        if self._ready_file is None or self._written is None:
            return
        with contextlib.suppress(OSError):  # it is gone, or cannot be removed: nothing is lost
            if identity(self._ready_file) == self._written:
                self._ready_file.unlink()

    def _print_banner(self) -> None:
        lines = {
            "Address": self._url,
            "Dashboard": f"{self._url}{self._root_path}/#key={quote(self._app.keys.api, safe='')}",
            "API docs": f"{self._url}{self._root_path}/docs",
            "Database": self._app.store.name,
        }
        if self._unix_socket:
            lines["Socket"] = self._unix_socket
        if self._app.keys.api_file is not None:
            lines["API key"] = f"in {self._app.keys.api_file}"
        print(f"Agent Task Tracker {tracker.__version__}")  # noqa: T201
        for name, value in lines.items():
            print(f"  {name:<10} {printable(value)}")  # noqa: T201
        print("Press Ctrl-C to stop.", flush=True)  # noqa: T201

    def _write(self, path: Path) -> None:
        """Atomically: a process that waits for the file never reads half of it. Raises ConfigError,
        NoRoom."""
        content: dict[str, Any] = {
            "url": self._url,
            "host": self._host,
            "port": self._port,
            "pid": os.getpid(),
            "version": tracker.__version__,
            "db": self._app.store.name,
        }
        if self._unix_socket:
            content["unix_socket"] = self._unix_socket
        mode = 0o666 & ~_umask()
        if self._app.startup_key is not None:
            content["key"] = self._app.startup_key.key
            mode = 0o600
        check_ready_file(path)  # again: the database, say, may have been created since the start
        protected = self._app.store.files
        with replacing(path, force=True, protected=protected) as part, translate_errors(path):
            part.write_bytes(orjson.dumps(content))
            part.chmod(mode)
            self._written = identity(part)


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
