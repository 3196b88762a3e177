"""The suite where signals are ignored: under nohup, in CI's wrappers, in a script's background."""

from __future__ import annotations

import subprocess
import sys

from tests.support.markdown import ROOT
from tests.support.platforms import needs_posix

CHILD = "import signal; print(*(signal.getsignal(n).name for n in (1, 3)), signal.getsignal(2))"
STARTS_IT = f"""
import subprocess, sys
from tests.support.ignored_signals import keep_to_ourselves
keep_to_ourselves()
subprocess.run([sys.executable, "-I", "-S", "-c", {CHILD!r}])
"""


@needs_posix
def test_what_tests_start_heeds_them() -> None:
    nohup = ["sh", "-c", "trap '' HUP INT QUIT; exec \"$@\"", "sh"]
    done = subprocess.run(
        [*nohup, sys.executable, "-c", STARTS_IT], cwd=ROOT, capture_output=True, check=True
    )
    words = done.stdout.decode().split(maxsplit=2)
    assert words[:2] == ["SIG_DFL", "SIG_DFL"]
    assert "default_int_handler" in words[2]
