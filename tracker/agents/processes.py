"""The processes of agents on this machine, as far as the system shows them: on Linux, by /proc."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tracker.domain.hooks import Process

_PROC = Path("/proc")

# Of `/proc/PID/stat` (proc_pid_stat(5)), counted behind the name, which may hold anything.
_STATE, _STARTED = 0, 19


class LocalProcesses:
    """See `tracker.domain.hooks.Processes`."""

    def __init__(self) -> None:
        self.boot_id = self.pid_namespace = ""
        with contextlib.suppress(OSError):
            namespace = str((_PROC / "self/ns/pid").readlink())  # pid:[4026531836]
            self.pid_namespace = namespace.partition("[")[2].rstrip("]")
            boot_id = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")
            self.boot_id = boot_id.strip()

    def is_alive(self, process: Process) -> bool:
        """Whether it runs; a zombie does not. Of another namespace nothing can be said: it does."""
        if process.pid_namespace != self.pid_namespace:
            return True
        try:
            stat = (_PROC / str(process.pid) / "stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
        except OSError:  # it is hidden from this user
            return True
        fields = stat.rpartition(b")")[2].split()
        return fields[_STATE] not in (b"Z", b"X") and fields[_STARTED].decode() == process.started
