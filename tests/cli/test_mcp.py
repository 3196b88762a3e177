"""`tracker mcp`: MCP on standard input and output, whether the server is there or not; and the
official client of Python, by both ways and in both eras."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.foreign import listening
from tests.support.platforms import needs_posix
from tests.support.processes import run
from tests.support.server import COMMAND, KEY, Server, wait_for

WAITING = "http://127.0.0.1:9"  # where nobody listens


def variables(home: Path, url: str, **further: str) -> dict[str, str]:
    return {"HOME": str(home), "TRACKER_URL": url, "API_KEY": KEY, **further}


def speak(
    home: Path, url: str, *messages: dict[str, Any] | bytes, **further: str
) -> list[dict[str, Any]]:
    """What the command answers to these lines."""
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in messages]
    done = run(
        [*COMMAND, "mcp"],
        stdin=b"".join(line + b"\n" for line in lines),
        env=variables(home, url, **further),
        cwd=home,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def tool(name: str, **arguments: Any) -> dict[str, Any]:
    return request("tools/call", name=name, arguments=arguments)


def test_what_is_reported_without_a_server_comes_later(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server()
    url = server.url
    server.stop()
    begun, ended, read, listed = speak(
        tmp_path,
        url,
        tool("start_task", title="Later"),
        tool("finish_task", task_id="Later", result="done"),
        tool("list_tasks"),
        request("tools/list"),
        TRACKER_PROJECT="given",
    )
    assert begun["result"]["structuredContent"] == {
        "project": "given",
        "task_id": "Later",
        "status": "kept; the tracker gets it when it answers",
    }
    assert "isError" not in ended["result"]
    assert read["result"]["isError"]
    assert "tracker serve" in read["result"]["content"][0]["text"]
    assert len(listed["result"]["tools"]) == 8
    server = start_server("--port", url.rpartition(":")[2])
    speak(tmp_path, url, tool("start_task", title="Now"), TRACKER_PROJECT="given")

    def ended_task() -> bool:
        answer = server.http.get("/api/projects/given/tasks/Later")
        return answer.is_success and answer.json()["status"] == "completed"

    wait_for(ended_task, what="what was kept")


def test_the_project_is_the_folder(shared_server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "my-app"
    folder.mkdir()
    (begun,) = speak(folder, shared_server.url, tool("start_task", title="x"))
    assert begun["result"]["structuredContent"]["project"] == "my-app"
    assert shared_server.http.get("/api/projects/my-app/tasks/x").json()["agent"] == "mcp"


@needs_posix
def test_a_project_that_is_not_utf_8(tmp_path: Path) -> None:
    (begun,) = speak(
        tmp_path, WAITING, tool("start_task", title="x"), TRACKER_PROJECT=os.fsdecode(b"caf\xe9")
    )
    assert begun["result"]["structuredContent"]["project"] == "caf?"


def test_rubbish_is_answered_and_goes_on(tmp_path: Path) -> None:
    answers = speak(
        tmp_path,
        WAITING,
        b"rubbish",
        b"",
        b"[]",
        b"x" * 3_000_000,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        request("resources/list"),
        request("ping"),
    )
    codes = [answer["error"]["code"] if "error" in answer else None for answer in answers]
    assert codes == [-32700, -32600, -32700, -32603, None]


def test_a_wrong_key_is_said_and_not_shown(shared_server: Server, tmp_path: Path) -> None:
    secret = "wrong-key-0123456789"
    found = speak(
        tmp_path,
        shared_server.url,
        tool("stats"),
        tool("start_task", title="x"),
        request("resources/list"),
        API_KEY=secret,
    )
    assert "key" in found[0]["result"]["content"][0]["text"]
    assert "error" in found[2]
    assert secret not in json.dumps(found)


@pytest.mark.parametrize(
    "told",
    [
        b"{}",
        b'{"contents": 5}',
        b'{"contents": [1%s]}' % (b"0" * 40),
        b'{"contents": ["\\ud800"]}',
        b'{"contents": [%s]}' % (b"[" * 500 + b"]" * 500),
    ],
)
def test_what_is_no_tracker_does_not_end_it(tmp_path: Path, told: bytes) -> None:
    def answer(_method: str, _target: str) -> bytes:
        body = b'{"jsonrpc": "2.0", "id": 1, "status": "healthy", "result": %s}' % told
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    with listening(answer) as url:
        read, ping = speak(
            tmp_path, url, request("resources/read", uri="tracker://projects"), request("ping")
        )
    assert "is no tracker" in read["error"]["message"]
    assert ping["result"] == {}


def test_an_env_that_is_no_text_is_said_at_each_call(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"API_KEY=\xff\xfe")
    read, begun, ping = speak(
        tmp_path, WAITING, tool("stats"), tool("start_task", title="x"), request("ping")
    )
    for answer in (read, begun):
        assert ".env: cannot be read" in answer["result"]["content"][0]["text"]
    assert ping["result"] == {}


WAYS = [(way, mode) for way in ("http", "stdio") for mode in ("auto", "legacy")]


@pytest.mark.parametrize(("way", "mode"), WAYS)
def test_the_official_client(shared_server: Server, tmp_path: Path, way: str, mode: str) -> None:
    project = f"official {way} {mode}"
    words = (way, mode, shared_server.url, project, str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.mcp_client", *words],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "MCP_KEY": KEY},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    did = json.loads(done.stdout)
    assert (did["tools"], did["begun"]["task_id"]) == (8, "Задача")
    assert did["task"]["error_message"] == "boom"
    assert did["wrong"] == [True, "fail_task: error_message is missing."]
    assert did["resources"] > 1
    assert did["project"]["stats"]["task_stats"]["failed"] == 1
    assert "boom" in did["prompt"]
