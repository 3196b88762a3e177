"""Jobs that report by the SDK, each a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.cli import package_environment
from tests.support.server import KEY

_SECONDS = 60


class Ended(NamedTuple):
    """How a job ended."""

    code: int
    stdout: str
    stderr: str


def variables(url: str, folder: Path, key: str = KEY, **more: str) -> dict[str, str]:
    """The environment of a job that reports there, its spool in `folder`/spool."""
    return package_environment(
        folder,
        **{
            **{"TRACKER_URL": url, "API_KEY": key, "TRACKER_SPOOL": str(folder / "spool")},
            **{"TRACKER_PROJECT": "jobs", "TRACKER_AGENT": "job", "PYTHONDONTWRITEBYTECODE": "1"},
            **more,
        },
    )


def start(script: str, url: str, folder: Path, **options: Any) -> subprocess.Popen[str]:
    """Start a job. `options`: see `variables`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "job.py"
    path.write_text(script, encoding="utf-8")
    before: Callable[[], object] | None = options.pop("before", None)
    return subprocess.Popen(
        [sys.executable, str(path)],
        cwd=folder,
        env=variables(url, folder, **options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509 - a limit of the system, set by one call
    )


def run(script: str, url: str, folder: Path, **options: Any) -> Ended:
    """Run a job to its end."""
    with start(script, url, folder, **options) as process:
        stdout, stderr = process.communicate(timeout=_SECONDS)
        return Ended(process.returncode, stdout, stderr)
