"""Measure how long an agent waits for `tracker hook`, whatever the server does.

The method is in docs/performance.md.
"""

import argparse
import contextlib
import functools
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import _venv  # noqa: F401 - goes on in .venv
import build
from _environment import ROOT, run_script
from _machine import cores, workspace
from _report import Report, Table, Target, run, spread
from _servers import Server, tracker
from sdk import WAITING, hanging
from startup import in_turns

from agent_task_tracker import connections
from agent_task_tracker.spool_files import SENDER

_Way = Callable[[], dict[str, float]]

_EVENT = {
    "session_id": "bench",
    "hook_event_name": "PostToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "pytest -q tests", "description": "Run the tests"},
    "tool_response": {"stdout": "all is well\n" * 300, "stderr": "", "interrupted": False},
    "tool_use_id": "toolu_1",
}
_AGENT = "claude-code"
_NOTHING = "python -c pass"
_ANSWERS, _HANGS = "the server answers", "it hangs"
_FOLDER = "one folder, the server answers"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="events of each")
    return parser


def measure(options: argparse.Namespace) -> Report:
    """What is compared takes turns."""
    report = Report()
    with workspace() as folder, hanging() as silent:
        (folder / "server").mkdir()
        with tracker(folder / "server", cores().server) as server:
            key = _key(server)
            hook = [str(Path(sys.executable).with_name("tracker"))]
            if not Path(hook[0]).exists():
                hook = [sys.executable, "-m", "agent_task_tracker"]
            homes: list[_Home] = []

            def event(name: str, program: Sequence[str], url: str | None) -> _Way:
                homes.append(_Home(folder / name, key, program, url, is_fresh=url == silent))
                return homes[-1].event

            ways: dict[str, _Way] = {
                _NOTHING: functools.partial(_timed, [sys.executable, "-c", "pass"], {}),
                "not connected": event("none", hook, None),
                _ANSWERS: event("answers", hook, server.url),
                "it refuses": event("refuses", hook, WAITING),
                _HANGS: event("hangs", hook, silent),
            }
            if build.IN_FOLDER.exists():
                ways[_FOLDER] = event("folder", [str(build.IN_FOLDER)], server.url)
            taken = in_turns(options.rounds, ways)
            for home in homes:
                home.end_senders()
            _report(report, taken)
            told = server.request_json("/api/agents")["agents"][0]["payloads"]
            programs = sum(name in taken for name in (_ANSWERS, _FOLDER))
            if told != programs * (options.rounds + 1):
                report.failures.append(f"the server was told {told} events, each once")
    return report


def _report(report: Report, taken: dict[str, list[dict[str, float]]]) -> None:
    table = Table("", ("An event", "ms", "ms of CPU", f"of `{_NOTHING}`'s CPU"))
    for name, figures in taken.items():
        ms, cpu = ([figure[what] for figure in figures] for what in ("ms", "cpu"))
        nothing = [figure["cpu"] for figure in taken[_NOTHING]]
        ratios = [one / other for one, other in zip(cpu, nothing, strict=True)]
        table.rows.append((name, spread(ms), spread(cpu), f"{statistics.median(ratios):.1f}"))
        report.measured.append({"way": name, "ms": ms, "cpu": cpu})
        limit = {_ANSWERS: 40, _HANGS: 300, _FOLDER: 35}.get(name)
        if limit:
            middle = statistics.median(ms)
            report.targets.append(Target(f"ms, {name}", middle, limit, at_least=False))
    report.tables.append(table)


class _Home:
    """A user whose agent is connected, or not. `is_fresh`: nothing waits from the event before."""

    def __init__(
        self,
        folder: Path,
        key: str,
        program: Sequence[str],
        url: str | None,
        *,
        is_fresh: bool = False,
    ) -> None:
        self._folder = folder
        self._folder.mkdir()
        self._program = program
        self._is_fresh = is_fresh
        self._spools = (self._folder / f"spool {number}" for number in itertools.count())
        self._spool = next(self._spools)
        self._connections = self._folder / "connections.json"
        entries = {} if url is None else {_AGENT: {"url": url, "key": key}}
        connections.save(str(self._connections), entries)

    def event(self) -> dict[str, float]:
        """What an event takes."""
        ours = {"TRACKER_SPOOL": self._spool, "TRACKER_CONNECTIONS": self._connections}
        variables = {name: str(path) for name, path in ours.items()}
        taken = _timed([*self._program, "hook", _AGENT], variables)
        if self._is_fresh:
            self.end_senders()
            self._spool = next(self._spools)
        return taken

    def end_senders(self) -> None:
        """End those that tell the server later."""
        for lock in self._spool.glob(f"*/{SENDER}"):
            end = time.monotonic() + 5
            while not (pid := lock.read_text()) and time.monotonic() < end:
                time.sleep(0.01)
            if pid and Path(f"/proc/{pid}").exists():
                os.kill(int(pid), signal.SIGKILL)


def _timed(command: Sequence[str], variables: dict[str, str]) -> dict[str, float]:
    basic = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": os.environ["HOME"]}
    with _input() as given:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=given, env={**basic, **variables})
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return {"ms": seconds * 1000, "cpu": (used.ru_utime + used.ru_stime) * 1000}


@contextlib.contextmanager
def _input() -> Iterator[int]:
    reader, writer = os.pipe()
    os.write(writer, json.dumps(_EVENT).encode())
    os.close(writer)
    try:
        yield reader
    finally:
        os.close(reader)


def _key(server: Server) -> str:
    made = server.request_json("/api/keys", {"name": "bench", "role": "report"})
    return str(made["key"])


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
