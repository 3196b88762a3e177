"""`Tracker`: where tasks are reported to, and under which names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from agent_task_tracker import defaults
from agent_task_tracker.finding import Found, find
from agent_task_tracker.folders import spool_folder
from agent_task_tracker.further import Further
from agent_task_tracker.link import TIMEOUT
from agent_task_tracker.reporter import Closed, Reporter
from agent_task_tracker.running import Task
from agent_task_tracker.spool import Spool

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Tracker:
    """Reports tasks to one server, in the background.

    Nothing here raises into the job or holds it up, whatever the server does: calls take
    microseconds, what cannot be sent is kept on the disk and delivered later. A failure is logged
    (logger `agent_task_tracker`), once a minute at most.

    >>> tracker = Tracker("http://127.0.0.1:8000", project="demo", agent="evaluator")
    >>> with tracker.task("Evaluate") as task:
    ...     task.progress(40, "half")
    >>> closed = tracker.close()
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        project: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        ca_file: str | None = None,
        spool: str | os.PathLike[str] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """What is not given comes from the environment, as for the commands: `url` from
        TRACKER_URL, TRACKER_READY_FILE or where `tracker serve` listens on this machine; `api_key`
        from API_KEY or the key that a server of this machine keeps; `ca_file` from TRACKER_CA_FILE;
        `project` from TRACKER_PROJECT or the repository's folder; `agent` from TRACKER_AGENT or the
        program's name; `session` from TRACKER_SESSION; `spool`, where reports wait, from
        TRACKER_SPOOL. `timeout`: seconds that the server may be silent."""
        environment = os.environ
        self._settings: dict[str, Any] = {
            **{"url": url, "project": project, "agent": agent, "session": session},
            **{"ca_file": ca_file, "spool": spool, "timeout": timeout},
        }
        self.project = project or defaults.project_name(environment)
        self.agent = agent or defaults.agent_name(environment)
        self.session = session or environment.get("TRACKER_SESSION") or None

        def look() -> Found:
            return find(environment, url=url, key=api_key, ca_file=ca_file)

        where = {"TRACKER_SPOOL": os.fspath(spool)} if spool else {}
        folder = spool_folder({**environment, **where})
        self._reporter = Reporter(look, Spool(folder), timeout=timeout)

    @overload
    def task(self, title: Callable[_P, _R], /) -> Callable[_P, _R]: ...

    @overload
    def task(
        self,
        title: str | None = None,
        *,
        project: str | None = None,
        task_id: str | None = None,
        agent: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **further: Unpack[Further],
    ) -> Task: ...

    def task(
        self,
        title: Callable[_P, _R] | str | None = None,
        *,
        project: str | None = None,
        task_id: str | None = None,
        agent: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **further: Unpack[Further],
    ) -> Task | Callable[_P, _R]:
        """A task, for `with`, `async with` or as a decorator; see `Task`. Without `task_id` each
        run is a task of its own; with it, a later run is a further attempt at the same."""
        task = Task(
            self,
            None if callable(title) else title,
            project=project,
            task_id=task_id,
            agent=agent,
            metadata=metadata,
            **further,
        )
        return task(title) if callable(title) else task

    def report(self, kind: str, fields: Mapping[str, Any]) -> None:
        """One report as the webhooks take it: `kind` is start, status, finish or error. Project,
        agent and session are this tracker's unless `fields` has others."""
        known = {"project": self.project, "agent": self.agent, "session": self.session}
        given = {name: value for name, value in fields.items() if value is not None}
        if "attention_id" in given:
            given["attention"] = fields.get("attention")
        self._reporter.report(kind, {**known, **given})

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was reported is with the server: `timeout` seconds at most, and less
        if no server answers. Whether it is. What is not is on the disk, and delivered later."""
        return self._reporter.flush(timeout)

    def close(self, timeout: float = 2.0) -> Closed:
        """Send what can be sent in `timeout` seconds, and end; what is left is on the disk, as are
        later reports. Done by itself when the process ends."""
        return self._reporter.close(timeout)

    def __getstate__(self) -> dict[str, Any]:
        """For a process that is spawned; without the key, which would lie wherever that is kept."""
        return self._settings

    def __setstate__(self, settings: dict[str, Any]) -> None:
        """A tracker of this process with the same settings; the key is looked for here."""
        self.__init__(**settings)  # type: ignore[misc]
