"""`tracker mcp` as a server of an agent's. The agent's own program writes that down: it knows its
configuration best, and some change it all the time. No key stands there (docs/agents/mcp.md)."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tracker.agents.connect.base import Agent, Place
from tracker.agents.connect.programs import find_program
from tracker.errors import ConfigError
from tracker.text import printable

NAME: Final = "agent-task-tracker"

# As a name in JSON or TOML: paths have it too, of the program and of its repository.
_NAMED: Final = re.compile(rf'"{NAME}"\s*:|\[mcp_servers\."?{NAME}"?[.\]]'.encode())

# Bytes of what a program says last.
_MOST_SAID: Final = 4096

# Seconds: some of these programs take several to start.
_SECONDS: Final = 60.0


class _Words(NamedTuple):
    """What the program is told; `remove` empty: it has no such command. `files`: in which of the
    agent's folder it writes it."""

    add: tuple[str, ...]
    remove: tuple[str, ...]
    files: tuple[str, ...]


_WORDS: Final[Mapping[str, _Words]] = {
    "claude-code": _Words(
        ("mcp", "add", "--scope", "user", NAME, "--"),
        ("mcp", "remove", "--scope", "user", NAME),
        (".claude.json",),
    ),
    "codex": _Words(("mcp", "add", NAME, "--"), ("mcp", "remove", NAME), ("config.toml",)),
    "gemini-cli": _Words(
        ("mcp", "add", "--scope", "user", NAME),
        ("mcp", "remove", "--scope", "user", NAME),
        ("settings.json",),
    ),
    "opencode": _Words(("mcp", "add", NAME, "--"), (), ("opencode.jsonc", "opencode.json")),
}


class McpRegistration:
    """Of one agent, for its user."""

    def __init__(self, agent: Agent, place: Place) -> None:
        """Raises ConfigError: no program of its does this."""
        self._agent = agent
        self._place = place
        words = _WORDS.get(agent.name)
        if words is None:
            raise ConfigError(
                f"{agent.title} has to be told by hand: its MCP server {NAME} runs `tracker mcp`; "
                f"known are {', '.join(_WORDS)}"
            )
        self._words = words

    def command(self, executable: Path) -> list[str]:
        """What adds it. Raises ConfigError."""
        return [self._program(), *self._words.add, str(executable), "mcp"]

    def add(self, executable: Path) -> None:
        """Add it, in place of one of this name. Raises ConfigError."""
        if self._words.remove and self.is_there:
            self._run([self._program(), *self._words.remove])
        failure = self._run(self.command(executable))
        if failure:
            raise ConfigError(f"{self._agent.title} did not take it: {failure}")

    def remove(self) -> None:
        """Take it out, if it is there. Raises ConfigError."""
        if not self.is_there:
            return
        if not self._words.remove:
            raise ConfigError(
                f"{self._files[0].parent}: {self._agent.title} has no command that takes an "
                f"MCP server out; remove {NAME} by hand"
            )
        failure = self._run([self._program(), *self._words.remove])
        if not failure and self.is_there:
            failure = "it has it still"
        if failure:
            raise ConfigError(f"{self._agent.title} did not take it out: {failure}")

    @property
    def is_there(self) -> bool:
        """Whether the agent's configuration has that name."""
        return any(_NAMED.search(_content(file)) for file in self._files)

    @property
    def _files(self) -> list[Path]:
        folder = self._agent.folder(self._place)
        if self._agent.name == "claude-code" and "CLAUDE_CONFIG_DIR" not in self._place.environment:
            folder = self._place.home
        return [folder / name for name in self._words.files]

    def _program(self) -> str:
        program = find_program(self._agent, self._place)
        if program is None:
            raise ConfigError(
                f"{self._agent.title} is not on PATH, and only it adds the MCP server {NAME} or "
                "takes it out"
            )
        return program

    def _run(self, command: list[str]) -> str:
        """Why it failed, or nothing."""
        # Not a pipe: that ends with all who hold it, such as what the program leaves running.
        with tempfile.TemporaryFile() as said:
            try:
                done = subprocess.run(  # noqa: S603 - what the user starts by that name
                    command,
                    check=False,
                    cwd=self._place.home,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    timeout=_SECONDS,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                return str(error)
            said.seek(max(0, said.seek(0, os.SEEK_END) - _MOST_SAID))
            text = said.read().decode(errors="replace")
        lines = text.split("\n") if done.returncode else []
        last = next((line for line in reversed(lines) if line.strip()), "")
        return printable(last.strip()) or (f"exit code {done.returncode}" if lines else "")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # there is none, so nothing of ours either
        return b""
