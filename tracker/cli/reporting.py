"""The server that options, environment and `.env` lead to, and the reporter to it. Without the
command line's library: `tracker run` needs this beside a command that has begun."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from agent_task_tracker.errors import Unreachable
from agent_task_tracker.finding import Found
from agent_task_tracker.folders import spool_folder
from agent_task_tracker.reporter import Reporter
from agent_task_tracker.spool import Spool
from tracker.cli import env_file
from tracker.cli.discovery import FoundServer, find
from tracker.config.variables import DotEnv


def find_reporter(*, quiet: bool = True, **options: str | None) -> Reporter:
    """Reports to that server, in the background. Raises ClientError, ConfigError: what was given
    can lead to no server, whenever it is tried. `quiet`: without warnings of variables."""

    def look() -> Found:
        return discover(**options)[0].found()

    with contextlib.suppress(Unreachable):  # the server has not written its ready file yet
        found, warnings = discover(**options)
        found.found().destinations()
        if not quiet:
            env_file.warn(warnings)
    ready_file = options.get("ready_file")
    environment = {**os.environ, **({"TRACKER_READY_FILE": ready_file} if ready_file else {})}
    return Reporter(look, Spool(spool_folder(os.environ)), environment=environment)


def discover(**options: str | None) -> tuple[FoundServer, list[str]]:
    """The server, and warnings about how it was found."""
    return discover_by(os.environ, env_file.read(), **options)


def discover_by(
    environment: Mapping[str, str], dotenv: DotEnv, **options: str | None
) -> tuple[FoundServer, list[str]]:
    """Likewise, by these variables."""
    found = find(environment, dotenv, **options)
    return found, [*env_file.address_ignored(found.ignored), *env_file.not_understood(dotenv)]
