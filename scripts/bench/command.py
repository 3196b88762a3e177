"""Measure what `tracker run` costs a command: until it runs, to its end, and while it prints.

The method is in docs/performance.md.
"""

import argparse
import functools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import _venv  # noqa: F401 - goes on in .venv
from _environment import ROOT, run_script
from _load import KEY
from _machine import cores, workspace
from _report import Report, Table, run, spread
from _servers import tracker
from sdk import WAITING, hanging
from startup import in_turns

_RUN = (sys.executable, "-m", "tracker", "run", "--project", "bench", "--")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each")
    parser.add_argument("--megabytes", type=int, default=500, help="of output")
    return parser


def measure(options: argparse.Namespace) -> Report:
    """Commands that end at once, then one that prints; what is compared takes turns."""
    report = Report()
    with workspace() as folder, hanging() as silent:
        (folder / "server").mkdir()
        with tracker(folder / "server", cores().server) as server:
            wrapped = functools.partial(_wrapped, folder)
            _starts(
                report,
                options.rounds,
                {
                    "alone": ((), wrapped(None)),
                    "python -c pass before it": (
                        (
                            sys.executable,
                            "-c",
                            "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])",
                        ),
                        wrapped(None),
                    ),
                    "tracker run, the server answers": (_RUN, wrapped(server.url)),
                    "tracker run, it refuses": (_RUN, wrapped(WAITING)),
                    "tracker run, it hangs": (_RUN, wrapped(silent)),
                },
            )
            _output(report, options, wrapped(server.url))
    return report


def _starts(
    report: Report, rounds: int, ways: dict[str, tuple[Sequence[str], dict[str, str]]]
) -> None:
    taken = in_turns(
        rounds,
        {name: functools.partial(_start, before, given) for name, (before, given) in ways.items()},
    )
    table = Table("", ("A command that ends at once", "ms until it runs", "ms to the end"))
    for name, figures in taken.items():
        row = {what: [figure[what] for figure in figures] for what in ("until", "end")}
        table.rows.append((name, spread(row["until"]), spread(row["end"])))
        report.measured.append({"way": name, **row})
    report.tables.append(table)


def _start(before: Sequence[str], given: dict[str, str]) -> dict[str, float]:
    started = time.time_ns()
    done = subprocess.run(
        [*before, "date", "+%s%N"], check=True, env=given, capture_output=True, text=True
    )
    ended = time.time_ns()
    return {"until": (int(done.stdout) - started) / 1e6, "end": (ended - started) / 1e6}


def _output(report: Report, options: argparse.Namespace, given: dict[str, str]) -> None:
    size = options.megabytes * 1_000_000
    table = Table("", (f"{options.megabytes} MB of output into a pipe", "MB a second"))
    taken = in_turns(
        3,
        {
            name: functools.partial(_print, before, size, given)
            for name, before in {"alone": (), "under tracker run": _RUN}.items()
        },
    )
    for name, figures in taken.items():
        rates = [options.megabytes / figure["seconds"] for figure in figures]
        table.rows.append((name, spread(rates)))
        if any(figure["bytes"] != size for figure in figures):
            report.failures.append(f"{name}: not all of the output arrived")
    report.tables.append(table)


def _print(before: Sequence[str], size: int, given: dict[str, str]) -> dict[str, float]:
    """Of what `head` prints, all is counted."""
    received = 0
    started = time.perf_counter()
    command = [*before, "head", "-c", str(size), "/dev/zero"]
    with subprocess.Popen(command, env=given, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while data := os.read(process.stdout.fileno(), 1 << 20):
            received += len(data)
    return {"seconds": time.perf_counter() - started, "bytes": received}


def _wrapped(folder: Path, url: str | None) -> dict[str, str]:
    there = {"TRACKER_URL": url} if url else {}
    spool = {"TRACKER_SPOOL": str(folder / "spool"), "API_KEY": KEY}
    return {
        **{"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        **{**spool, **there},
    }


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
