"""Run benchmarks, all unless told otherwise; write what they measured into a document if asked to.

All take some fifteen minutes, on a machine that does nothing else.
"""

import argparse
import sys
from pathlib import Path

import _venv  # noqa: F401 - goes on in .venv
import agents_day
import command
import fanout
import growth
import hook
import ingest
import pages
import sdk
import startup
import translation
import variants
from _environment import SetupError, run_script
from _report import machine_text, progress

# The shortest first: what is missing is then said before minutes were spent.
BENCHMARKS = {
    "startup": startup,
    "command": command,
    "hook": hook,
    "translation": translation,
    "sdk": sdk,
    "ingest": ingest,
    "variants": variants,
    "growth": growth,
    "agents_day": agents_day,
    "fanout": fanout,
    "pages": pages,
}


def main() -> None:
    """Measure, print, and write only if every outcome was right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="replace the blocks between its markers"
    )
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, help="these alone")
    options = parser.parse_args()
    blocks = {"machine": machine_text()}
    print(blocks["machine"], flush=True)
    failed = False
    for name in options.only or BENCHMARKS:
        progress(f"== {name}")
        benchmark = BENCHMARKS[name]
        report = benchmark.measure(benchmark.arguments().parse_args([]))
        blocks[name] = report.text()
        print(f"\n{blocks[name]}", flush=True)
        failed = failed or bool(report.failures)
    if failed:
        sys.exit(1)
    if options.write:
        replace_blocks(options.write, blocks)


def replace_blocks(file: Path, blocks: dict[str, str]) -> None:
    """Put each text between `<!-- NAME -->` and `<!-- /NAME -->`; all else stays."""
    text = file.read_text(encoding="utf-8")
    for name, block in blocks.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SetupError(f"{file}: no block from {begin.strip()} to {end.strip()}")
        text = f"{before}{begin}\n{block}\n\n{end}{after}"
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
