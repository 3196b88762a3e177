"""Measure whether answers take longer with a million tasks than with a thousand.

The method is in docs/performance.md.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import _venv  # noqa: F401 - goes on in .venv
from _environment import run_script
from _history import DAYS, STEADY, build, project
from _load import Load, export, get, post
from _machine import cores, resident_mb, workspace
from _report import Report, Table, Target, arguments_of_load, progress, run, spread
from _servers import PACKAGE, Server, tracker

# The median with the most tasks over the median with the fewest.
REQUIRED = 1.5

_LARGEST = quote(project(0), safe="")
READS = {
    "GET /api/stats": "/api/stats",
    "GET /api/projects": "/api/projects",
    "GET a page of completed tasks": f"/api/projects/{_LARGEST}/tasks?status=completed",
    # In a project that has as many tasks in each database.
    "GET a search that all tasks match": f"/api/projects/{STEADY}/tasks?q=task",
    "GET a search for two words": f"/api/projects/{STEADY}/tasks?q=verify+ag",
    "GET an agent's tasks": f"/api/projects/{STEADY}/tasks?agent=agent-3",
    "GET a project's figures": f"/api/stats/projects/{_LARGEST}",
    "GET /api/sessions": "/api/sessions",
    "GET the sessions at work": "/api/sessions?active=1",
}
# With a key for three projects, the one with the most tasks among them.
READS_OF_SOME = {
    "GET /api/stats, three projects": "/api/stats",
    "GET /api/now, three projects": "/api/now",
    "GET /api/sessions, three projects": "/api/sessions",
    "GET the newest events, three projects": "/api/events?newest=100",
}
KEY_OF_SOME = {"name": "some", "role": "read", "projects": [project(0), project(5), STEADY]}
WRITE = "POST /webhook/start"
# A run with what its model has used, by telemetry.
EXPORT = "POST /v1/traces"
CARE = ("Tasks", "start ms", "memory MB", "backup s", "pruning 3 of 90 days s", "tasks pruned")


def arguments() -> argparse.ArgumentParser:
    parser = arguments_of_load(__doc__, seconds=2, rounds=5)
    parser.add_argument("--tasks", type=int, nargs="+", default=[1_000, 1_000_000])
    return parser


def measure(options: argparse.Namespace) -> Report:
    """Build the databases, start a server on each, ask them in turn."""
    report = Report()
    sizes = sorted(options.tasks)
    with workspace() as folder, contextlib.ExitStack() as stack:
        report.tables.append(build_all(folder, sizes))
        care = Table("Care, beside a running server", CARE)
        servers, keys = {}, {}
        for size in sizes:
            started = time.monotonic()
            servers[size] = stack.enter_context(tracker(folder / str(size), cores().server))
            care.rows.append([f"{size:,}", f"{(time.monotonic() - started) * 1000:,.0f}"])
            made = servers[size].request_json("/api/keys", KEY_OF_SOME)
            keys[size] = made["key"]
        questions = [
            (question, size)
            for question in (*READS, *READS_OF_SOME, WRITE, EXPORT)
            for size in sizes
        ]
        loads: dict[tuple[str, int], list[Load]] = {question: [] for question in questions}
        for question, size in questions if options.warm_up else []:
            run_load(servers[size], question, options.warm_up, keys[size])
        for number in range(options.rounds):
            progress(f"round {number + 1} of {options.rounds}")
            for question, size in questions:
                load = run_load(servers[size], question, options.seconds, keys[size])
                report.failures += load.failures(f"{question}, {size} tasks")
                loads[question, size].append(load)
        for row, (size, server) in zip(care.rows, servers.items(), strict=True):
            row.extend(take_care(folder / str(size) / "tracker.db", server))
        report.tables.append(care)
    add_results(report, sizes, loads)
    return report


def build_all(folder: Path, sizes: list[int]) -> Table:
    """Make the databases; a table of how long that took and how large they are."""
    table = Table("Databases", ("Tasks", "built in s", "size in MB", "bytes a task"))
    for size in sizes:
        progress(f"making a database of {size:,} tasks")
        started = time.monotonic()
        path = folder / str(size) / "tracker.db"
        path.parent.mkdir()
        build(path, size)
        seconds, bytes_ = time.monotonic() - started, path.stat().st_size
        of_one = f"{bytes_ / size:,.0f}"
        table.rows.append([f"{size:,}", f"{seconds:.1f}", f"{bytes_ / 1e6:,.1f}", of_one])
    return table


def run_load(server: Server, question: str, seconds: int, key_of_some: str) -> Load:
    """One connection, one request at a time."""
    if question in READS_OF_SOME:
        url = server.url + READS_OF_SOME[question]
        return get(url, seconds, cores().load, key_of_some).wait()
    if question in READS:
        return get(server.url + READS[question], seconds, cores().load).wait()
    if question == EXPORT:
        return export(server.url, seconds, cores().load, project(0)).wait()
    load = post(server.post_to, 1, seconds, cores().load, project=project(0), scattered=True).wait()
    server.settle()
    return load


def take_care(database: Path, server: Server) -> list[str]:
    """The server's memory, how long a backup takes, and pruning the oldest days."""
    memory = resident_mb(server.pid)
    copied, _ = run_command("backup", str(database.with_name("copy.db")), "--db", str(database))
    pruned, printed = run_command(
        "prune", "--older-than", f"{DAYS - 3}d", "--db", str(database), "--json"
    )
    return [f"{memory:.0f}", f"{copied:.1f}", f"{pruned:.1f}", f"{json.loads(printed)['tasks']:,}"]


def run_command(*arguments: str) -> tuple[float, str]:
    """The seconds that a command of ours takes, and its output."""
    started = time.monotonic()
    done = subprocess.run([*PACKAGE, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return time.monotonic() - started, done.stdout


def add_results(report: Report, sizes: list[int], loads: dict[tuple[str, int], list[Load]]) -> None:
    """Add the medians, and the ratio of the most tasks to the fewest."""
    columns = [f"{size:,} tasks, p50 ms" for size in sizes]
    table = Table("Latency, one request at a time", ("Request", *columns, "ratio"))
    for question in (*READS, *READS_OF_SOME, WRITE, EXPORT):
        medians = [[load.p50 for load in loads[question, size]] for size in sizes]
        ratios = [most / fewest for most, fewest in zip(medians[-1], medians[0], strict=True)]
        cells = [spread(of_size, 3) for of_size in medians]
        table.rows.append([question, *cells, spread(ratios, 2)])
        what = f"{question}: {sizes[-1]:,} over {sizes[0]:,} tasks"
        report.targets.append(Target(what, statistics.median(ratios), REQUIRED, at_least=False))
    report.tables.append(table)
    report.measured += [
        {"request": question, "tasks": size, **load._asdict()}
        for (question, size), of_question in loads.items()
        for load in of_question
    ]


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
