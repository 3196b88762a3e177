"""Measure what subscribers cost publishers, and how soon events are delivered.

The method is in docs/performance.md.
"""

import argparse
import math
import resource
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import _venv  # noqa: F401 - goes on in .venv
from _environment import run_script
from _load import Load, post
from _machine import cores, pinned, workspace
from _pace import send
from _report import (
    Report,
    Table,
    Target,
    arguments_of_load,
    percentile,
    progress,
    run,
    shares,
    spread,
)
from _servers import Server, last_event, tracker, warm_up
from _subscribers import Subscribers, connect

CONNECTIONS = 32

# By subscribers: the part of the reports a second without any that has to be reached.
REQUIRED = {10: 0.9, 100: 0.65, 1000: 0.2}

# At a modest pace, by subscribers: the p99 to reach, in milliseconds.
REQUIRED_P99 = {100: 5.0}

# Seconds between two looks at the sockets. Subscribers elsewhere have processors of their own;
# here many small reads would take the time of the one that makes the load.
READ_EVERY = 0.02

FULL_LOAD = (
    "Subscribers",
    "reports/s",
    "of those with none",
    "deliveries/s",
    "last one after",
    "CPU µs a report",
    "busy: server / load",
)
PACED = ("Subscribers", "p50 ms", "p99 ms", "longest ms", "answer's p50 ms", "answer's p99 ms")


class Run(NamedTuple):
    """One run of wrk. `behind`: seconds from its end to the last delivery; `cpu_us`: what the
    server used for one report; `busy`: shares of the two cores."""

    load: Load
    deliveries: int
    behind: float
    cpu_us: float
    server_busy: float
    load_busy: float

    @property
    def deliveries_per_second(self) -> float:
        return self.deliveries / (self.load.seconds + self.behind)


class PacedRun(NamedTuple):
    """Milliseconds of each report: from its answer to the last delivery (below 0: that came
    first), and from its sending to its answer."""

    delays: list[float]
    answers: list[float]


class Bench:
    """The server under load, and the subscribers to what is reported."""

    def __init__(self, server: Server, database: Path, seconds: int, load_core: int) -> None:
        self._server = server
        self._database = database
        self._seconds = seconds
        self._load_core = load_core
        self.failures: list[str] = []

    def full_load(self, count: int) -> Run:
        """Reports as fast as they are taken."""
        subscribers = self._subscribe(count)
        before, own_before = self._server.cpu_seconds(), time.process_time()
        wrk = post(self._server.post_to, CONNECTIONS, self._seconds, self._load_core)
        load = None
        while load is None:
            subscribers.read()
            time.sleep(READ_EVERY)
            load = wrk.poll()
        ended = time.perf_counter()
        server_busy = (self._server.cpu_seconds() - before) / load.seconds
        own_busy = (time.process_time() - own_before) / load.seconds
        self._finish(subscribers)
        self.failures += load.failures(f"{count} subscribers")
        return Run(
            load,
            subscribers.deliveries(),
            max(0.0, subscribers.last_arrival() - ended),
            (self._server.cpu_seconds() - before) * 1e6 / max(1, load.requests),
            server_busy,
            load.busy + own_busy,
        )

    def paced(self, count: int, per_second: int) -> PacedRun:
        """Reports at a modest pace."""
        subscribers = self._subscribe(count)
        answers = send(self._server.post_to, per_second, self._seconds, subscribers)
        self._finish(subscribers)
        if len(answers) < per_second * self._seconds:
            self.failures.append(f"only {len(answers)} paced reports were answered")
        arrived = subscribers.last_arrivals()
        return PacedRun(
            [(arrived.get(event_id, math.inf) - a.at) * 1000 for event_id, a in answers.items()],
            [(a.at - a.sent) * 1000 for a in answers.values()],
        )

    def _subscribe(self, count: int) -> Subscribers:
        since = last_event(self._database)
        return Subscribers((connect(self._server.url, since) for _ in range(count)), since)

    def _finish(self, subscribers: Subscribers) -> None:
        subscribers.read_up_to(last_event(self._database))
        self._server.settle()  # it may still process reports whose senders have hung up
        last = last_event(self._database)
        subscribers.read_up_to(last)
        self.failures += subscribers.missed(last)
        subscribers.close()


