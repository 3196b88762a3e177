"""What the numbers were measured on: cores to pin to, CPU time, the folder for databases."""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import apsw
from _environment import ROOT, SetupError

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Cores(NamedTuple):
    """Where the server runs, and where its load."""

    server: int
    load: int


def cores() -> Cores:
    """The first and the last core this process may use: the same one if there is no other."""
    if not hasattr(os, "sched_getaffinity"):
        raise SetupError("The benchmarks pin processes to cores, which only Linux lets them.")
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[-1])


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Keep this process to one core, and what it starts meanwhile for good; None: to all it has."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if core is None else {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far, in all its threads."""
    # proc(5): the fields after the command, which may hold spaces, begin with the third.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def resident_mb(pid: int) -> float:
    """Memory that a process holds, in 10^6 bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder for databases, removed at the end. Within the checkout, because the system's folder
    for temporary files is often in memory, where an fsync costs nothing."""
    parent = ROOT / ".bench"
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def describe() -> dict[str, str]:
    """The machine and the versions, as rows of a table."""
    pinned = cores()
    shared = " (server and load SHARE one: the numbers mean little)"
    return {
        "Date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Processor": f"{_processor()}, {os.cpu_count()} cores"
        + (shared if pinned.server == pinned.load else ""),
        "fsync": f"{_fsync_ms():.2f} ms (median, after a write of 4 kB)",
        "System": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": apsw.sqlite_lib_version(),
        "Packages": ", ".join(
            f"{name} {metadata.version(name)}"
            for name in ("uvicorn", "uvloop", "httptools", "websockets", "falcon", "apsw")
        ),
    }


def _processor() -> str:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith("model name")).split(": ")[1]
    return platform.machine()


def _fsync_ms() -> float:
    took = []
    with workspace() as folder, (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - started)
    return statistics.median(took) * 1000
