"""A user's home with agents in it, and the commands that connect them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.cli import run
from tests.support.server import Server

AGENTS = (
    *("claude-code", "codex", "opencode", "gemini-cli", "copilot", "cursor", "qwen-code"),
    *("cline", "goose", "aider"),
)


class Home:
    """One user's. `server` is the one that their variables lead to."""

    def __init__(self, path: Path, server: Server | None = None) -> None:
        self.path = path
        self.server = server
        path.mkdir(parents=True, exist_ok=True)
        self.ledger = path / ".config" / "agent-task-tracker" / "connections.json"

    def run(
        self, *arguments: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command of ours."""
        given = {"HOME": str(self.path), "USERPROFILE": str(self.path), **variables}
        return run(*arguments, home=cwd or self.path, server=self.server, variables=given)

    def connect(
        self, agent: str, *flags: str, code: int = 0, cwd: Path | None = None, **variables: str
    ) -> str:
        """Connect an agent; what that said."""
        done = self.run("connect", agent, "--anyway", *flags, cwd=cwd, **variables)
        assert done.returncode == code, (done.stdout, done.stderr)
        return (done.stdout + done.stderr).decode()

    def disconnect(self, agent: str, *flags: str, code: int = 0, **variables: str) -> str:
        """Disconnect it; what that said."""
        done = self.run("disconnect", agent, *flags, **variables)
        assert done.returncode == code, (done.stdout, done.stderr)
        return (done.stdout + done.stderr).decode()

    def connection(self, agent: str) -> dict[str, Any]:
        """What is kept of an agent's connection."""
        return dict(json.loads(self.ledger.read_text())["connections"][agent])

    def to_revoke(self) -> list[str]:
        """The names of the keys that wait to be revoked."""
        told = json.loads(self.run("agents", "--json").stdout)["to_revoke"]
        return [item["key_name"] for item in told]

    def agents(self, *flags: str, **variables: str) -> dict[str, dict[str, Any]]:
        """What `tracker agents` tells of each."""
        done = self.run("agents", "--json", *flags, **variables)
        return {one["agent"]: one for one in json.loads(done.stdout)["agents"]}

    def files(self) -> Mapping[str, bytes | str]:
        """All that is in it, but for what is the tracker's own."""
        found: dict[str, bytes | str] = {}
        for path in sorted(self.path.rglob("*")):
            name = str(path.relative_to(self.path))
            if name.startswith((".config/agent-task-tracker", ".local")) or name == ".config":
                continue
            if path.is_symlink():
                found[name] = f"-> {path.readlink()}"
            elif path.is_dir():
                found[name] = "folder"
            else:
                found[name] = path.read_bytes()
        return found


def commands_in(path: Path) -> list[str]:
    """Every command in a file of hooks."""

    def walk(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value[key] for key in ("command", "bash") if isinstance(value.get(key), str)]
            return own + [found for inner in value.values() for found in walk(inner)]
        return (
            [found for inner in value for found in walk(inner)] if isinstance(value, list) else []
        )

    return walk(json.loads(path.read_text(encoding="utf-8-sig")))
