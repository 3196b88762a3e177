"""Clients that others' generators make of `/openapi.json`."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.server import Server

# The versions that docs/clients.md names: the newest that this Node runs.
NPM_PACKAGES = ("openapi-typescript@7.13", "openapi-fetch@0.17", "typescript@5.9")
NPM_SECONDS = 90


class PythonClient:
    """A package that openapi-python-client made."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def generate(cls, server: Server, folder: Path, name: str) -> PythonClient:
        """Make it in `folder`, which has to be where Python looks. A warning is an error: the
        generator leaves out what it does not understand."""
        config = folder / "generator.yaml"
        config.write_text("post_hooks: []\n")
        run(
            [
                *(sys.executable, "-m", "openapi_python_client", "generate"),
                *("--url", f"{server.url}/openapi.json", "--meta", "none", "--fail-on-warning"),
                *("--config", str(config), "--output-path", str(folder / name)),
            ],
            folder,
        )
        importlib.invalidate_caches()
        return cls(name)

    def module(self, name: str) -> ModuleType:
        """One of its modules."""
        return importlib.import_module(f"{self.name}.{name}")


def install_npm_packages(folder: Path, packages: Sequence[str] = NPM_PACKAGES) -> None:
    """Install `packages` into `folder`. Skips the test where there is no Node, or no registry."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs Node")
    command = [npm("npm"), "install", "--no-audit", "--no-fund", "--prefer-offline", "--silent"]
    try:
        done = subprocess.run(
            [*command, "--ignore-scripts", *packages],
            cwd=folder,
            env={**os.environ, "npm_config_fetch_retries": "0"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=NPM_SECONDS,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not get its packages within {NPM_SECONDS} s")
    if done.returncode:
        pytest.skip(f"npm cannot get its packages: {done.stderr.strip()[-300:]}")


def npm(name: str) -> str:
    """A command of Node's own: on Windows a script, which only its full name finds."""
    return shutil.which(name) or name


def run(command: Sequence[str], folder: Path, **variables: str) -> str:
    """What the command printed; fails with all of it, if it failed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_PROXY": "*", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-5_000:]}"
    return done.stdout
