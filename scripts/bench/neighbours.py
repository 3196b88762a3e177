"""Measure what one client can take from the others: the longest wait beside a body of 1 MiB, memory
beside subscribers who read nothing, reports beside a flood of heavy reads.

The method is in docs/reliability.md.
"""

import argparse
import contextlib
import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import _venv  # noqa: F401 - goes on in .venv
from _bodies import Body, bodies
from _environment import run_script
from _history import build, project
from _load import KEY, PROJECT
from _machine import cores, pinned, resident_mb, workspace
from _pace import send
from _report import Report, Table, Target, percentile, progress, run, spread
from _servers import Server, tracker
from _subscribers import Subscribers, connect

# Milliseconds that one body takes of the event loop at most, which is what all others wait for
# where nothing else runs on the machine.
REQUIRED_STALL = 150.0

# 10^6 bytes that the server grows by at most beside a subscriber who reads nothing.
REQUIRED_GROWTH = 80.0

# The p99 of a report beside the flood over that without, at most.
REQUIRED_SLOWDOWN = 10.0

# Reports a second beside the flood.
_PACE = 50

# One of each in turn: what takes long to find, to put together, and to send.
HEAVY = (
    "/api/tasks?limit=500",
    f"/api/projects/{quote(project(0), safe='')}/tasks?limit=500&sort_by=title",
    "/api/tasks?limit=500&q=verify",
    "/api/events?limit=1000",
    "/api/search?q=ag&limit=500",
    "/api/now?active=500&ended=500",
)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each body")
    parser.add_argument("--seconds", type=int, default=5, help="of each flood")
    parser.add_argument("--tasks", type=int, default=20_000, help="in the database of the flood")
    parser.add_argument("--messages", type=int, default=1_000, help="of 100 kB, for subscribers")
    parser.add_argument("--bodies", nargs="+", choices=bodies(), default=[*bodies()])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    return parser


def measure(options: argparse.Namespace) -> Report:
    """Each on a server of its own."""
    report = Report()
    for name in options.parts:
        with workspace() as folder:
            PARTS[name](report, options, folder)
    return report


def stalls(report: Report, options: argparse.Namespace, folder: Path) -> None:
    """Post each body while another connection asks for `/health` without a pause."""
    header = ("Body of 1 MiB", "answer", "the event loop's CPU, ms", "longest wait of others, ms")
    table = Table("The longest wait beside one body", header)
    longest = 0.0
    with tracker(folder, cores().server, "--log-level", "error") as server, pinned(cores().load):
        wanted = {name: body for name, body in bodies().items() if name in options.bodies}
        post(server, next(iter(wanted.values())))
        for name, body in wanted.items():
            progress(name)
            waits, cpu, statuses = [], [], set()
            for _ in range(options.rounds):
                server.settle()
                with asking(server) as waited:
                    before = loop_seconds(server.pid)
                    statuses.add(post(server, body))
                    cpu.append((loop_seconds(server.pid) - before) * 1000)
                    time.sleep(0.2)
                waits.append(max(waited) * 1000)
            if not all(200 <= status < 500 for status in statuses):
                report.failures.append(f"{name}: {statuses}")
            longest = max(longest, statistics.median(cpu))
            row = (*(name, "/".join(map(str, sorted(statuses)))), spread(cpu), spread(waits))
            table.rows.append(row)
            report.measured.append({"body": name, "waits": waits, "cpu": cpu})
    report.tables.append(table)
    report.targets.append(
        Target("event loop's CPU for 1 MiB, ms", longest, REQUIRED_STALL, at_least=False)
    )


