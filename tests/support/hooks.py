"""Hooks as agents run them, and a server that takes what they tell."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent_task_tracker import connections
from agent_task_tracker.keys import checksum
from agent_task_tracker.proof import prove, secret_of
from tests.support.reporting import files
from tests.support.server import environment, wait_for
from tests.support.trap import Trap, reply

_SECRET: Final = "att_" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
KEY: Final = _SECRET + checksum(_SECRET)

# Far more than a hook takes on the busiest machine; one that hangs takes for ever.
HANGS: Final = 20.0

EVENT: Final[dict[str, Any]] = {
    "session_id": "s-1",
    "prompt_id": "p-1",
    "hook_event_name": "UserPromptSubmit",
    "prompt": "Mend the build",
}


class Got(NamedTuple):
    """A request that told of an event."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def context(self) -> dict[str, Any]:
        return dict(json.loads(self.headers["tracker-context"]))


Answer = Callable[[socket.socket, "HookServer"], bytes]


def recorded(_connection: socket.socket, _server: HookServer) -> bytes:
    return reply({"status": "recorded", "event_ids": [1]})


def refused(status: str, code: str = "X", *headers: str) -> Answer:
    """Always the same refusal."""
    return lambda _connection, _server: refusal(status, code, *headers)


def refusal(status: str, code: str, *headers: str) -> bytes:
    """An answer in the shape of all errors."""
    body = json.dumps({"error": {"code": code, "message": "no"}}).encode()
    head = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body


class HookServer(Trap):
    """Proves that it has the key, and keeps what it was told. `answer`: to an event."""

    def __init__(self, answer: Answer = recorded, key: str = KEY, **options: Any) -> None:
        super().__init__(answer=self._reply, **options)
        self.answer = answer
        self.got: list[Got] = []
        self._key = key

    @property
    def recorded(self) -> list[Got]:
        """What a server would have recorded: what came once more with its key is no second."""
        return list({got.headers["idempotency-key"]: got for got in self.got}.values())

    def _reply(self, connection: socket.socket, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        target = first.split(" ")[1]
        if first.startswith("GET"):
            nonce = re.search("nonce=([A-Za-z0-9_-]+)", target)
            assert nonce is not None
            end = connection.getsockname()[:2]
            given = base64.urlsafe_b64decode(nonce[1] + "==")
            return reply({"proof": prove(secret_of(self._key), given, *end)})
        named = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in named}
        got = Got(target, headers, json.loads(body))
        answer = self.answer(connection, self)
        if b" 200 OK" in answer[:20]:
            self.got.append(got)
        return answer


class Home:
    """A user whose agents are connected, or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        self.connections = folder / "config" / "connections.json"

    def connect(
        self,
        url: str,
        *agents: str,
        key: str = KEY,
        ca_file: str | None = None,
        private: bool = False,
    ) -> None:
        """Connect the agents, `claude-code` if none is named."""
        entry = {"url": url, "key": key, "ca_file": ca_file, "options": {"private": private}}
        entries = dict.fromkeys(agents or ("claude-code",), entry)
        connections.save(str(self.connections), entries)

    @property
    def variables(self) -> dict[str, str]:
        return {"TRACKER_SPOOL": str(self.spool), "TRACKER_CONNECTIONS": str(self.connections)}

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.folder, **self.variables)

    def hook(
        self,
        payload: Mapping[str, Any] | bytes = EVENT,
        agent: str = "claude-code",
        variables: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the hook as an agent does."""
        given = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        options.setdefault("cwd", self.folder)
        return subprocess.run(
            command(agent),
            input=given,
            capture_output=True,
            env={**self.environment, **(variables or {})},
            timeout=HANGS,
            check=False,
            **options,
        )

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """The reports in the spool."""
        return [json.loads(path.read_bytes())["report"] for path in files(self.spool)]

    @property
    def senders(self) -> list[int]:
        """The processes of senders in the background: they have the hook's environment."""
        found = []
        mark = f"TRACKER_SPOOL={self.spool}\0".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in path.read_bytes():
                    found.append(int(path.parent.name))
        return found

    def end(self) -> None:
        """End the senders that hooks have left."""
        for pid in self.senders:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.senders, what="the senders to end")

    def told(self, server: HookServer, count: int = 1) -> list[Got]:
        """What the server has recorded: so many events, which wait nowhere any more. On a machine
        that is busy the sender in the background tells what was not told in time."""
        wait_for(lambda: len(server.recorded) >= count and not self.waiting, 30)
        assert len(server.recorded) == count
        return server.recorded


def command(agent: str, *more: str) -> Sequence[str]:
    """The hook's command line."""
    return [sys.executable, "-m", "agent_task_tracker", "hook", agent, *more]
