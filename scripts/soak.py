"""Break everything at once and look for losses: python3 scripts/soak.py [--minutes 10]."""

import sys

from _environment import Environment, run_script


def main() -> None:
    """Install what is missing, then become the soak."""
    environment = Environment()
    environment.ensure("test")
    environment.run("-m", "tests.support.soak", *sys.argv[1:])


if __name__ == "__main__":
    run_script(main)