def memory(report: Report, options: argparse.Namespace, folder: Path) -> None:
    """Fill the log with large messages beside subscribers who read nothing."""
    header = ("Subscribers who read nothing", "before, MB", "grown by, MB")
    table = Table(f"Memory, {options.messages:,} messages of 100 kB", header)
    for count in (0, 1, 50):
        progress(f"{count} subscribers who read nothing")
        with contextlib.ExitStack() as stack:
            of_its_own = folder / str(count)
            of_its_own.mkdir()
            server = stack.enter_context(tracker(of_its_own, cores().server))
            for _ in range(count):
                stack.enter_context(contextlib.closing(connect(server.url, 0)))
            fields = {"project": PROJECT, "task": "Title", "agent": "a", "task_id": "t"}
            text = json.dumps({**fields, "metadata": {"x": "x" * 100_000}}).encode()
            post(server, Body(text))
            before = resident_mb(server.pid)
            most = before
            for _ in range(options.messages):
                if post(server, Body(text)) != 200:
                    report.failures.append(f"{count} subscribers: a report was refused")
                most = max(most, resident_mb(server.pid))
        table.rows.append((str(count), f"{before:.1f}", f"{most - before:.1f}"))
        report.measured.append({"stalled": count, "before": before, "grown": most - before})
        if count == 1:
            report.targets.append(
                Target("beside a stalled one, MB", most - before, REQUIRED_GROWTH, at_least=False)
            )
    report.tables.append(table)


def flood(report: Report, options: argparse.Namespace, folder: Path) -> None:
    """Report at a modest pace while one client asks for all that is heavy at once."""
    header = ("Connections that read", "reads/s", "p50 ms", "p99 ms", "longest ms", "refused")
    table = Table(f"Reports beside a flood, {options.tasks:,} tasks", header)
    build(folder / "tracker.db", options.tasks)
    p99 = {}
    with tracker(folder, cores().server) as server, pinned(cores().load):
        server.settle()
        for connections in (0, 1, 8, 64):
            progress(f"{connections} connections that read")
            with reading(server, connections) as read:
                answers = send(server.post_to, _PACE, options.seconds, Subscribers([], 0))
            took = [(answer.at - answer.sent) * 1000 for answer in answers.values()]
            if len(took) < _PACE * options.seconds:
                report.failures.append(f"{connections} connections: reports without an answer")
            p99[connections] = percentile(took, 99)
            refused = sum(status != 200 for status in read)
            figures = (percentile(took, 50), p99[connections], max(took))
            table.rows.append(
                (
                    *(str(connections), f"{len(read) / options.seconds:,.0f}"),
                    *(f"{figure:.1f}" for figure in figures),
                    str(refused),
                )
            )
            report.measured.append({"reading": connections, "reads": len(read), "took": took})
    report.tables.append(table)
    slowdown = max(p99.values()) / p99[0]
    report.targets.append(
        Target("p99 beside a flood over without", slowdown, REQUIRED_SLOWDOWN, at_least=False)
    )


PARTS = {"stalls": stalls, "memory": memory, "flood": flood}


def loop_seconds(pid: int) -> float:
    """CPU time of the thread that runs the event loop (proc(5): schedstat, in nanoseconds)."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def post(server: Server, body: Body) -> int:
    """The answer's status."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
    if body.coding is not None:
        headers["Content-Encoding"] = body.coding
    with contextlib.closing(connection):
        connection.request("POST", body.path, body.content, headers)
        response = connection.getresponse()
        response.read()
        return response.status


@contextlib.contextmanager
def asking(server: Server) -> Iterator[list[float]]:
    """Ask for `/health`, again and again; the seconds that each answer took."""
    waited = [0.0]
    over = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
        with contextlib.closing(connection):
            while not over.is_set():
                began = time.perf_counter()
                connection.request("GET", "/health")
                connection.getresponse().read()
                waited.append(time.perf_counter() - began)

    with _threads(ask, 1, over):
        time.sleep(0.05)
        waited.clear()
        yield waited


@contextlib.contextmanager
def reading(server: Server, connections: int) -> Iterator[list[int]]:
    """Read all that is heavy, on so many connections; the status of each answer."""
    statuses: list[int] = []
    over = threading.Event()

    def read() -> None:
        headers = {"X-API-Key": KEY, "Accept-Encoding": "gzip"}
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        with contextlib.closing(connection):
            number = 0
            while not over.is_set():
                connection.request("GET", HEAVY[number % len(HEAVY)], headers=headers)
                response = connection.getresponse()
                response.read()
                statuses.append(response.status)
                number += 1

    with _threads(read, connections, over):
        yield statuses


@contextlib.contextmanager
def _threads(target: object, count: int, over: threading.Event) -> Iterator[None]:
    threads = [threading.Thread(target=target) for _ in range(count)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
