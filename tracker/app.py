"""The composition root: makes all collaborators, and lists all routes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import falcon
import falcon.asgi

from tracker.agents.otlp.records import Signal
from tracker.agents.processes import LocalProcesses
from tracker.agents.receiving import process_ended, telemetry_waited
from tracker.api import later
from tracker.api.acts import Acknowledgement, Failure, Snooze
from tracker.api.agent_sessions import AgentSessions
from tracker.api.application import App
from tracker.api.audit import Audit
from tracker.api.errors import ErrorHandlers
from tracker.api.events import Event, Events, EventStream
from tracker.api.failures import Failures
from tracker.api.health import Alive, DatabaseCheck, Health, HubCheck, Ready
from tracker.api.hooks import HookRoute, Hooks, PluggedIn
from tracker.api.info import Info
from tracker.api.insights import Insights
from tracker.api.keys import Key, KeyRotation, Keys
from tracker.api.mcp import Mcp
from tracker.api.middleware.auth import Authenticator, Resource
from tracker.api.middleware.compression import Compression
from tracker.api.middleware.guard import Guard
from tracker.api.middleware.head import AllowHead, HeadAsGet
from tracker.api.middleware.origin import AllowedHosts, Origins
from tracker.api.middleware.ratelimit import RateLimits
from tracker.api.middleware.turns import EndTurns, ReadTurns
from tracker.api.now import Now
from tracker.api.otlp import Telemetry
from tracker.api.pages import client
from tracker.api.pages.dashboard import (
    MANIFEST,
    PAGES,
    WORKER,
    DashboardAssets,
    DashboardFile,
    DashboardPage,
    Files,
    load,
)
from tracker.api.pages.docs import Assets, OpenApi, Page
from tracker.api.projects import Project, Projects
from tracker.api.proof import Proof
from tracker.api.reports import Reports
from tracker.api.resources import NameConverter, RawPath, Redirect, UnknownAddress
from tracker.api.search import Search
from tracker.api.session import Session
from tracker.api.sockets import SocketAdmission, WebSocketRoute
from tracker.api.stats import ProjectStats, Stats, Trends, WebSocketStats
from tracker.api.tasks import AllTasks, Task, Tasks
from tracker.api.timeline import Timeline
from tracker.api.webhooks import WebhookMount, WebhookRoute, Webhooks
from tracker.auth.audit import Audit as AuditNotes
from tracker.auth.holders import Holders
from tracker.auth.keys import obtain_keys
from tracker.auth.named_keys import NamedKeys
from tracker.auth.saving import Saving
from tracker.auth.sessions import Sessions
from tracker.auth.startup_key import StartupKey
from tracker.auth.wrong_keys import WrongKeys
from tracker.clock import Clock, SystemClock
from tracker.config.prices import read_prices
from tracker.config.settings import Settings, not_default
from tracker.domain.hooks import Liveness
from tracker.domain.keys import MASTER
from tracker.domain.lease import Lease
from tracker.domain.ports import Engine
from tracker.domain.prices import Price, Prices
from tracker.domain.principal import ALL_PROJECTS, Principal, Role
from tracker.domain.queries import RetentionPolicy
from tracker.errors import Unavailable
from tracker.store.open import open_engine
from tracker.timeouts import DEFAULT_TIMEOUTS, Timeouts
from tracker.ws.connections import Connections
from tracker.ws.hub import Hub
from tracker.ws.stream import Stream

# Seconds after the start in which what it does not need is loaded.
_SOON: Final = 1.0


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
        InUse, ConfigError: the database, a kept key or the prices cannot be used.
    """
    clock = clock or SystemClock()
    prices = read_prices(settings.prices) if settings.prices else {}
    hub = Hub()
    store = open_engine(
        database,
        settings.durability,
        clock,
        hub,
        on_death=on_death,
        retention=RetentionPolicy(
            settings.retain_days,
            settings.retain_bytes,
            settings.retain_audit_days,
            settings.keep_messages,
        ),
        stale_after_ms=round(settings.stale_after * 1000),
        liveness=Liveness(LocalProcesses(), process_ended, telemetry_waited),
        prices=Prices({model: Price(**given) for model, given in prices.items()}),
    )
    hub.begin_after(store.last_id)
    keys = obtain_keys(settings, database)
    stream = Stream(hub, store, clock)
    connections = Connections(clock, settings.ws_per_project)
    named = NamedKeys(clock, store)
    master = Principal(MASTER, Role.ADMIN, ALL_PROJECTS, Lease())
    startup_key = StartupKey(named) if settings.ephemeral else None
    holders = Holders(master, keys, named)
    sessions = Sessions(keys, clock, store, holders.of_secret)
    audit = AuditNotes(store, clock)
    wrong_keys = WrongKeys(clock, timeouts.guesses)
    authenticator = Authenticator(holders, sessions, wrong_keys, audit)
    guard = Guard(AllowedHosts(settings.allowed_host, settings.host))
    limits = RateLimits(
        *(settings.rate_limit_webhook, settings.rate_limit_api, settings.rate_limit_agents), clock
    )
    errors = ErrorHandlers(clock)
    origins = Origins(settings.cors_origin)
    webhooks = Webhooks(Reports(store), Hooks(store), guard, authenticator, limits, origins, errors)

    turns = ReadTurns()
    middleware: list[Any] = [
        RawPath(),
        origins.middleware(),
        guard,
        authenticator,
        limits,
        AllowHead(),
        turns,  # before what takes time on the answer, and so ends after that
        Compression(),
        Lifespan(
            *(store, hub, Saving([sessions.save, named.save, audit.save])),
            *(settings, startup_key),
        ),
    ]
    app: falcon.asgi.App[Any, Any] = falcon.asgi.App(middleware=middleware)
    app.ws_options.max_receive_queue = 0
    app.router_options.converters["name"] = NameConverter
    app.req_options.strip_url_path_trailing_slash = True
    dashboard = load(settings.root_path)
    page = DashboardPage(dashboard)
    app.add_sink(UnknownAddress(authenticator, limits, page.answer_unknown).answer)
    errors.install(app)

    admission = SocketAdmission(authenticator, origins)
    project = "/api/projects/{project_name:name}"
    routes: dict[str, Resource] = {
        **dict.fromkeys(webhooks.paths, WebhookRoute()),
        "/hooks/{agent:name}": HookRoute(),
        "/mcp": Mcp(store, Reports(store), authenticator, origins, turns),
        "/api/projects": Projects(store),
        project: Project(store),
        f"{project}/tasks": Tasks(store),
        f"{project}/tasks/{{task_id:name}}": Task(store),
        **{
            f"{project}/tasks/{{task_id:name}}/{name}": act(store, clock)
            for name, act in (
                ("acknowledge", Acknowledgement),
                ("snooze", Snooze),
                ("fail", Failure),
            )
        },
        "/api/tasks": AllTasks(store),
        "/api/sessions": AgentSessions(store),
        **{f"/v1/{signal}": Telemetry(signal, store, clock, authenticator) for signal in Signal},
        "/api/agents": PluggedIn(store),
        "/api/events": Events(store),
        "/api/events/stream": EventStream(stream, timeouts),
        "/api/events/{event_id:name}": Event(store),
        "/api/stats": Stats(store),
        "/api/stats/projects/{project_name:name}": ProjectStats(store),
        "/api/stats/trends": Trends(store),
        "/api/stats/insights": Insights(store),
        "/api/failures": Failures(store, clock),
        "/api/timeline": Timeline(store, clock),
        "/api/now": Now(store),
        "/api/search": Search(store),
        "/api/info": Info(settings, keys, store, clock),
        "/api/session": Session(sessions, authenticator, audit),
        "/api/keys": Keys(named, clock),
        "/api/keys/{name:name}": Key(named),
        "/api/keys/{name:name}/rotate": KeyRotation(named),
        "/api/audit": Audit(store, audit),
        "/api/websocket/stats": WebSocketStats(connections),
        "/ws": WebSocketRoute(stream, connections, clock, timeouts, admission),
        "/health": Health(clock),
        "/healthz": Alive(),
        "/readyz": Ready(store, clock),
        "/proof": Proof(holders.secret_for_proof),
        "/db-check": DatabaseCheck(store, clock),
        "/redis-check": HubCheck(hub, clock),
        **_pages(settings.root_path, dashboard, page),
    }
    for path, resource in routes.items():
        app.add_route(path, resource)
    return App(
        HeadAsGet(WebhookMount(EndTurns(app), webhooks)),
        webhooks,
        store,
        hub,
        keys,
        startup_key,
        clock,
    )


