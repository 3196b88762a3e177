"""Picture every view of the dashboard: python3 scripts/screenshots.py [FOLDER] [--readme].

At five widths, in both themes and languages, from weeks of a simulated team's work; then says how
fast the page is. FOLDER is build/screenshots if left out. --readme makes the pictures of the README
anew instead, in docs/images.
"""

import argparse
import os
import sys

from _environment import ROOT, Environment, run_script
from test import provide_chromium  # scripts/test.py


def main() -> None:
    """Install what is missing, then become the script that takes them."""
    summary, _, more = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(description=summary, epilog=more)
    parser.add_argument("folder", nargs="?", help="build/screenshots if left out")
    parser.add_argument("--readme", action="store_true", help="the README's pictures instead")
    parser.parse_args()
    environment = Environment()
    environment.ensure("test")
    os.environ["TRACKER_CHROMIUM"] = provide_chromium(environment)
    environment.run(str(ROOT / "scripts" / "_screenshots.py"), *sys.argv[1:])


if __name__ == "__main__":
    run_script(main)
