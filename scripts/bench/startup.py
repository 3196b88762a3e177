"""Measure how soon the server answers after its start, and what memory it holds then: the package,
and the executable that scripts/build.py makes.

The method is in docs/performance.md.
"""

import argparse
import functools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import _venv  # noqa: F401 - goes on in .venv
import build
from _environment import SetupError, run_script
from _machine import cores, resident_mb, workspace
from _report import Report, Table, Target, progress, run, spread
from _servers import PACKAGE, tracker

Name = TypeVar("Name")

PACKAGE_NAME = "python -m tracker"
FOLDER, ONE_FILE = "one folder", "one file"
HELLO = "hello world"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="starts of each")
    parser.add_argument(
        "--executable",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with the executable",
    )
    return parser


def measure(options: argparse.Namespace) -> Report:
    """The starts, then the commands that only print; what is compared takes turns."""
    report = Report()
    programs = {FOLDER: [str(build.IN_FOLDER)], ONE_FILE: [str(build.ONE_FILE)]}
    if not options.executable:
        programs = {}
    elif not build.ONE_FILE.exists():
        raise SetupError("There is no executable: run scripts/build.py, or give --no-executable.")
    with workspace() as folder:
        servers = {
            name: functools.partial(start, folder / name, command)
            for name, command in {PACKAGE_NAME: PACKAGE, **programs}.items()
        }
        starts = in_turns(options.rounds, servers)
        _report_starts(report, starts)
        if programs:
            hello = {name: hello_world(folder, name) for name in programs}
            commands = {
                (what, name): functools.partial(cpu_and_wall, [*program, *option])
                for name, of_ours in programs.items()
                for what, program, option in (
                    (HELLO, hello[name], []),
                    ("--help", of_ours, ["--help"]),
                    ("--version", of_ours, ["--version"]),
                )
            }
            _report_commands(report, in_turns(options.rounds, commands))
    return report


def start(folder: Path, command: Sequence[str]) -> dict[str, float]:
    """From exec to the first answer of /health; the first time makes the database."""
    folder.mkdir(exist_ok=True)
    started = time.perf_counter()
    with tracker(folder, cores().server, command=command) as server:
        server.request_json("/health")
        seconds = time.perf_counter() - started
        server.settle()
        return {"ms": seconds * 1000, "mb": resident_mb(server.pid)}


def cpu_and_wall(command: Sequence[str]) -> dict[str, float]:
    """What a command takes from exec to its end, in milliseconds."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return {"ms": seconds * 1000, "cpu": (used.ru_utime + used.ru_stime) * 1000}


def in_turns(
    rounds: int, measurements: dict[Name, Callable[[], dict[str, float]]]
) -> dict[Name, list[dict[str, float]]]:
    """Each as often as the others, so that what else the machine does meets all alike."""
    results: dict[Name, list[dict[str, float]]] = {name: [] for name in measurements}
    for number in range(rounds + 1):
        progress(f"round {number} of {rounds}")
        for name, take in measurements.items():
            figures = take()
            if number:  # the first fills the file system's cache
                results[name].append(figures)
    return results


def hello_world(folder: Path, mode: str) -> list[str]:
    """The least that PyInstaller makes, in the same mode and stripped like ours."""
    source = folder / "hello.py"
    source.write_text('print("hello")\n', encoding="utf-8")
    name = f"hello-{mode.replace(' ', '-')}"
    options = ["--noconfirm", "--log-level", "ERROR", "--strip", "--name", name]
    options += ["--onefile"] if mode == ONE_FILE else ["--onedir"]
    paths = [f"--distpath={folder}", f"--workpath={folder / 'work'}", f"--specpath={folder}"]
    command = [sys.executable, "-m", "PyInstaller", *options, *paths, str(source)]
    subprocess.run(command, check=True, capture_output=True)
    program = folder / name
    return [str(program if mode == ONE_FILE else program / name)]


def _report_starts(report: Report, results: dict[str, list[dict[str, float]]]) -> None:
    report.measured += [{"program": name, **one} for name, of in results.items() for one in of]
    ratios = {name: _ratio(of, results[PACKAGE_NAME], "ms") for name, of in results.items()}
    header = ("serve", "ms to the first 200", "of the package's", "MB idle")
    rows = [
        [
            name,
            spread([one["ms"] for one in of]),
            f"{ratios[name]:.2f}",
            spread([one["mb"] for one in of], 0),
        ]
        for name, of in results.items()
    ]
    report.tables.append(Table("", header, rows))
    memory = max(statistics.median(one["mb"] for one in of) for of in results.values())
    report.targets.append(Target("idle, MB", memory, 70, at_least=False))
    if ONE_FILE in results:
        start = "first 200, of the package's"
        report.targets += [
            Target("one file, MB", build.ONE_FILE.stat().st_size / 1e6, 30, at_least=False),
            Target(f"one folder: {start}", ratios[FOLDER], 1.3, at_least=False),
            Target(f"one file: {start}", ratios[ONE_FILE], 2.5, at_least=False),
        ]


def _report_commands(
    report: Report, results: dict[tuple[str, str], list[dict[str, float]]]
) -> None:
    header = ("command", "ms of CPU", "ms", "of hello world's CPU")
    rows = []
    for (what, mode), of in results.items():
        ratio = _ratio(of, results[HELLO, mode], "cpu")
        cells = [spread([one[figure] for one in of]) for figure in ("cpu", "ms")]
        rows.append([f"{what}, {mode}", *cells, f"{ratio:.2f}"])
        if what != HELLO:
            target = f"{what}, {mode}: of hello world's"
            report.targets.append(Target(target, ratio, 1.5, at_least=False))
    report.tables.append(Table("", header, rows))


def _ratio(ours: list[dict[str, float]], theirs: list[dict[str, float]], figure: str) -> float:
    """The median of the rounds' ratios."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(one[figure] / other[figure] for one, other in pairs)


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
