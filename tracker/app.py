"""The composition root: makes all collaborators, and lists all routes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import falcon
import falcon.asgi

from tracker.api.application import App
from tracker.api.errors import ErrorHandlers
from tracker.api.events import Events, EventStream
from tracker.api.health import Alive, DatabaseCheck, Health, HubCheck, Ready
from tracker.api.info import Info
from tracker.api.middleware.auth import Authenticator
from tracker.api.middleware.guard import Guard
from tracker.api.middleware.head import AllowHead, HeadAsGet
from tracker.api.middleware.origin import AllowedHosts, Origins
from tracker.api.middleware.ratelimit import RateLimits
from tracker.api.now import Now
from tracker.api.pages.dashboard import PAGES, DashboardAssets, DashboardPage, load
from tracker.api.pages.docs import Assets, OpenApi, Page
from tracker.api.projects import Project, Projects
from tracker.api.proof import Proof
from tracker.api.reports import Reports
from tracker.api.resources import NameConverter, RawPath, Redirect, unknown_address
from tracker.api.search import Search
from tracker.api.session import Session
from tracker.api.sockets import SocketAdmission
from tracker.api.stats import ProjectStats, Stats, Trends, WebSocketStats
from tracker.api.tasks import Task, Tasks
from tracker.api.webhooks import WebhookMount, WebhookRoute, Webhooks
from tracker.auth.keys import obtain_keys
from tracker.auth.sessions import Sessions
from tracker.auth.wrong_keys import WrongKeys
from tracker.clock import Clock, SystemClock
from tracker.config.settings import Settings
from tracker.domain.ports import Engine
from tracker.domain.queries import RetentionPolicy
from tracker.errors import Unavailable
from tracker.store.open import open_engine
from tracker.timeouts import DEFAULT_TIMEOUTS, Timeouts
from tracker.ws.connections import Connections
from tracker.ws.hub import Hub
from tracker.ws.socket import Socket
from tracker.ws.stream import Stream


def create_app(
    settings: Settings,
    database: Path | None,
    *,
    clock: Clock | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    on_death: Callable[[], None] = lambda: None,
) -> App:
    """Open the database and build the application around it; `database` None: in memory.

    `on_death` is called if the store can never record anything again.

    Raises:
        InUse, ConfigError: the database or a kept key cannot be used.
    """
    clock = clock or SystemClock()
    hub = Hub()
    store = open_engine(
        database,
        settings.durability,
        clock,
        hub,
        on_death=on_death,
        retention=RetentionPolicy(settings.retain_days, settings.retain_bytes),
    )
    hub.begin_after(store.last_id)
    keys = obtain_keys(settings, database)
    stream = Stream(hub, store, clock)
    connections = Connections(clock, settings.ws_per_project)
    sessions = Sessions(keys, clock, store)
    authenticator = Authenticator(keys.api, sessions, WrongKeys(clock, timeouts.guesses))
    guard = Guard(AllowedHosts(settings.allowed_host, settings.host))
    limits = RateLimits(settings.rate_limit_webhook, settings.rate_limit_api, clock)
    errors = ErrorHandlers(clock)
    origins = Origins(settings.cors_origin)
    webhooks = Webhooks(Reports(store), guard, authenticator, limits, origins, errors)

    middleware: list[Any] = [
        RawPath(),
        origins.middleware(),
        guard,
        authenticator,
        limits,
        AllowHead(),
        Lifespan(store, hub, sessions),
    ]
    app: falcon.asgi.App[Any, Any] = falcon.asgi.App(middleware=middleware)
    app.ws_options.max_receive_queue = 0
    app.router_options.converters["name"] = NameConverter
    app.req_options.strip_url_path_trailing_slash = True
    app.add_sink(unknown_address)
    errors.install(app)

    for path in webhooks.paths:
        app.add_route(path, WebhookRoute())
    app.add_route("/api/projects", Projects(store))
    app.add_route("/api/projects/{project_name:name}", Project(store))
    app.add_route("/api/projects/{project_name:name}/tasks", Tasks(store))
    app.add_route("/api/projects/{project_name:name}/tasks/{task_id:name}", Task(store))
    app.add_route("/api/events", Events(store))
    app.add_route("/api/events/stream", EventStream(stream, timeouts))
    app.add_route("/api/stats", Stats(store))
    app.add_route("/api/stats/projects/{project_name:name}", ProjectStats(store))
    app.add_route("/api/stats/trends", Trends(store))
    app.add_route("/api/now", Now(store))
    app.add_route("/api/search", Search(store))
    app.add_route("/api/info", Info(settings, keys, store, clock))
    app.add_route("/api/session", Session(sessions))
    app.add_route("/api/websocket/stats", WebSocketStats(connections))
    app.add_route(
        "/ws", Socket(stream, connections, clock, timeouts, SocketAdmission(authenticator, origins))
    )
    app.add_route("/health", Health(clock))
    app.add_route("/healthz", Alive())
    app.add_route("/readyz", Ready(store, clock))
    app.add_route("/proof", Proof([keys.api] if keys.api_is_provable else []))
    app.add_route("/db-check", DatabaseCheck(store, clock))
    app.add_route("/redis-check", HubCheck(hub, clock))
    _add_pages(app)
    return App(HeadAsGet(WebhookMount(app, webhooks)), webhooks, store, hub, keys, clock)


def _add_pages(app: falcon.asgi.App[Any, Any]) -> None:
    """What is there for people, and needs no parts."""
    app.add_route("/openapi.json", OpenApi())
    app.add_route("/docs", Page("swagger.html"))
    app.add_route("/redoc", Page("redoc.html"))
    app.add_route("/docs/assets/{name}", Assets())
    dashboard = load()
    for page in PAGES:
        app.add_route(page, DashboardPage(dashboard))
    app.add_route("/assets/{version}/{name:path}", DashboardAssets(dashboard))
    app.add_route("/favicon.ico", Redirect(f"/assets/{dashboard.version}/icon.svg"))


class Lifespan:
    """Starts the store with the event loop; at the end stops the hub, then the store."""

    def __init__(self, store: Engine, hub: Hub, sessions: Sessions) -> None:
        self._store = store
        self._hub = hub
        self._sessions = sessions

    async def process_startup(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        """The ASGI server starts."""
        self._store.start()

    async def process_shutdown(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        """The ASGI server has answered what it received."""
        self._hub.close()
        with suppress(Unavailable):  # a full disk may have room by now
            await self._sessions.save()
        await self._store.close()
