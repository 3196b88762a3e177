"""The agents themselves, from npm, in a cache of the user's: `python -m
tests.support.real_agents.programs` installs what is missing, once for all checkouts. 1.3 GB, and
some forty seconds on a fast line.
"""

from __future__ import annotations

import hashlib
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


# Of PyPI: frameworks to build agents with, and what instruments those that do not do so themselves.
FRAMEWORKS = (
    *("pydantic-ai-slim[openai]==2.68.0", "opentelemetry-exporter-otlp-proto-http==1.45.2"),
    *("openai-agents==0.24.0", "openinference-instrumentation-openai-agents==2.6.0"),
    *(
        "langgraph==1.2.24",
        *("langchain==1.5.2", "langchain-openai==1.7.4"),
        "openinference-instrumentation-langchain==0.1.80",
    ),
    *("smolagents[openai]==1.26.0", "openinference-instrumentation-smolagents==0.1.43"),
)


def _frameworks_folder() -> Path:
    digest = hashlib.sha256(repr((FRAMEWORKS, sys.version_info[:2])).encode()).hexdigest()
    return cache() / f"frameworks-{digest[:12]}"


def frameworks_python() -> Path | None:
    """The Python that has them all; None: they are not installed."""
    python = _frameworks_folder() / "bin" / "python"
    return python if (python.parent / "installed").is_file() else None


def install_frameworks(seconds: float) -> str:
    """Install them all; why that failed, or nothing."""
    folder = _frameworks_folder()
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *FRAMEWORKS]
    try:
        for command in ([sys.executable, "-m", "venv", "--clear", folder], pip):
            subprocess.run(
                command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds
            )
    except subprocess.TimeoutExpired:
        return f"pip took longer than {seconds:.0f} seconds"
    except subprocess.CalledProcessError as error:
        return str(error)
    (python.parent / "installed").touch()
    return ""


def main() -> None:
    """Install what is missing; what cannot be is said, and its tests are skipped."""
    end = time.monotonic() + INSTALL_SECONDS
    if frameworks_python() is None and os.name != "nt":
        print("Installing frameworks for agents (once) ...", file=sys.stderr)
        failure = install_frameworks(INSTALL_SECONDS)
        if failure:
            print(f"Frameworks: {failure}. Their tests will be skipped.", file=sys.stderr)
    for name, program in PROGRAMS.items():
        if find(name) is None:
            print(f"Installing {name} {program.version} (once) ...", file=sys.stderr)
            failure = install(name, max(end - time.monotonic(), 1))
            if failure:
                print(f"{name}: {failure}. Its tests will be skipped.", file=sys.stderr)


if __name__ == "__main__":
    main()
