"""What agents that are plugged in send: their own payloads, and what their hooks add
(docs/contract.md, "Agents that are plugged in"). Times are milliseconds since the epoch.

What a payload means is worked out by `tracker.agents`; an engine keeps, for each of an agent's
sessions, the state that this needs, and hands it in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final, NamedTuple, Protocol

from tracker.domain.events import Event
from tracker.domain.idempotency import Idempotency
from tracker.domain.limits import MAX_NAME
from tracker.domain.principal import Scope
from tracker.domain.tasks import Report

State = dict[str, Any]
"""What is remembered of a session between its payloads, as JSON."""

PROCESS_ENDED: Final = "ProcessEnded"
"""The `error_type` of tasks whose agent's process is gone."""

UNNAMED: Final = "unnamed"
"""The project of what comes from no known folder."""


class Place(NamedTuple):
    """Where a session works: `folder` is the main worktree, else the working directory; `remote`
    the address of its repository, without credentials. Each is empty if it is not known."""

    host: str = ""
    folder: str = ""
    remote: str = ""


class Process(NamedTuple):
    """An agent's process. `started` tells it from a later one with the same number; `boot_id` and
    `pid_namespace` say where its number means anything."""

    boot_id: str
    pid_namespace: str
    pid: int
    started: str


class Interpreted(NamedTuple):
    """What a payload comes to: reports, and the session's state after it.

    `lives`: the session has not ended. `busy`: the ids of its tasks that have an open tool call, so
    that their silence is normal. `is_untold`: no hook has told of it, so that its project may not
    be known. `look_at`: when it is to be settled, if nothing comes before.
    """

    reports: Sequence[Report]
    state: State
    lives: bool
    busy: Sequence[str]
    is_untold: bool = False
    look_at: int | None = None


Interpret = Callable[[State | None, str, str, str, int], Interpreted]
"""From the state of a session (None: it was never heard of), its name and project, the name of the
sub-agent of it whose own session the payload is of ("": of none), and the time of its arrival."""

GoOn = Callable[[str, str, str, State, int], Interpreted]
"""That an agent's process is gone, or that its telemetry has waited for long enough: from the
agent, and as above."""


class Payload(NamedTuple):
    """One that was read. `session`: empty of what is of none, which is counted only. `parent`: the
    session that started this one, as that of a sub-agent; empty if the payload does not say so.
    `is_known`: what it means is known. `at`: when it happened, if that was not just now.
    `ends_process`: it is of each session of `process` in its project, and ends them. `project`: of
    telemetry, which comes from no folder; it is the session's if no hook tells of another one.
    `records`: what it is counted as."""

    agent: str
    session: str
    parent: str
    event: str
    is_known: bool
    at: int | None
    place: Place
    process: Process | None
    interpret: Interpret
    ends_process: bool = False
    project: str = ""
    records: int = 1


class HookRequest(NamedTuple):
    """A payload as it is handed in. `scope`: the projects that its sender may report to. `is_seen`:
    its process was alive when it came, and can be looked at."""

    payload: Payload
    scope: Scope
    key: Idempotency | None
    is_seen: bool = False


class Heard(NamedTuple):
    """The result of recording a payload. `was_known`: it was recorded before, which its idempotency
    key tells."""

    at: int
    events: Sequence[Event]
    was_known: bool = False


class Processes(Protocol):
    """The processes of this machine."""

    @property
    def boot_id(self) -> str:
        """See `Process`; empty: none can be looked at here."""

    @property
    def pid_namespace(self) -> str:
        """See `Process`."""

    def is_alive(self, process: Process) -> bool:
        """Whether it still runs; it is one of this boot and namespace."""


class Liveness(NamedTuple):
    """What comes to sessions without a payload: how it is noticed that an agent's process is gone,
    and what that comes to; what it comes to that telemetry has waited."""

    processes: Processes
    end: GoOn
    settle: GoOn


class AgentLine(NamedTuple):
    """An agent that is plugged in: how many payloads came from how many sessions, when the last
    came, and how often which events that are not known."""

    agent: str
    sessions: int
    payloads: int
    last_at: int
    unknown: dict[str, int]


def project_names(folder: str) -> Iterator[str]:
    """What the project of a folder may be called, the best name first: the folder's own name, then
    with those of the folders above it, for a second one of the same name."""
    windows = PureWindowsPath(folder)
    path = windows if windows.drive else PurePosixPath(folder)
    parts = [part for part in path.parts if part != path.anchor]
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[-count:])[-MAX_NAME:]
    for number in range(2, 10**6):  # the same folder on another machine
        yield f"{parts[-1] if parts else UNNAMED}"[: MAX_NAME - 8] + f" {number}"
