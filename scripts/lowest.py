"""Run tests with the oldest libraries that pyproject.toml allows: scripts/lowest.py [pytest's].

They go into an environment of their own, build/lowest. Without arguments: all tests that need no
browser and no agent's program.
"""

import os
import subprocess
import sys

from _environment import ROOT, Environment, log, run_script
from _python import MINIMUM, replace_process

FOLDER = ROOT / "build" / "lowest"
PYTHON = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OLDEST = FOLDER.with_suffix(".txt")
# anyio, which the tests' tools bring, is an old one here too, whose plugin a new pytest warns of.
PYTEST = ("-m", "pytest", "-p", "no:anyio")
ALL = ("-n", "auto", "-m", "not browser and not agents and not soak")


def main() -> None:
    """Have uv choose and install them, then become pytest."""
    environment = Environment()
    environment.ensure("lock")

    def uv(*command: str) -> None:
        subprocess.run(
            [str(environment.python), "-m", "uv", *command, "--quiet", "--no-config"],
            check=True,
            cwd=ROOT,
        )

    log(f"Installing the oldest libraries into {FOLDER.relative_to(ROOT)} ...")
    FOLDER.parent.mkdir(exist_ok=True)
    oldest = ("--resolution", "lowest-direct", "--python-version", "{}.{}".format(*MINIMUM))
    uv("pip", "compile", *oldest, "pyproject.toml", "--output-file", str(OLDEST))
    uv("venv", "--clear", "--python", str(environment.python), str(FOLDER))
    into = ("--python", str(PYTHON), "--constraint", str(OLDEST))
    uv("pip", "install", *into, "--editable", ".", "--group", "test")
    os.chdir(ROOT)
    replace_process([str(PYTHON), *PYTEST, *(sys.argv[1:] or ALL)])


if __name__ == "__main__":
    run_script(main)
