"""Measure what it costs to translate an agent's payload: beside a webhook, in the same run.

The method is in docs/performance.md.
"""

import argparse
import http.client
import json
import statistics
import time
from typing import Any

import _venv  # noqa: F401 - goes on in .venv
from _environment import ROOT, run_script
from _load import KEY
from _machine import cores, workspace
from _report import Report, Table, Target, progress, run, spread
from _servers import Server, tracker

# Milliseconds of the server's processor time that a payload may cost beyond a webhook.
REQUIRED = 1.0

SESSIONS = ROOT / "tests" / "data" / "agents" / "claude-code"
SCENARIOS = ("permissions-parallel", "subagent", "headless-tool-failure", "todo")
WEBHOOK, PAYLOAD = "POST /webhook/status", "POST /hooks/claude-code"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of the same")
    parser.add_argument("--repeat", type=int, default=20, help="each session, so many times")
    return parser


def recorded() -> list[tuple[str, dict[str, Any]]]:
    """The payloads of some sessions, with the names of these."""
    return [
        (scenario, json.loads(path.read_text(encoding="utf-8")))
        for scenario in SCENARIOS
        for path in sorted((SESSIONS / scenario).glob("[0-9]*.json"))
    ]


class Client:
    """One connection, one request at a time."""

    def __init__(self, server: Server) -> None:
        host, _, port = server.url.rpartition("/")[2].partition(":")
        self._connection = http.client.HTTPConnection(host, int(port))
        self._server = server

    def send(self, path: str, bodies: list[bytes], report: Report) -> tuple[float, float]:
        """Milliseconds of the server's processor, and of the clock, for each of them."""
        headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
        cpu, started = self._server.cpu_seconds(), time.perf_counter()
        for body in bodies:
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
            told = answer.read()
            if answer.status not in (200, 201):
                report.failures.append(f"{path}: {answer.status} {told[:200]!r}")
        passed = time.perf_counter() - started
        self._server.settle()
        used = self._server.cpu_seconds() - cpu
        return used * 1000 / len(bodies), passed * 1000 / len(bodies)


def measure(options: argparse.Namespace) -> Report:
    """Send both in turn, the sessions each time under other names."""
    report = Report()
    payloads = recorded()
    costs: dict[str, list[tuple[float, float]]] = {WEBHOOK: [], PAYLOAD: []}
    with workspace() as folder, tracker(folder, cores().server) as server:
        client = Client(server)
        for number in range(options.rounds + 1):
            progress(f"round {number} of {options.rounds}")
            hooks = [
                json.dumps({**payload, "session_id": f"{scenario}-{number}-{again}"}).encode()
                for again in range(options.repeat)
                for scenario, payload in payloads
            ]
            one = {"project": "app", "task": "x", "agent": "a", "message": "Bash: pytest -q"}
            webhooks = [
                json.dumps({**one, "task_id": f"{number}-{at // 10}", "status": "running"}).encode()
                for at in range(len(hooks))
            ]
            for what, bodies in ((WEBHOOK, webhooks), (PAYLOAD, hooks)):
                cost = client.send(what.partition(" ")[2], bodies, report)
                costs[what] += [cost] if number else []  # the first warms up
    columns = ("Request", "CPU ms", "ms until the answer", "CPU over a webhook's")
    table = Table("Translation", columns)
    base = [cpu for cpu, _ in costs[WEBHOOK]]
    for what, measured in costs.items():
        ratios = [cpu / of for (cpu, _), of in zip(measured, base, strict=True)]
        cpu, wall = zip(*measured, strict=True)
        table.rows.append([what, spread(cpu, 3), spread(wall, 3), spread(ratios, 2)])
    report.tables.append(table)
    report.measured += [
        {"request": what, "cpu_ms": cpu, "answered_ms": answered}
        for what, measured in costs.items()
        for cpu, answered in measured
    ]
    beyond = [cpu - of for (cpu, _), of in zip(costs[PAYLOAD], base, strict=True)]
    what = "CPU ms of a payload beyond a webhook"
    report.targets.append(Target(what, statistics.median(beyond), REQUIRED, at_least=False))
    return report


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
