"""A benchmark's report: tables, readable in a terminal and as Markdown, targets, and failures."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from _machine import describe


@dataclass
class Table:
    """Rows of cells that are text already."""

    title: str
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def text(self) -> str:
        """As Markdown; the first column is words, the others numbers."""
        rows = [self.header, *self.rows]
        widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(self.header))]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        cells = [
            [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
            for row in [self.header, rule, *self.rows]
        ]
        lines = [f"| {' | '.join(row)} |" for row in cells]
        return "\n".join([*([self.title, ""] if self.title else []), *lines])


@dataclass
class Target:
    """A number that has to be reached; see docs/performance.md."""

    what: str
    value: float
    limit: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def cells(self) -> Sequence[str]:
        """A row of the table of targets."""
        sign = "≥" if self.at_least else "≤"
        return (
            self.what,
            f"{sign} {self.limit:g}",
            f"{self.value:.2f}",
            "met" if self.met else "MISSED",
        )


@dataclass
class Report:
    """The results of one benchmark. `failures`: outcomes that make its numbers worthless."""

    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    measured: list[dict[str, Any]] = field(default_factory=list)

    def text(self) -> str:
        """As Markdown."""
        header = ("Target", "Limit", "Measured", "Result")
        targets = Table("", header, [target.cells() for target in self.targets])
        parts = [table.text() for table in [*self.tables, *([targets] if self.targets else [])]]
        parts += [f"FAILED: {failure}" for failure in self.failures]
        return "\n\n".join(parts)


def machine_text() -> str:
    """What a reader needs to compare with."""
    return "\n".join(f"- {name}: {value}" for name, value in describe().items())


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and the least and the most, so that a noisy machine shows."""
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def shares(*parts: Sequence[float]) -> str:
    """Medians of parts of a whole."""
    return " / ".join(f"{statistics.median(part):.0%}" for part in parts)


def percentile(values: Sequence[float], percent: int) -> float:
    """The least value that so many percent of them do not exceed."""
    return sorted(values)[-(-len(values) * percent // 100) - 1]


def progress(text: str) -> None:
    """Print progress on standard error."""
    print(text, file=sys.stderr, flush=True)


def arguments_of_load(description: str, *, seconds: int, rounds: int) -> argparse.ArgumentParser:
    """What benchmarks with a load have in common."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=int, default=seconds, help="of one run")
    parser.add_argument("--rounds", type=int, default=rounds, help="runs of the same")
    parser.add_argument("--warm-up", type=int, default=1, help="seconds before the first; or 0")
    return parser


def run(
    arguments: argparse.ArgumentParser, measure: Callable[[argparse.Namespace], Report]
) -> None:
    """Measure as the command line says, print, and exit 1 if an outcome was wrong."""
    arguments.add_argument("--json", action="store_true", help="print the raw numbers as JSON")
    options = arguments.parse_args()
    report = measure(options)
    if options.json:
        content = {"machine": describe(), **asdict(report)}
        print(json.dumps(content, indent=1))
    else:
        print(machine_text(), report.text(), sep="\n\n")
    if report.failures:
        sys.exit(1)
