"""Run the tests that take long, then break everything at once and look for losses.

python3 scripts/soak.py [--minutes 10]
"""

import os
import sys

from _environment import ROOT, Environment, run_script


def main() -> None:
    """Install what is missing, then become the soak."""
    environment = Environment()
    environment.ensure("test")
    os.chdir(ROOT)
    environment.run("-m", "tests.support.soak", *sys.argv[1:])


if __name__ == "__main__":
    run_script(main)
