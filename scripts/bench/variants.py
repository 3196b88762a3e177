"""Measure reports as users send them: with limits, keys of every kind, in batches.

The method is in docs/performance.md.
"""

import argparse
import contextlib
import statistics
from pathlib import Path

import _venv  # noqa: F401 - goes on in .venv
from _environment import run_script
from _load import BATCH, BATCH_SIZE, MIXED, NAMED, PROJECT, SESSION, USED, VARIANTS, post
from _machine import cores, workspace
from _report import Report, Table, Target, arguments_of_load, progress, run, spread
from _servers import Server, answer_to_copy, floor, last_event, tracker, warm_up

FLOOR = "floor: bare uvicorn"
CONNECTIONS = 32

# As many as nobody sends: the limit is on, as it is by default, and refuses nothing.
LIMIT = ("--rate-limit-webhook", "1000000000")

# The part of the floor's requests a second that has to be reached; batches carry a hundred reports,
# each of which counts.
REQUIRED = {
    "plain": 0.42,
    "Authorization: Bearer": 0.38,
    "charset=utf-8": 0.38,
    "an allowed Origin": 0.38,
    "Idempotency-Key": 0.34,
    NAMED: 0.38,
    MIXED: 0.33,
    USED: 0.3,
    SESSION: 0.3,
    BATCH: 0.6,
}
# The part of the requests with the master key that those with another have to reach.
REQUIRED_NAMED = 0.97

HEADER = ("Requests", "reports/s", "of the floor", "p99 ms", "CPU µs a report")


def arguments() -> argparse.ArgumentParser:
    return arguments_of_load(__doc__, seconds=5, rounds=3)


class Measured:
    """One kind of request; a figure a round."""

    def __init__(self, server: Server, variant: str, named_key: str = "") -> None:
        self._server = server
        self._named_key = named_key
        self._variant = variant
        self._each = BATCH_SIZE if variant == BATCH else 1
        self.rates: list[float] = []
        self.p99: list[float] = []
        self.cpu_us: list[float] = []

    def add(self, report: Report, seconds: int, database: Path | None) -> None:
        """Load the server, let it rest, and look whether every report is in the database."""
        recorded = last_event(database) if database else 0
        before = self._server.cpu_seconds()
        load = post(
            *(self._server.post_to, CONNECTIONS, seconds, cores().load),
            variant=self._variant,
            named_key=self._named_key,
        ).wait()
        self._server.settle()
        reports = load.requests * self._each
        self.rates.append(reports / load.seconds)
        self.p99.append(load.p99)
        self.cpu_us.append((self._server.cpu_seconds() - before) * 1e6 / max(1, reports))
        report.failures += load.failures(self._variant)
        if database:
            recorded = last_event(database) - recorded
            if not reports <= recorded <= reports + CONNECTIONS * self._each:
                report.failures.append(
                    f"{self._variant}: {reports} reports were answered, {recorded} are in the log"
                )

    def of(self, base: "Measured") -> list[float]:
        """Reports a second, of the same round's requests of `base`."""
        return [own / other for own, other in zip(self.rates, base.rates, strict=True)]


def measure(options: argparse.Namespace) -> Report:
    """All kinds in each round, the floor among them."""
    report = Report()
    with workspace() as folder, contextlib.ExitStack() as stack:
        ours = stack.enter_context(tracker(folder, cores().server, *LIMIT))
        bare = stack.enter_context(floor(folder, cores().server, answer_to_copy(ours)))
        for server in (bare, ours):
            warm_up(server, CONNECTIONS, options.warm_up, cores().load)
        base = Measured(bare, "plain")
        made = ours.request_json(
            "/api/keys", {"name": "bench", "role": "report", "projects": [PROJECT]}
        )
        measured = {name: Measured(ours, name, made["key"]) for name in REQUIRED}
        for number in range(options.rounds):
            progress(f"round {number + 1} of {options.rounds}")
            base.add(report, options.seconds, None)
            for of in measured.values():
                of.add(report, options.seconds, folder / "tracker.db")
    rows = [
        [name, spread(of.rates), spread(of.of(base), 2), spread(of.p99, 2), spread(of.cpu_us)]
        for name, of in {FLOOR: base, **measured}.items()
    ]
    title = f"`POST /webhook/…` as users send it, {CONNECTIONS} connections, limits on"
    report.tables.append(Table(title, HEADER, rows))
    for name, least in REQUIRED.items():
        reached = statistics.median(measured[name].of(base))
        report.targets.append(Target(f"reports/s, of the floor: {name}", reached, least))
        report.measured.append({"variant": name, "per_second": measured[name].rates})
    named = statistics.median(measured[NAMED].of(measured["plain"]))
    report.targets.append(Target("reports/s, of the master key's: " + NAMED, named, REQUIRED_NAMED))
    return report


assert set(VARIANTS) <= set(REQUIRED)

if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
