"""Build the executable and test it as users get it: python3 scripts/test_executable.py [--built].

Runs black-box tests of the package against dist/tracker and dist/tracker-dir/, each from a path
with spaces and letters beyond ASCII, without Python on its PATH and with an empty home directory.
--built: what scripts/build.py has built is tested as it is. Options of pytest may follow.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _environment import ROOT, log, run_script
from build import IN_FOLDER, ONE_FILE

# One file is what most people download. The folder holds the same program and starts faster, so
# that is where the commands are tested, each of which is a start.
TESTS = (
    "tests/cli/test_executable.py",
    "tests/docs/test_document.py",
    "tests/faults/test_faults.py",
    "tests/cli/test_ephemeral.py",
    "tests/web/test_docs_pages.py",
    "tests/web/test_dashboard_files.py",
    "tests/web/test_dashboard_live.py",
)
TESTS_OF_FOLDER = (
    "tests/cli/test_executable.py",
    "tests/cli/test_cli.py",
    "tests/cli/test_backup.py",
    "tests/cli/test_doctor.py",
    "tests/cli/test_export.py",
    "tests/cli/test_prune.py",
)

BUILT = "--built"


def test(program: Path, tests: tuple[str, ...]) -> int:
    """Run the tests against a program; returns pytest's exit code."""
    log(f"== {program.relative_to(ROOT)}")
    options = [option for option in sys.argv[1:] if option != BUILT]
    with tempfile.TemporaryDirectory(prefix="with spaces и буквы ") as folder:
        if program == ONE_FILE:
            command = Path(shutil.copy2(program, folder))
        else:
            command = Path(shutil.copytree(program.parent, Path(folder) / "dir")) / program.name
        return subprocess.call(
            [sys.executable, str(ROOT / "scripts" / "test.py"), *options, *tests],
            env={**os.environ, "TRACKER_COMMAND": shlex.quote(command.as_posix())},
        )


def main() -> None:
    """Build, then test both forms."""
    build = [sys.executable, str(ROOT / "scripts" / "build.py"), "--no-archives"]
    status = 0 if BUILT in sys.argv[1:] else subprocess.call(build)
    if not status:
        status = test(ONE_FILE, TESTS) or test(IN_FOLDER, TESTS_OF_FOLDER)
    sys.exit(status)


if __name__ == "__main__":
    run_script(main)
