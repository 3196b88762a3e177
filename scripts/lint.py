"""Check style and types of this checkout: python3 scripts/lint.py."""

import os
import subprocess
import sys

from _environment import ROOT, Environment, run_script, say

CHECKS = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",))


def main() -> None:
    """Run every check, also after one that failed."""
    environment = Environment()
    environment.ensure("lint")
    os.chdir(ROOT)
    failed = []
    for check in CHECKS:
        say("== " + " ".join(check))
        if subprocess.call([str(environment.python), "-m", *check]):
            failed.append(" ".join(check))
    if failed:
        say("Failed: " + ", ".join(failed))
        sys.exit(1)


if __name__ == "__main__":
    run_script(main)
