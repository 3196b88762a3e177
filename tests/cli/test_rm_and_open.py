"""Removing what is there, opening the dashboard, and names that shells complete."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_task_tracker.client import Client
from agent_task_tracker.errors import ClientError
from tests.support import processes
from tests.support.cli import Terminal, json_lines, package_environment, run
from tests.support.platforms import needs_posix
from tests.support.server import KEY, Server


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server.start(tmp_path_factory.mktemp("told"))
    for project in ("demo", "deck/one", "x;rm -rf ~", "$(id)", "-n", "two words", "\x1b[31m"):
        server.report("start", project, "build-1", agent="builder")
        server.report("start", project, "bad`id`", agent="builder")
    yield server
    assert server.stop() == 0


def test_removing_a_task_and_a_project(told: Server, tmp_path: Path) -> None:
    for task in ("one", "two"):
        told.report("start", "old\x1b[31m", task, task="Old")
    unasked = run("rm", "old\x1b[31m", "one", home=tmp_path, server=told)
    assert unasked.returncode == 2
    assert b"--yes" in unasked.stderr
    assert b"\x1b" not in unasked.stderr
    gone = run("rm", "old\x1b[31m", "one", "--yes", "--json", home=tmp_path, server=told)
    assert json_lines(gone.stdout) == [{"project": "old\x1b[31m", "task_id": "one"}]
    again = run("rm", "old\x1b[31m", "one", "--yes", home=tmp_path, server=told)
    assert (again.returncode, again.stdout) == (1, b"")
    project = run("rm", "old\x1b[31m", "--yes", home=tmp_path, server=told)
    assert b"with 1 task" in project.stdout
    assert run("ls", "old\x1b[31m", home=tmp_path, server=told).returncode == 1


@needs_posix
@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_a_terminal_is_asked(told: Server, tmp_path: Path, answer: str, code: int) -> None:
    told.report("start", "d_asked")
    one = Terminal("rm", "d_asked", home=tmp_path, server=told)
    try:
        one.read_until("Remove the project d_asked with 1 task?")
        one.press(f"{answer}\n")
        one.read_all()
    finally:
        one.close()
    assert one.process.returncode == code
    assert told.http.get("/api/projects/d_asked").status_code == (404 if code == 0 else 200)


@pytest.mark.parametrize("names", [("..",), (".",), ("demo", ".."), ("demo", ""), ("..", "t")])
def test_no_step_in_a_path_deletes_something_else(told: Server, names: tuple[str, ...]) -> None:
    client = Client(told.url, KEY)
    with pytest.raises(ClientError, match="no path"):
        (client.delete_project if len(names) == 1 else client.delete_task)(*names)


def opened(home: Path, server: Server, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """`tracker open`, which does not wait for the browser to have read the page."""
    program = (
        "import sys; from tracker.cli import main, open; open._READ_WITHIN = 0; "
        "sys.argv = ['tracker', 'open']; main()"
    )
    (home / "tmp").mkdir()
    given = {"TRACKER_URL": server.url, "TMPDIR": str(home / "tmp"), **variables}
    return processes.run(
        [sys.executable, "-c", program], cwd=home, env=package_environment(home, **given)
    )


@needs_posix
def test_the_browser_is_signed_in_and_ps_shows_no_key(told: Server, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(
        '#!/bin/sh\nprintf %s "$*" > "$HOME/arguments"\n'
        'cp "${1#file://}" "$HOME/page"\nls -ld "${1#file://}" "$(dirname "${1#file://}")" '
        '| cut -c1-10 > "$HOME/modes"\n'
    )
    browser.chmod(0o700)
    done = opened(tmp_path, told, API_KEY=KEY, BROWSER=f"{browser} %s")
    assert done.returncode == 0, done.stderr
    assert KEY not in (tmp_path / "arguments").read_text()
    assert KEY.encode() not in done.stdout + done.stderr
    assert re.findall(
        r"location\.replace\((.*)\)<", html.unescape((tmp_path / "page").read_text())
    )[0] == json.dumps(f"{told.url}/#key={KEY}")
    assert (tmp_path / "modes").read_text().split() == ["drwx------", "-rw-------"]
    assert list((tmp_path / "tmp").iterdir()) == []


@needs_posix
def test_nothing_is_opened_with_a_wrong_key_or_without_a_browser(
    told: Server, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    wrong = opened(tmp_path / "a", told, API_KEY="wrong-key-of-somebody", BROWSER="touch opened %s")
    assert wrong.returncode == 1
    assert b"wrong-key" not in wrong.stderr
    assert not (tmp_path / "a" / "opened").exists()
    none = opened(tmp_path / "b", told, API_KEY=KEY, BROWSER="false %s")
    assert none.returncode == 1
    assert told.url.encode() in none.stderr
    assert list((tmp_path / "b" / "tmp").iterdir()) == []


def completed(server: Server, home: Path, shell: str, *words: str, last: str) -> list[str]:
    variables = {"_TRACKER_COMPLETE": f"{shell}_complete", "COMP_CWORD": str(len(words))}
    variables["COMP_WORDS"] = " ".join([*words, last])
    if shell == "powershell":
        variables["COMP_CWORD"] = last
    done = run(home=home, server=server, variables=variables)
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    return [re.split(r"[,\t]", line)[1] for line in lines]


@pytest.mark.parametrize("shell", ["bash", "powershell"])
def test_live_names_that_mean_nothing_to_a_shell(told: Server, tmp_path: Path, shell: str) -> None:
    def names(*words: str, last: str = "") -> list[str]:
        return completed(told, tmp_path, shell, "tracker", *words, last=last)

    assert set(names("ls")) - {"d_asked"} == {"deck/one", "demo"}
    assert names("show", last="dem") == ["demo"]
    assert names("show", "demo") == ["build-1"]
    assert names("tail", "--project", last="de") == ["deck/one", "demo"]
    assert names("ls", "--agent") == ["builder"]
    assert names("status", "--status", last="c") == ["completed"]
    assert "powershell" in names("completion")
    assert "rm" in names(last="r")


def test_without_a_server_there_are_no_names(tmp_path: Path) -> None:
    variables = {"COMP_WORDS": "tracker ls ", "COMP_CWORD": "2"}
    for url in ("http://127.0.0.1:1", "http://[::1", "http://localhost:99999"):
        given = {**variables, "_TRACKER_COMPLETE": "bash_complete", "TRACKER_URL": url}
        done = run(home=tmp_path, variables=given)
        assert (done.stdout.strip(), done.stderr) == (b"", b"")


def test_scripts_of_every_shell(tmp_path: Path) -> None:
    for shell in ("bash", "zsh", "fish", "powershell"):
        done = run("completion", shell, home=tmp_path)
        assert done.returncode == 0
        assert f"{shell}_complete".encode() in done.stdout
