"""Importing this restarts the script in the checkout's .venv, with what the benchmarks need.

Import it first. Has to parse on every Python 3, as the scripts that import it have to. In a virtual
environment of your own nothing is installed; what it lacks is not measured.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _environment import ROOT, Environment, run_script


def _restart_in_venv():
    environment = Environment()
    environment.ensure("bench")
    environment.run(*sys.argv)


if sys.prefix == sys.base_prefix:
    run_script(_restart_in_venv)

sys.path.insert(0, str(ROOT))  # the tracker of this checkout, whatever else is installed
