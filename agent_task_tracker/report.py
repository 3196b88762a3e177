"""A report on its way to a server: made once, and from then on the same bytes, however often and by
whom it is sent.

Little is imported here: a hook, which an agent waits for, needs it.
"""

from __future__ import annotations

import re
import time

from agent_task_tracker.light_typing import Final, NamedTuple

KINDS: Final = ("start", "status", "finish", "error")
HOOK: Final = "hook"
"""The kind of what an agent told by a hook: the server makes reports of it."""

# The server's limits on a request, less what surrounds a report in it.
MAX_REPORTS: Final = 500
MAX_BYTES: Final = 1_000_000

_NAME: Final = re.compile(rf"\d{{20}}-\d{{7,}}-\d{{6,}}\.({'|'.join(KINDS)}|{HOOK})")


class Report(NamedTuple):
    """One report. `name` sorts by when it was handed over, across processes, and ends with the
    kind; `content` is the JSON object that a batch takes, or of a hook what `hook_request` takes
    apart."""

    name: str
    project: str
    task_id: str
    content: bytes

    @property
    def kind(self) -> str:
        """Start, status, finish, error or hook."""
        return kind_of(self.name)

    @property
    def task(self) -> tuple[bool, str, str]:
        """What names its task, or of a hook agent and session: these stay in order."""
        return self.kind == HOOK, self.project, self.task_id


def name_of(now_ns: int, process: int, number: int, kind: str) -> str:
    """The name of a report that is handed over at that time, in nanoseconds since 1970. `number`
    tells those of a process apart; of a hook it is 0 for what is vital, else 1."""
    return f"{now_ns:020d}-{process:07d}-{number:06d}.{kind}"


def kind_of(name: str) -> str:
    """The kind in a report's name."""
    return name.rpartition(".")[2]


def process_of(name: str) -> int:
    """The process in a report's name."""
    return int(name.split("-")[1])


def is_name(name: str) -> bool:
    """Whether that is a report's name."""
    return _NAME.fullmatch(name) is not None


def is_vital(name: str) -> bool:
    """Whether it is a start or an end, without which a task's other reports say little; of hooks
    all but what tells of tools."""
    kind = kind_of(name)
    if kind == HOOK:
        return name.rpartition("-")[2].startswith("000000.")
    return kind != "status"


def iso(now_ns: int) -> str:
    """A time in UTC with milliseconds, as the server writes them."""
    seconds, rest = divmod(now_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1_000_000:03d}Z"