def _pages(root_path: str, dashboard: Files, page: DashboardPage) -> dict[str, Resource]:
    """What is there for people, and needs no parts. `root_path`: before all addresses in it."""
    return {
        "/openapi.json": OpenApi(root_path),
        "/docs": Page("swagger.html", root_path),
        "/redoc": Page("redoc.html", root_path),
        "/docs/assets/{name}": Assets(),
        **{f"/{name}": client.ClientModule(name) for name in (client.MODULE, client.TYPES)},
        **dict.fromkeys(PAGES, page),
        f"/{MANIFEST}": DashboardFile(dashboard.manifest, "application/manifest+json"),
        f"/{WORKER}": DashboardFile(dashboard.worker, "text/javascript; charset=utf-8"),
        "/assets/{version}/{name:path}": DashboardAssets(dashboard),
        "/favicon.ico": Redirect(f"{root_path}/assets/{dashboard.version}/icon.svg"),
    }


class Lifespan:
    """Starts the store with the event loop; at the end stops the hub, then the store."""

    def __init__(
        self,
        store: Engine,
        hub: Hub,
        saving: Saving,
        settings: Settings,
        startup_key: StartupKey | None,
    ) -> None:
        self._startup_key = startup_key
        self._settings = not_default(settings)
        self._store = store
        self._hub = hub
        self._saving = saving
        self._loading: asyncio.TimerHandle | None = None

    async def process_startup(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        """The ASGI server starts."""
        self._store.start()
        self._saving.start()
        with suppress(Unavailable):  # a full disk; the next start notes it
            await self._store.note_settings(self._settings)
        if self._startup_key is not None:
            await self._startup_key.make()
        if getattr(sys, "frozen", False):  # it reads from its own file, which may be gone soon
            later.load()
        else:
            loop = asyncio.get_running_loop()
            self._loading = loop.call_later(_SOON, loop.run_in_executor, None, later.load)

    async def process_shutdown(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        """The ASGI server has answered what it received."""
        if self._loading is not None:
            self._loading.cancel()
        self._hub.close()
        await self._saving.stop()
        await self._store.close()
