"""What a terminal, a log or another agent would obey."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Terminal
from tests.support.foreign import ALL_UNSAFE, as_json, listening, unsafe_characters
from tests.support.raw import exchange, request
from tests.support.server import KEY, Server, quote

if TYPE_CHECKING:
    from tests.support.dashboard import Dashboard


def on_a_terminal(*arguments: str, server: Server | None = None, home: Path) -> str:
    """What a command prints there; without colours: each escape sequence is of others."""
    with closing(
        Terminal(*arguments, home=home, server=server, variables={"TERM": "dumb"})
    ) as terminal:
        return terminal.read_all().replace("\r\n", "\n")


@pytest.mark.parametrize(
    "command",
    [
        *("ls", "ls p", "ls p --json", "show p t", "show p t --json", "stats", "stats --json"),
        *("tail", "tail --json", "report --format junit", "report --format json", "report"),
    ],
)
def test_nothing_that_agents_wrote_is_obeyed_or_unseen(
    start_server: Callable[..., Server], tmp_path: Path, command: str
) -> None:
    server = start_server()
    name = ALL_UNSAFE[:-201:-1]
    fields = {"task": ALL_UNSAFE[::-1], "agent": name, "metadata": {ALL_UNSAFE: ALL_UNSAFE}}
    error = {"error_type": ALL_UNSAFE, "error_message": ALL_UNSAFE}
    for project in ("p", name):
        assert server.report("status", project, "t", **fields, message=ALL_UNSAFE).is_success
        assert server.report("error", project, "t", **fields, **error).is_success
        assert server.report("finish", project, "t2", **fields, result=ALL_UNSAFE).is_success
    shown = on_a_terminal(*command.split(), server=server, home=tmp_path)
    assert "Traceback" not in shown
    assert re.search(r"\\U000e|\\udb40", shown)
    assert unsafe_characters(shown) <= {"\t"}  # of traces


def test_nothing_that_another_server_says_is_obeyed(tmp_path: Path) -> None:
    told = {
        "message": ALL_UNSAFE,
        "event_id": 1,
        "error": {"code": ALL_UNSAFE, "message": ALL_UNSAFE},
    }
    refusal = b"HTTP/1.1 400 No\r\nConnection: close\r\n\r\n" + json.dumps(told).encode()
    names = ("--project", "p", "--task", "t")
    for answer in (as_json(told), refusal, b"HTTP/1.1 500 \x1b[2J\x9b2J\r\n\r\n", b"\x1b[2J\r\n"):
        with listening(lambda _method, _target, answer=answer: answer) as url:
            for command in (("start", *names), ("ls",), ("doctor",)):
                shown = on_a_terminal(*command, "--url", url, "--api-key", KEY, home=tmp_path)
                assert "Traceback" not in shown
                assert unsafe_characters(shown) == set(), command


def test_no_name_of_a_file_and_no_setting_is_obeyed(tmp_path: Path) -> None:
    odd = "x\x1b[2J\u202e\U000e0041"
    (tmp_path / ".env").write_text(f"TRACKER_DB='{odd}/tracker.db'\nTRACKER_HOST='{odd}'\n")
    for command in (
        *(("ls",), ("doctor",), ("serve", "--port", "0"), ("prune", "--older-than", "1d")),
        *(("backup", odd), ("restore", odd), ("import", odd), ("show", "--" + odd), (odd,)),
        *(("ls", "--url", f"http://{odd}"), ("ls", "--ready-file", odd), ("start", odd)),
    ):
        shown = on_a_terminal(*command, home=tmp_path)
        assert "Traceback" not in shown, command
        assert unsafe_characters(shown) == set(), command


@pytest.mark.parametrize("format_", ["text", "json"])
def test_nothing_writes_lines_into_the_log(
    start_server: Callable[..., Server], tmp_path: Path, format_: str
) -> None:
    database = str(tmp_path / "odd\n\x1b[2J\u202eforged.db")
    server = start_server("--log-level", "debug", "--log-format", format_, db=database)
    for target in (b"/%0aforged", b"/\x1b[2J", b"/x%1b?q=%0d%0aforged", b"/ws?project=%0aforged"):
        exchange(
            server, request("GET", target, (b"X-Odd: \x1b[2J\x9b", b"User-Agent: %0a\tforged"))
        )
        exchange(server, request("GET", target, (b"Upgrade: websocket", b"Connection: Upgrade")))
    assert server.stop() == 0
    start = r"\{" if format_ == "json" else r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ |  "
    assert all(re.match(start, line) for line in server.log.splitlines())
    assert unsafe_characters(server.log) <= {"\t"}


@pytest.mark.browser
def test_what_is_copied_as_a_prompt_is_what_is_seen(
    open_dashboard: Callable[..., Dashboard], shared_server: Server, project: str
) -> None:
    hidden = ALL_UNSAFE.replace("\n", "").replace("\t", "")
    assert shared_server.report("error", project, task=hidden, error_message=hidden).is_success
    path = f"/projects/{quote(project)}/tasks/task-1"
    page = open_dashboard(path, permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy as prompt").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert r"\u202e" in copied
    assert r"\udb40\udc41" in copied
    assert unsafe_characters(copied) == set()
