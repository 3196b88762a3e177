"""Measure how soon the server answers after its start, and what memory it holds then.

The method is in docs/performance.md.
"""

import argparse
import time
from pathlib import Path

import _venv  # noqa: F401 - goes on in .venv
from _environment import run_script
from _machine import cores, resident_mb, workspace
from _report import Report, Table, progress, run, spread
from _servers import tracker


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="starts")
    return parser


def measure(options: argparse.Namespace) -> Report:
    """Start it again and again: first with no database, then with the one that is there."""
    report = Report()
    with workspace() as folder:
        for number in range(options.rounds + 1):
            progress(f"start {number} of {options.rounds}")
            report.measured.append(start(folder))
    first, *others = report.measured
    header = ("`python -m tracker serve`", "ms to the first 200", "MB idle")
    rows = [
        [what, *(spread([one[figure] for one in of], 0) for figure in ("ms", "mb"))]
        for what, of in (("new database", [first]), ("database kept", others))
    ]
    report.tables.append(Table("Start", header, rows))
    return report


def start(folder: Path) -> dict[str, float]:
    """From exec to the first answer of /health."""
    begun = time.perf_counter()
    with tracker(folder, cores().server) as server:
        server.ask("/health")
        took = time.perf_counter() - begun
        server.settle()
        return {"ms": took * 1000, "mb": resident_mb(server.process.pid)}


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
