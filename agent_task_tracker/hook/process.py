"""Which process the agent is: by it the server, if it is on the same machine, sees it end."""

from __future__ import annotations

import os
import re
import sys

from agent_task_tracker.light_typing import Final, NamedTuple

_MAX_LEVELS: Final = 16

# What an agent starts its hooks through, and we ourselves.
_BETWEEN: Final = frozenset(
    {
        *("sh", "bash", "dash", "zsh", "fish", "ash", "ksh", "mksh", "busybox", "csh", "tcsh"),
        *("env", "timeout", "nice", "setsid", "xargs", "sudo", "tracker", "agent-task-tracker"),
        *("agent-task-trac",),  # the system cuts names
    }
)

# What takes in the processes whose parent has ended.
_INITS: Final = frozenset({"systemd", "init", "tini", "dumb-init", "docker-init", "catatonit"})


class Process(NamedTuple):
    """`started`: when, as the system counts (field 22 of /proc/PID/stat)."""

    pid: int
    name: str
    started: str


def agent_process(pid: int | None = None) -> Process | None:
    """The nearest ancestor that is the agent; None: it has ended, or the system does not tell."""
    if sys.platform != "linux":
        return None
    pid = os.getppid() if pid is None else pid
    for _ in range(_MAX_LEVELS):
        found = _look(pid)
        if found is None:
            return None
        process, parent = found
        if process.name not in _BETWEEN:
            return None if process.name in _INITS else process
        pid = parent
    return None


def pid_namespace() -> str | None:
    """In which pids count; None: the system does not tell."""
    try:
        return re.sub(r"\D", "", os.readlink("/proc/self/ns/pid")) or None
    except OSError:
        return None


def boot_id() -> str | None:
    """Of the machine's start; None: the system does not tell."""
    return _read("/proc/sys/kernel/random/boot_id").strip() or None


def _look(pid: int) -> tuple[Process, int] | None:
    # The name is in parentheses, and may hold some.
    before, _, after = _read(f"/proc/{pid}/stat").rpartition(")")
    fields = after.split()
    if len(fields) < 20:
        return None
    return Process(pid, before.partition("(")[2], fields[19]), int(fields[1])


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
