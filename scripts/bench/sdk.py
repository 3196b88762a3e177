"""Measure what reporting costs a job: a call, whatever the server does; what is delivered a second;
memory with many reports waiting.

The method is in docs/performance.md.
"""

import argparse
import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import _venv  # noqa: F401 - goes on in .venv
from _environment import ROOT, run_script
from _load import KEY
from _machine import cores, pinned, workspace
from _report import Report, Table, Target, percentile, progress, run
from _servers import Server, tracker

# A job of its own: so many calls with a pause between two, timed one by one.
_JOB = """
import json, resource, sys, time
import agent_task_tracker
count, pause = int(sys.argv[1]), float(sys.argv[2])
def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
taken = []
with agent_task_tracker.task("Evaluate", task_id=sys.argv[3]) as task:
    agent_task_tracker.flush(1)
    before = memory()
    began = time.perf_counter()
    for row in range(count):
        at = time.perf_counter()
        task.progress(row % 100, f"row {row}")
        taken.append(time.perf_counter() - at)
        if pause:
            time.sleep(pause)
    loop = time.perf_counter() - began
sent = agent_task_tracker.flush(float(sys.argv[4]))
print(json.dumps({
    "taken": [round(each * 1e6, 1) for each in taken],
    "loop": loop, "whole": time.perf_counter() - began, "sent": sent,
    "memory": memory() - before,
}))
"""

WAITING = "http://127.0.0.1:9"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000, help="in a loop without a pause")
    parser.add_argument("--paced", type=int, default=2_000, help="one a millisecond")
    parser.add_argument("--spooled", type=int, default=100_000, help="waiting for their server")
    return parser


def measure(options: argparse.Namespace) -> Report:
    """The calls, then what waits."""
    report = Report()
    with workspace() as folder:
        (folder / "server").mkdir()
        with tracker(folder / "server", cores().server) as server:
            _calls(report, options, server, folder)
            _spooled(report, options, server, folder)
    return report


def _calls(report: Report, options: argparse.Namespace, server: Server, folder: Path) -> None:
    header = ("Server", "calls", "p50 µs", "p99 µs", "p99.9 µs", "most µs", "delivered a second")
    title = "A call of `task.progress(40, message)`, without and with a pause of 1 ms"
    table = Table(title, header)
    for name, url, has_disk in (
        ("answers", server.url, True),
        ("refuses", WAITING, True),
        ("hangs", None, True),
        ("answers, the disk is full", server.url, False),
    ):
        for calls, pause in ((options.calls, 0.0), (options.paced, 0.001)):
            progress(f"{name}: {calls} calls")
            with hanging() if url is None else contextlib.nullcontext(url) as address:
                task_id = f"{name} {pause}"
                how = {"is_there": url == server.url, "has_disk": has_disk}
                done = _job(folder / "spool", address, task_id, calls, pause, **how)
            if url == server.url and _count(server, task_id) != calls + 2:
                report.failures.append(f"{task_id}: not all reports are in the log")
            taken = done.pop("taken")
            report.measured.append({"server": name, "calls": calls, "pause": pause, **done})
            p99 = percentile(taken, 99)
            rate = f"{calls / done['whole']:,.0f}" if done["sent"] else "none"
            numbers = [percentile(taken, 50), p99, sorted(taken)[-len(taken) // 1000], max(taken)]
            table.rows.append((name, f"{calls:,}", *(f"{number:,.0f}" for number in numbers), rate))
            report.targets.append(
                Target(f"p99 of a call, ms: {name}, {calls:,}", p99 / 1000, 1, at_least=False)
            )
    report.tables.append(table)


def _spooled(report: Report, options: argparse.Namespace, server: Server, folder: Path) -> None:
    count = options.spooled
    progress(f"{count} reports without a server")
    port = _free_port()
    spool = folder / "many"
    waiting = _job(spool, f"http://127.0.0.1:{port}", "many", count, 0.0)
    waiting.pop("taken")
    on_disk = sum(path.stat().st_size for path in spool.rglob("*") if path.is_file())
    progress("delivered by `tracker flush`")
    with _relayed(port, server):
        began = time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        environment = {"TRACKER_SPOOL": str(spool), "API_KEY": KEY}
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tracker",
                "flush",
                "--url",
                f"http://127.0.0.1:{port}",
                "--json",
            ],
            cwd=folder,
            env={**_environment(), **environment},
            capture_output=True,
            check=False,
        )
        seconds = time.perf_counter() - began
    peak = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    if done.returncode or _count(server, "many") != count + 2:
        report.failures.append(f"not all that waited is in the log: {done}")
    report.measured.append(
        {"waiting": count, **waiting, "delivery": seconds, "peak": peak / 1000, "disk": on_disk}
    )
    header = ("Reports that wait", "a second", "memory of the job, MB", "on the disk, MB")
    handed = Table("", header)
    handed.rows.append(
        (
            f"{count:,}, handed over",
            f"{count / waiting['loop']:,.0f}",
            f"{waiting['memory']:.0f}",
            f"{on_disk / 1e6:.0f}",
        )
    )
    handed.rows.append((f"{count:,}, delivered", f"{count / seconds:,.0f}", "", ""))
    report.tables.append(handed)


def _job(
    spool: Path,
    url: str,
    task_id: str,
    count: int,
    pause: float,
    *,
    is_there: bool = False,
    has_disk: bool = True,
) -> dict[str, Any]:
    environment = {
        **_environment(),
        **{"TRACKER_URL": url, "API_KEY": KEY, "TRACKER_SPOOL": str(spool)},
        **{"TRACKER_PROJECT": "bench", "TRACKER_AGENT": "bench"},
    }
    patience = "60" if is_there else "0.1"
    program: Sequence[str] = (sys.executable, "-c", _JOB, str(count), str(pause), task_id, patience)

    def fill_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    with pinned(cores().load):
        done = subprocess.run(
            program,
            env=environment,
            check=True,
            capture_output=True,
            preexec_fn=None if has_disk else fill_disk,
        )
    return dict(json.loads(done.stdout))


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": os.environ["HOME"]}


def _count(server: Server, task_id: str) -> int:
    """How many reports of a task are in the log."""
    since, count, more = 0, 0, True
    while more:
        query = f"/api/events?project=bench&since={since}&limit=1000"
        page = server.request_json(f"{query}&task_id={task_id.replace(' ', '%20')}")
        count += len(page["events"])
        since, more = page["last_id"], page["has_more"]
    return count


@contextlib.contextmanager
def hanging() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def _relayed(port: int, server: Server) -> Iterator[None]:
    """What is for the port goes to the server: reports wait for an address."""
    to = server.url.rpartition(":")[2]
    script = (
        "import socket, sys, threading\n"
        "def pump(a, b):\n"
        "    while data := a.recv(1 << 20): b.sendall(data)\n"
        "    b.shutdown(socket.SHUT_WR)\n"
        "listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "print('listening', flush=True)\n"
        "while True:\n"
        "    client, _ = listener.accept()\n"
        "    upstream = socket.create_connection(('127.0.0.1', int(sys.argv[2])))\n"
        "    for pair in ((client, upstream), (upstream, client)):\n"
        "        threading.Thread(target=pump, args=pair, daemon=True).start()\n"
    )
    command = [sys.executable, "-c", script, str(port), to]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
