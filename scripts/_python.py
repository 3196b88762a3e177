"""Ensure that the scripts beside this file run on a new enough Python.

Entry scripts, and what they import before this file, have to parse on every Python 3 (no match, no
walrus, no postponed annotations).
"""

import os
import shutil
import signal
import subprocess
import sys

MINIMUM = (3, 11)
TRIED_ON_PATH = ("python3.14", "python3.13", "python3.12", "python3.11")


def replace_process(command):
    """Replace this process by `command`, with its signals and its exit code."""
    if os.name != "nt":
        os.execv(command[0], command)
    # Windows has no exec. The console sends Ctrl-C to the child too, which handles it.
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(subprocess.call(command))


def require_python(version, search_path=None):
    """Return if `version` is new enough; else start again with a newer Python of PATH, or exit."""
    if tuple(version[:2]) >= MINIMUM:
        return
    for name in TRIED_ON_PATH:
        newer = shutil.which(name, path=search_path)
        # A name on PATH may be a version manager's shim that has no Python behind it.
        probe = [newer, "-c", "import ensurepip, venv"]
        if newer and not subprocess.call(probe, stderr=subprocess.DEVNULL):
            replace_process([newer, *sys.argv])
    sys.exit(
        "Python {}.{} or newer is needed, this is {}.{}: start the script with a newer one.".format(
            *MINIMUM, *version[:2]
        )
    )


require_python(sys.version_info)
