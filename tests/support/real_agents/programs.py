"""The agents themselves, from npm, in a cache of the user's: `python -m
tests.support.real_agents.programs` installs what is missing, once for all checkouts. 1.3 GB, and
some forty seconds on a fast line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

# For all programs together, however slow the line is.
INSTALL_SECONDS = 120


class Program(NamedTuple):
    """An agent at npm. `path`: a pattern of what to run, in the folder it is installed to; none of
    them needs the scripts that npm would run."""

    package: str
    version: str
    path: str
    plugins: str = ""  # the package of the same version that its plugins need


PROGRAMS = {
    "claude-code": Program(
        "@anthropic-ai/claude-code", "2.1.332", "node_modules/@anthropic-ai/claude-code-*/claude"
    ),
    "codex": Program("@openai/codex", "0.171.0", "node_modules/@openai/codex-*/vendor/*/bin/codex"),
    "opencode": Program(
        "opencode-ai",
        "1.18.33",
        "node_modules/opencode-*/bin/opencode",
        "@opencode-ai/plugin",
    ),
    "gemini-cli": Program(
        "@google/gemini-cli", "0.61.0", "node_modules/@google/gemini-cli/bundle/gemini.js"
    ),
}


def cache() -> Path:
    """Where they are: TRACKER_AGENTS, else in the user's cache."""
    given = os.environ.get("TRACKER_AGENTS")
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(root, "agent-task-tracker", "agents")


def find(name: str) -> Path | None:
    """What to run; None: it is not installed."""
    program = PROGRAMS[name]
    return next(iter(sorted((cache() / f"{name}-{program.version}").glob(program.path))), None)


def install(name: str, seconds: float) -> str:
    """Install one; why that failed, or nothing."""
    program, folder = PROGRAMS[name], cache()
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as unfinished:
        wanted = {unfinished: program.package}
        if program.plugins:
            wanted[f"{unfinished}/plugins"] = program.plugins
        for place, package in wanted.items():
            failure = _npm(npm, Path(place), f"{package}@{program.version}", seconds)
            if failure:
                return failure
        if not list(Path(unfinished).glob(program.path)):
            return f"{program.package} has no program for this system"
        try:
            Path(unfinished).rename(folder / f"{name}-{program.version}")
        except OSError:
            if find(name) is None:  # not made meanwhile by another
                raise
        Path(unfinished).mkdir(exist_ok=True)  # what is removed at the end
    return ""


def _npm(npm: str, folder: Path, wanted: str, seconds: float) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", "--loglevel=error"]
    try:
        done = subprocess.run(
            [npm, "install", *options, wanted],
            check=False,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return f"npm took longer than {seconds:.0f} seconds"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["npm failed"])[0]
    return ""


def main() -> None:
    """Install what is missing; what cannot be is said, and its tests are skipped."""
    end = time.monotonic() + INSTALL_SECONDS
    for name, program in PROGRAMS.items():
        if find(name) is None:
            print(f"Installing {name} {program.version} (once) ...", file=sys.stderr)
            failure = install(name, max(end - time.monotonic(), 1))
            if failure:
                print(f"{name}: {failure}. Its tests will be skipped.", file=sys.stderr)


if __name__ == "__main__":
    main()
