"""The server under test: started, used and stopped as by a user."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote as percent_encode

import httpx

from tests.support.processes import Process, interpreter_environment

T = TypeVar("T")

# The signal to stop a server. On Windows any other signal than Ctrl-Break, which goes to a whole
# process group, kills the process.
IS_WINDOWS = sys.platform == "win32"
STOP = signal.CTRL_BREAK_EVENT if IS_WINDOWS else signal.SIGTERM
GROUP = subprocess.CREATE_NEW_PROCESS_GROUP if IS_WINDOWS else 0

KEY = "test-key-of-the-suite"
WITHOUT_LIMITS = (
    *("--rate-limit-webhook", "0", "--rate-limit-api", "0", "--rate-limit-agents", "0"),
)

# The command under test: `python -m tracker`, or what TRACKER_COMMAND says (the built executable).
COMMAND = shlex.split(os.environ.get("TRACKER_COMMAND", "")) or [sys.executable, "-m", "tracker"]


def environment(home: Path, **variables: str) -> dict[str, str]:
    """A user's environment without any setting of ours in it."""
    kept = ["SYSTEMROOT", "TMPDIR", "TEMP"]
    basic = interpreter_environment()
    if "TRACKER_COMMAND" in os.environ:  # the executable needs nothing of these
        del basic["PYTHONPATH"]
    else:
        kept.append("PATH")
    basic |= {name: os.environ[name] for name in kept if name in os.environ}
    return {**basic, "HOME": str(home), "USERPROFILE": str(home), **variables}


def wait_for(condition: Callable[[], T | None], seconds: float = 10.0, what: str = "") -> T:
    """The condition's first true value. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.01)  # the polling interval


@dataclass
class Server:
    """A running server. `url` is where it listens, `http` a client with the key."""

    folder: Path
    process: subprocess.Popen[str]
    ready: dict[str, Any]
    flags: tuple[str, ...]
    variables: Mapping[str, str]
    http: httpx.Client = field(repr=False)
    trust: ssl.SSLContext | None = None  # of its clients, if it speaks TLS

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    @property
    def pid(self) -> int:
        """The server's own process: around the executable in one file there is another."""
        return int(self.ready["pid"])

    @property
    def database(self) -> Path:
        return self.folder / "tracker.db"

    @property
    def kept_key(self) -> str:
        """The API key that it made and keeps beside its database."""
        return Path(f"{self.database}.api-key").read_text(encoding="utf-8").strip()

    @property
    def log(self) -> str:
        """What it wrote to standard error so far."""
        return (self.folder / "stderr.txt").read_text(encoding="utf-8")

    @property
    def memory(self) -> int:
        """Resident memory in bytes; 0 where it cannot be read."""
        status = Path(f"/proc/{self.process.pid}/status")
        resident = re.search(
            r"^VmRSS:\s*(\d+) kB", status.read_text() if status.exists() else "", re.M
        )
        return int(resident[1]) * 1024 if resident else 0

    @classmethod
    def start(
        cls,
        folder: Path,
        *flags: str,
        key: str | None = KEY,
        limits: bool = False,
        db: str | None = None,
        variables: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
        fork: bool = True,
    ) -> Server:
        """Start `tracker serve` on a free port, its database in `folder`, and wait until it is
        ready. `key` None: the server makes one. `limits`: keep the default rate limits.
        `command`: in place of `tracker`. `fork`: see `tests.support.processes`."""
        folder.mkdir(parents=True, exist_ok=True)
        ready_file = folder / "ready.json"
        ready_file.unlink(missing_ok=True)
        arguments = [
            *("serve", "--port", "0", "--db", db or str(folder / "tracker.db")),
            *("--ready-file", str(ready_file)),
            *(() if limits else WITHOUT_LIMITS),
            *flags,
        ]
        given = {**({"API_KEY": key} if key else {}), **(variables or {})}
        with (folder / "stderr.txt").open("a", encoding="utf-8") as stderr:
            process = Process(
                [*command, *arguments],
                fork=fork,
                cwd=folder,
                env=environment(folder, **given),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                text=True,
                creationflags=GROUP,
            )

        def is_ready() -> bool:
            if process.poll() is not None:
                log = (folder / "stderr.txt").read_text(encoding="utf-8")
                raise AssertionError(f"exit code {process.returncode}:\n{log}")
            return ready_file.exists()

        wait_for(is_ready, 20, "the ready file")
        ready = json.loads(ready_file.read_text(encoding="utf-8"))
        trust = None
        if "--tls-cert" in flags:
            trust = ssl.create_default_context(cafile=flags[flags.index("--tls-cert") + 1])
        http = httpx.Client(
            base_url=ready["url"],
            headers={"X-API-Key": key or ""},
            timeout=20,
            trust_env=False,
            verify=trust or False,  # without TLS: reading the system's certificates takes time
        )
        return cls(folder, process, ready, flags, given, http, trust)

    def report(
        self, kind: str, project: str, task_id: str = "task-1", **fields: Any
    ) -> httpx.Response:
        """Send one webhook with the required fields filled in."""
        body = {
            "project": project,
            "task": "Title",
            "task_id": task_id,
            "agent": "agent-1",
            **({"error_type": "E", "error_message": "failed"} if kind == "error" else {}),
            **fields,
        }
        return self.http.post(f"/webhook/{kind}", json=body)

    def task(self, project: str, task_id: str = "task-1") -> dict[str, Any]:
        """The task with its history."""
        answer = self.http.get(f"/api/projects/{quote(project)}/tasks/{quote(task_id)}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def stop(self, signal_: int = STOP, seconds: float = 15) -> int:
        """Stop it, if it runs; its exit code."""
        self.http.close()
        if self.process.poll() is None:
            if signal_ == getattr(signal, "SIGKILL", None):  # the outer process cannot forward it
                os.kill(self.pid, signal_)
            else:
                self.process.send_signal(signal_)
        return self.process.wait(seconds)


def quote(name: str) -> str:
    """A name as one segment of a path."""
    return percent_encode(name, safe="")
