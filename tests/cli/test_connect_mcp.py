"""`tracker connect --mcp`: the agent's own program writes it down."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.connecting import Home
from tests.support.platforms import needs_posix

pytestmark = needs_posix

# Keeps what it was told, and its configuration as the real one does.
CLAUDE = """#!/bin/sh
echo "$*" >> "$HOME/told"
case "$*" in
  *broken*) echo 'Error: \033[31mno\033[0m' >&2; exit 1 ;;
  "mcp add"*) echo '{"mcpServers": {"agent-task-tracker": {}}}' > "$HOME/.claude.json" ;;
  "mcp remove"*) echo '{}' > "$HOME/.claude.json" ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(CLAUDE)
    program.chmod(0o755)
    return home


def variables(home: Home) -> dict[str, str]:
    return {"PATH": f"{home.path.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def told(home: Home) -> list[str]:
    file = home.path / "told"
    return (
        [line.split(" -- ")[0] for line in file.read_text().splitlines()] if file.exists() else []
    )


ADD = "mcp add --scope user agent-task-tracker"
REMOVE = "mcp remove --scope user agent-task-tracker"


def test_in_and_out_again(home: Home) -> None:
    given = variables(home)
    assert ADD in home.connect("claude-code", "--mcp", "--dry-run", **given)
    assert told(home) == []
    home.connect("claude-code", "--mcp", **given)
    assert told(home) == [ADD]
    home.connect("claude-code", "--mcp", **given)  # the executable may have moved
    assert told(home) == [ADD, REMOVE, ADD]
    assert not home.ledger.exists()  # no key is needed
    home.disconnect("claude-code", "--mcp", **given)
    home.disconnect("claude-code", "--mcp", **given)
    assert told(home) == [ADD, REMOVE, ADD, REMOVE]


def test_uninstall_takes_it_out(home: Home) -> None:
    given = variables(home)
    home.connect("claude-code", "--mcp", **given)
    done = home.run("uninstall", "--yes", **given)
    assert done.returncode == 0, done.stderr
    assert told(home) == [ADD, REMOVE]


def test_uninstall_says_what_it_cannot_take_out(home: Home) -> None:
    home.connect("claude-code", "--mcp", **variables(home))
    done = home.run("uninstall", "--yes", PATH="/nowhere")
    assert done.returncode == 1
    assert b"Claude Code is not on PATH" in done.stderr


def test_a_path_is_not_the_name(home: Home) -> None:
    file = home.path / ".claude.json"
    file.write_text('{"projects": {"/src/agent-task-tracker": {}}, "last": "agent-task-tracker"}')
    home.disconnect("claude-code", "--mcp", **variables(home))
    assert told(home) == []


def test_what_a_program_leaves_running_is_not_waited_for(home: Home) -> None:
    program = home.path.parent / "bin" / "claude"
    left = home.path.parent / "left"
    program.write_text(f'{CLAUDE}\nsleep 300 &\necho $! > "{left}"\n')
    try:
        home.connect("claude-code", "--mcp", **variables(home))
        assert is_running(int(left.read_text()))
    finally:
        os.kill(int(left.read_text()), signal.SIGKILL)


def test_what_cannot_be_done_is_said(home: Home) -> None:
    given = variables(home)
    assert "by hand" in home.connect("aider", "--mcp", code=78, **given)
    assert "not on PATH" in home.connect("claude-code", "--mcp", code=78, PATH="/nowhere")
    assert "--mcp is for the user" in home.connect(
        "claude-code", "--mcp", "--project", code=2, **given
    )
    home.connect("claude-code", "--mcp", **given)
    program = home.path.parent / "bin" / "claude"
    program.write_text("#!/bin/sh\n")
    assert "it has it still" in home.disconnect("claude-code", "--mcp", code=78, **given)
    program.write_text(CLAUDE.replace("*broken*", "*"))
    said = home.connect("claude-code", "--mcp", code=78, **given)
    assert "did not take it: Error:" in said
    assert "\033" not in said