def arguments() -> argparse.ArgumentParser:
    parser = arguments_of_load(__doc__, seconds=5, rounds=3)
    parser.add_argument("--subscribers", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--pace", type=int, default=200, help="a modest pace, in reports a second")
    parser.add_argument("--paced-subscribers", type=int, nargs="+", default=[10, 100])
    return parser


def measure(options: argparse.Namespace) -> Report:
    """All rounds under full load, then all at a modest pace."""
    report = Report()
    allow_sockets()
    server_core, load_core = cores()
    counts = [0, *options.subscribers]
    runs: dict[int, list[Run]] = {count: [] for count in counts}
    paced: dict[int, list[PacedRun]] = {count: [] for count in options.paced_subscribers}
    with workspace() as folder, tracker(folder, server_core) as server, pinned(load_core):
        bench = Bench(server, folder / "tracker.db", options.seconds, load_core)
        warm_up(server, CONNECTIONS, options.warm_up, load_core)
        for number in range(options.rounds):
            progress(f"round {number + 1} of {options.rounds}")
            for count, of_count in runs.items():
                of_count.append(bench.full_load(count))
            for count, of_pace in paced.items():
                of_pace.append(bench.paced(count, options.pace))
    report.failures += bench.failures
    report_full_load(report, runs)
    report_paced(report, paced, options.pace)
    return report


def allow_sockets() -> None:
    """To this process and the servers it starts, as many as the system permits."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def report_full_load(report: Report, runs: dict[int, list[Run]]) -> None:
    """How reports fare as subscribers are added."""
    table = Table(f"Full load, {CONNECTIONS} connections reporting", FULL_LOAD)
    for count, of_count in runs.items():
        pairs = zip(of_count, runs[0], strict=True)
        ratios = [one.load.per_second / alone.load.per_second for one, alone in pairs]
        row = [
            f"{count:,}",
            spread([one.load.per_second for one in of_count]),
            spread(ratios, 2),
            spread([one.deliveries_per_second for one in of_count]),
            f"{max(one.behind for one in of_count):.2f} s",
            spread([one.cpu_us for one in of_count]),
            shares([one.server_busy for one in of_count], [one.load_busy for one in of_count]),
        ]
        table.rows.append(row)
        if count in REQUIRED:
            what = f"reports/s with {count} subscribers, of those with none"
            report.targets.append(Target(what, statistics.median(ratios), REQUIRED[count]))
        report.measured += [
            {"subscribers": count, **one._asdict(), "load": one.load._asdict()} for one in of_count
        ]
    report.tables.append(table)


def report_paced(report: Report, runs: dict[int, list[PacedRun]], pace: int) -> None:
    """How soon the last subscriber has each event."""
    title = f"{pace} reports a second: from the answer to the last subscriber's delivery"
    table = Table(title, PACED)
    for count, of_count in runs.items():
        p99 = [percentile(one.delays, 99) for one in of_count]
        row = [
            f"{count:,}",
            spread([percentile(one.delays, 50) for one in of_count], 2),
            spread(p99, 2),
            spread([max(one.delays) for one in of_count], 2),
            spread([percentile(one.answers, 50) for one in of_count], 2),
            spread([percentile(one.answers, 99) for one in of_count], 2),
        ]
        table.rows.append(row)
        if count in REQUIRED_P99:
            what = f"p99 in ms with {count} subscribers, {pace} reports a second"
            limit = REQUIRED_P99[count]
            report.targets.append(Target(what, statistics.median(p99), limit, at_least=False))
        report.measured += [
            {"subscribers": count, "pace": pace, **one._asdict()} for one in of_count
        ]
    report.tables.append(table)


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
