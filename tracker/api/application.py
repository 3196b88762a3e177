"""The application that a server runs; made by `tracker.app`, which the server does not import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from tracker.api.body import ASGI
from tracker.api.webhooks import Webhooks
from tracker.auth.keys import Keys
from tracker.auth.startup_key import StartupKey
from tracker.clock import Clock
from tracker.config.settings import Settings
from tracker.domain.ports import Engine
from tracker.timeouts import Timeouts
from tracker.ws.hub import Hub


class App(NamedTuple):
    """The application, and those of its parts that the server's start and stop need."""

    asgi: ASGI
    webhooks: Webhooks
    store: Engine
    hub: Hub
    keys: Keys
    startup_key: StartupKey | None
    """Of an ephemeral server."""
    clock: Clock


class CreateApp(Protocol):
    """See `tracker.app.create_app`."""

    def __call__(
        self,
        settings: Settings,
        database: Path | None,
        *,
        timeouts: Timeouts,
        on_death: Callable[[], None],
    ) -> App:
        """Open the database and build the application around it. Raises InUse, ConfigError."""
