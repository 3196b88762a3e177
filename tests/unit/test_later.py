"""What a start does not import is imported soon after, and then nothing is by any request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from tests.support.clocked import ClockedServer
from tracker.api import later

server = ClockedServer()
later.load()
before = set(sys.modules)
call = {"name": "start_task", "arguments": {"title": "x"}}
message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
assert server.http.get("/openapi.json").status_code == 200
assert server.http.post("/mcp", json=message).status_code == 200
print(*sorted(name for name in set(sys.modules) - before if name.startswith("tracker")))
server.stop()
"""


def test_no_request_imports_anything_of_ours() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr
