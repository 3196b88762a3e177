"""Build the dashboard of this checkout: python3 scripts/dashboard.py.

tracker/web/app becomes tracker/web/built, by esbuild, unless that is as new. Node is this
machine's, or else comes from PyPI into .venv. The other scripts do this by themselves, and so does
what makes a wheel (scripts/hatch_build.py). With --tools what checks and tests it is installed too.
"""

import sys

from _environment import Environment, run_script

if __name__ == "__main__":
    run_script(lambda: Environment().ensure(tools="--tools" in sys.argv[1:]))
