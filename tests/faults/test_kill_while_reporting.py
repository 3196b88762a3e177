"""A job that is killed at any step of handing over or delivering: what it had handed over is
recorded, once and in order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import package_environment
from tests.support.platforms import needs_posix
from tests.support.reporting import all_events, deliver, files, found
from tests.support.server import KEY, Server

pytestmark = needs_posix

# The reports of a trial, and a process for each that is killed before the nth step of its own. The
# call that hands over a report has returned once its number is in the file "handed".
_TRIALS = """
import json, os, signal, socket, sys
from pathlib import Path
from agent_task_tracker.credentials import ExplicitKey
from agent_task_tracker.finding import Found
from agent_task_tracker.reporter import Reporter
from agent_task_tracker.spool import Spool
import agent_task_tracker.bounded, threading, ssl, select

url, key, trials, close = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4] == "close"
limit, seen = 0, []

def point(what):
    seen.append(what)
    if len(seen) == limit:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(owner, name):
    call = getattr(owner, name)
    def wrapped(*arguments, **named):
        point(name)
        return call(*arguments, **named)
    setattr(owner, name, wrapped)

def trial(number):
    global limit
    folder = trials / str(number)
    folder.mkdir(parents=True)
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), folder
    limit = number
    handed = os.open(folder / "handed", os.O_CREAT | os.O_WRONLY)
    write = os.write
    reports = Reporter(lambda: Found(url, ExplicitKey(key)), Spool(folder / "spool"))
    for name in ("open", "write", "replace", "unlink", "ftruncate", "lseek"):
        counted(os, name)
    counted(socket.socket, "sendall")
    counted(socket.socket, "connect")
    names = {"project": f"{trials.name} {number}", "task_id": "t", "task": "T", "agent": "a"}
    for count in range(4):
        kind = ("start", "status", "status", "finish")[count]
        fields = {"message": f"row {count}"} if kind == "status" else {}
        reports.report(kind, {**names, **fields})
        write(handed, b".")
    if close:
        reports.close()
    Path(folder / "steps").write_text(json.dumps(seen))
    os._exit(0)

code, folder = trial(0)
assert code == 0, code
steps = json.loads((folder / "steps").read_text()) if close else ["?"] * 12
found = [trial(number) for number in range(1, len(steps) + 1)]
print(json.dumps([[code, str(folder)] for code, folder in found]))
"""


def trials(url: str, folder: Path, how: str) -> list[tuple[int, Path]]:
    done = subprocess.run(
        [sys.executable, "-c", _TRIALS, url, KEY, str(folder), how],
        check=False,
        env=package_environment(folder.parent),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return [(code, Path(name)) for code, name in json.loads(done.stdout)]


@pytest.mark.parametrize("how", ["close", "exit"])
@pytest.mark.parametrize("is_there", [True, False], ids=["server", "no server"])
def test_nothing_is_lost_and_nothing_doubled(
    shared_server: Server, tmp_path: Path, *, is_there: bool, how: str
) -> None:
    """`exit`: `os._exit` right after the last report, at whatever step the thread is."""
    url = shared_server.url if is_there else "http://127.0.0.1:9"
    name = f"kill {is_there} {how}"
    done = trials(url, tmp_path / name, how)
    assert len(done) >= 12
    assert how == "exit" or sum(code == -9 for code, _ in done) >= len(done) * 3 / 4
    for _, folder in done:
        handed = len((folder / "handed").read_bytes())
        spool = folder / "spool"
        deliver(found(url), spool)
        for path in files(spool):  # where nobody listened: for our server now
            target = spool / found(shared_server.url).destinations()[0].folder_name
            target.mkdir(exist_ok=True)
            port = shared_server.ready["port"]
            content = path.read_bytes().replace(b'localhost:9"', f'localhost:{port}"'.encode())
            (target / path.name).write_bytes(content)
        deliver(found(shared_server.url), spool)
        events = all_events(shared_server, f"{name} {folder.name}")
        told = [event["data"].get("message") or event["type"] for event in events]
        whole = ["task_started", "row 1", "row 2", "task_finished"]
        # The report that was being handed over may be there, or not.
        assert told in (whole[:handed], whole[: handed + 1]), folder
