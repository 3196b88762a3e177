"""An event of a connected agent: kept in the spool, and sent if that is quick."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

from agent_task_tracker import user_folders
from agent_task_tracker.connections import Entry, connection
from agent_task_tracker.hook import names
from agent_task_tracker.hook.context import context
from agent_task_tracker.hook.process import Process, agent_process
from agent_task_tracker.hook.reading import parse
from agent_task_tracker.hook.reducing import Reduced
from agent_task_tracker.hook_request import HookRequest, header
from agent_task_tracker.light_typing import Any, Final
from agent_task_tracker.masking import Masking
from agent_task_tracker.plain_url import is_near
from agent_task_tracker.report import HOOK, Report, name_of
from agent_task_tracker.spool_files import LIMIT, private_folder, put

# Seconds in which it has to be sent, for the agent waits.
_PATIENCE: Final = 0.16

# Characters of a session's id; it orders what waits.
_MAX_SESSION: Final = 255


class Event:
    """An event of a connected agent."""

    def __init__(
        self, agent: str, entries: dict[str, Entry], when_kept: Callable[[], None]
    ) -> None:
        """`when_kept` is called once the event cannot be lost any more. Raises ClientError: the
        agent's entry cannot be used."""
        self._agent = agent
        self._entries = entries
        self._when_kept = when_kept
        self._connection = connection(entries[agent])
        self._to = self._connection.destination
        self._masking = Masking({**os.environ, "KEY": self._connection.key})

    def tell(self, given: bytes, started_ns: int) -> None:
        """Keep it, and have it sent. `given`: by the agent; `started_ns`: when, in nanoseconds
        since 1970. Raises OSError."""
        end = time.monotonic() + _PATIENCE
        payload, is_whole = parse(given) if given else ({}, True)
        process = agent_process()
        if self._is_anothers(payload, process):
            return
        request = self._request(payload, process, started_ns, is_whole=is_whole)
        name = name_of(started_ns, os.getpid(), int(not names.is_vital(payload)), HOOK)
        session = self._masking.text(names.session(payload)[:_MAX_SESSION])
        self._send(request, request.report(name, session), end)

    def _send(self, request: HookRequest, report: Report, end: float) -> None:
        spool = user_folders.spool(os.environ)
        try:
            waiting = put(spool, report, self._to)
        except OSError:  # a full or read-only disk: now or never
            if is_near(self._connection.url):
                from agent_task_tracker.hook.sending import Line

                with contextlib.closing(Line(self._connection, end)) as line:
                    line.send(request)
            raise
        self._when_kept()
        folder = private_folder(spool, self._to.folder_name)
        is_large = waiting > LIMIT
        is_done = False
        if is_near(self._connection.url) and not is_large:
            from agent_task_tracker.hook.sending import send_waiting

            is_done = send_waiting(self._connection, folder, report.name, end)
        if not is_done:
            from agent_task_tracker.hook.background import ensure_sender

            ensure_sender(self._agent, folder, make_room=is_large)

    def _request(
        self, payload: dict[str, Any], process: Process | None, started_ns: int, *, is_whole: bool
    ) -> HookRequest:
        is_private = self._connection.private
        told = context(started_ns, names.folder(payload), process, self._masking)
        if is_private:
            from agent_task_tracker.hook.privacy import without_texts

            payload = without_texts(payload)
            told["private"] = True
            told.pop("branch", None)  # it may be a title
        reduced = Reduced(payload, self._masking)
        if reduced.is_cut or not is_whole:
            told["cut"] = True
        key = f"hook-{os.urandom(16).hex()}"
        return HookRequest(self._agent, key, header(told), reduced.content)

    def _is_anothers(self, payload: dict[str, Any], process: Process | None) -> bool:
        """Whether this is Claude's hook, run by another agent that reports by itself."""
        if self._agent != "claude-code":
            return False
        name = "" if process is None else process.name
        return ("cursor_version" in payload and "cursor" in self._entries) or (
            name == "copilot" and "copilot" in self._entries
        )
