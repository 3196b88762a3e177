"""A hook that is killed at any of its steps: what is in the spool is whole, and what was told is
recorded once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import package_environment
from tests.support.hooks import EVENT, HANGS, Home, HookServer
from tests.support.platforms import needs_posix
from tests.support.reporting import files
from tests.support.server import wait_for

pytestmark = needs_posix

# A hook that is killed before its nth call of the system; without a number it writes how many
# there are to a file.
_HOOK = """
import _socket, json, os, signal, sys
from agent_task_tracker.hook import background, event, sending
from agent_task_tracker.hook.command import main

limit, seen, leave = int(sys.argv[1]), [], os._exit

def point(what):
    seen.append(what)
    if len(seen) == limit:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(name):
    call = getattr(os, name)
    def wrapped(*arguments, **named):
        point(name)
        return call(*arguments, **named)
    setattr(os, name, wrapped)

class Socket(_socket.socket):
    def connect(self, address):
        point("connect")
        super().connect(address)
    def sendall(self, data):
        point("sendall")
        super().sendall(data)
    def recv(self, size):
        point("recv")
        return super().recv(size)

def end(code):
    if not limit:
        with open(sys.argv[2], "w") as out:
            json.dump(seen, out)
    leave(code)

for name in ("open", "write", "replace", "unlink", "mkdir", "scandir", "fork", "read"):
    counted(name)
_socket.socket = Socket
os._exit = end
main(["claude-code"])
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.end()


def killed(home: Home, number: int) -> int:
    """Run a hook that dies before that step; its exit code."""
    done = subprocess.run(
        [sys.executable, "-c", _HOOK, str(number), str(home.folder / "steps")],
        input=json.dumps({**EVENT, "prompt": str(number)}).encode(),
        env={**package_environment(home.folder), **home.variables},
        capture_output=True,
        timeout=HANGS,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    return done.returncode


def test_killed_at_any_step(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url)
        assert home.hook().returncode == 0  # makes the folders
        assert killed(home, 0) == 0
        steps = json.loads((home.folder / "steps").read_bytes())
        assert {"replace", "connect", "sendall", "recv", "unlink"} <= set(steps)
        kept = set()
        for number in range(1, len(steps) + 1):
            before = len(server.got)
            assert killed(home, number) == -9, steps[number - 1]
            waiting = home.waiting  # whole, or this fails
            kept |= {report["payload"]["prompt"] for report in waiting}
            if steps.index("replace") + 1 < number:
                assert waiting or len(server.got) > before, "kept, or with the server"
            # Whoever comes next tells it.
            assert home.hook({**EVENT, "prompt": f"after {number}"}).returncode == 0
            wait_for(lambda: not home.waiting, 30)
        assert kept, "some were killed between keeping and sending"
        prompts = [got.body["prompt"] for got in server.recorded]
    assert len(prompts) == len(set(prompts)), "each once"
    told = {prompt for prompt in prompts if prompt.isdecimal()}
    kept_at = steps.index("replace") + 2
    assert {str(number) for number in range(kept_at, len(steps) + 1)} <= told
    assert files(home.spool) == []
