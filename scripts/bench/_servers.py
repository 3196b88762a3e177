"""The servers that are measured, each a process pinned to a core."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
from _environment import ROOT, SetupError
from _load import KEY, post
from _machine import cpu_seconds, pinned

# The server of this checkout; in its place may stand the executable.
PACKAGE = (sys.executable, "-P", "-m", "tracker")

_FLOOR = Path(__file__).with_name("_floor.py")
_BOUND = Path(__file__).with_name("_bound.py")

# What runs in the background after a load (our search index, PocketBase's checkpoints) may not
# take time from the next server's run; no longer than this, in seconds.
_SETTLED_WITHIN = 30.0


class Server:
    """A running server; `post_to` is where it takes reports, as a URL."""

    def __init__(
        self, process: subprocess.Popen[bytes], url: str, post_to: str, pid: int | None = None
    ) -> None:
        self.process = process
        self.pid = pid or process.pid
        self.url = url
        self.post_to = url + post_to

    def cpu_seconds(self) -> float:
        """What it has used so far."""
        return cpu_seconds(self.pid)

    def settle(self) -> float:
        """Wait until it rests; the seconds of work it still had."""
        started = time.monotonic()
        before = first = self.cpu_seconds()
        while time.monotonic() - started < _SETTLED_WITHIN:
            time.sleep(0.6)  # the index by project begins after a round without many reports
            now = self.cpu_seconds()
            if now - before <= 0.01:
                break
            before = now
        return self.cpu_seconds() - first

    def request_json(self, path: str, body: Any = None, **headers: str) -> Any:
        """GET, or POST of JSON; the answer's JSON."""
        return json.loads(self.request(path, body, **headers).read())

    def request(self, path: str, body: Any = None, **headers: str) -> Any:
        """The same, as the response that came."""
        request = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"X-API-Key": KEY, "Content-Type": "application/json", **headers},
        )
        return urllib.request.urlopen(request, timeout=30)


def warm_up(server: Server, connections: int, seconds: int, core: int) -> None:
    """Fill caches and the WAL, and wake the processor, before anything is measured."""
    if seconds:
        post(server.post_to, connections, seconds, core).wait()
        server.settle()


@contextlib.contextmanager
def tracker(
    folder: Path, core: int | None, *flags: str, command: Sequence[str] = PACKAGE
) -> Iterator[Server]:
    """Ours, with everything on but the limits, and fsync."""
    ready = folder / "ready.json"
    arguments = [
        *("serve", "--port", "0"),
        *("--db", str(folder / "tracker.db"), "--ready-file", str(ready)),
        *("--rate-limit-webhook", "0", "--rate-limit-api", "0", "--rate-limit-agents", "0"),
        *("--ws-per-project", "0"),
        *("--durability", "full", "--log-level", "warning", *flags),
    ]
    with _running([*command, *arguments], folder, core, ready.exists) as process:
        content = json.loads(ready.read_text())
        # The executable in one file is two processes, of which the second is the server.
        yield Server(process, content["url"], "/webhook/start", content["pid"])


@contextlib.contextmanager
def floor(folder: Path, core: int, answer: dict[str, Any]) -> Iterator[Server]:
    """uvicorn alone, giving the same answer to everything: see _floor.py."""
    with _answering(_FLOOR, folder, core, answer) as server:
        yield server


@contextlib.contextmanager
def bound(folder: Path, core: int, answer: dict[str, Any]) -> Iterator[Server]:
    """The same, once the rows of a report are on disk: see _bound.py."""
    with _answering(_BOUND, folder, core, answer, str(folder / "bound.db")) as server:
        yield server


@contextlib.contextmanager
def _answering(
    script: Path, folder: Path, core: int, answer: dict[str, Any], *arguments: str
) -> Iterator[Server]:
    ready = folder / f"{script.stem}.ready"
    answer_file = folder / f"{script.stem}.json"
    answer_file.write_text(json.dumps(answer))
    command = [sys.executable, str(script), str(answer_file), str(ready), *arguments]
    with _running(command, folder, core, ready.exists) as process:
        yield Server(process, ready.read_text(), "/webhook/start")


@contextlib.contextmanager
def pocketbase(folder: Path, core: int) -> Iterator[Server]:
    """PocketBase with a collection like our tasks that anyone may add to.

    That is less than ours does: no key is checked, no second table written, and its SQLite does
    not fsync (synchronous=NORMAL).
    """
    program = find_pocketbase()
    assert program is not None
    account = {"identity": "bench@example.com", "password": "a-password-for-benchmarks"}
    data = ["--dir", str(folder / "pocketbase")]
    superuser = [program, "superuser", "upsert", *account.values(), *data]
    subprocess.run(superuser, check=True, stdout=subprocess.DEVNULL)
    address = f"127.0.0.1:{_free_port()}"

    def listens() -> bool:
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(f"http://{address}/api/health", timeout=5)
            return True
        return False

    command = [program, "serve", "--http", address, *data]
    with _running(command, folder, core, listens) as process:
        server = Server(process, f"http://{address}", "/api/collections/tasks/records")
        login = "/api/collections/_superusers/auth-with-password"
        token = server.request_json(login, account)["token"]
        server.request_json("/api/collections", _COLLECTION, Authorization=token)
        yield server


def find_pocketbase() -> str | None:
    """The program, from this environment or PATH."""
    beside = Path(sys.executable).with_name("pocketbase")
    return str(beside) if beside.exists() else shutil.which("pocketbase")


def last_event(database: Path) -> int:
    """The id of the newest event in the file, which is how many there are: none is deleted."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        count, last = connection.execute("SELECT count(*), coalesce(max(id), 0) FROM events").get
        assert count == last
        return int(last)
    finally:
        connection.close()


def answer_to_copy(server: Server) -> dict[str, Any]:
    """Our 201 with its headers, for the floor to give the same bytes."""
    body = {"project": "floor", "task": "Title", "task_id": "abcd-0-000000001", "agent": "a"}
    response = server.request("/webhook/start", body)
    own = ("date", "server", "content-length", "connection")  # uvicorn's
    headers = [pair for pair in response.headers.items() if pair[0].lower() not in own]
    return {"status": response.status, "headers": headers, "body": response.read().decode()}


@contextlib.contextmanager
def _running(
    command: list[str], folder: Path, core: int | None, is_ready: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"PYTHONPATH": str(ROOT), "API_KEY": KEY, "HOME": str(folder)}
    log = folder / "log.txt"
    with log.open("ab") as output, pinned(core):
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + 60
        while not is_ready():
            if process.poll() is not None or time.monotonic() > end:
                raise SetupError(f"{command} did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.005)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


_COLLECTION = {
    "name": "tasks",
    "type": "base",
    "createRule": "",  # open to all
    "fields": [
        {"name": "project", "type": "text", "required": True, "max": 255},
        {"name": "task", "type": "text", "required": True, "max": 1000},
        {"name": "task_id", "type": "text", "required": True, "max": 255},
        {"name": "agent", "type": "text", "required": True, "max": 255},
        {"name": "metadata", "type": "json"},
        {"name": "created", "type": "autodate", "onCreate": True},
    ],
    "indexes": ["CREATE UNIQUE INDEX tasks_by_id ON tasks (task_id, project)"],
}
