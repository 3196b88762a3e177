"""`tracker wait`: keeps its time whatever answers, and says what it waited for."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.cli import Done, run_here
from tests.support.foreign import as_json, listening
from tests.support.server import KEY, Server

BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
HEALTH = as_json({"status": "healthy"})


@pytest.fixture
def hangs() -> Iterator[str]:
    """The address of a server that takes connections, and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def wait(*arguments: str, home: Path, url: str, **variables: str) -> Done:
    return run_here("wait", *arguments, "--url", url, home=home, API_KEY=KEY, **variables)


@pytest.mark.parametrize("what", ["--ready", "--all-finished"])
def test_it_keeps_its_time_beside_a_server_that_hangs(
    hangs: str, tmp_path: Path, what: str
) -> None:
    done = wait(what, "--timeout", "0.1", home=tmp_path, url=hangs)
    # The client itself gives up after 10 s, with words of its own.
    assert done == Done(75, "", f"tracker: after 0.1 s {hangs} does not answer\n")


def test_it_keeps_its_time_beside_a_server_that_answers_byte_by_byte(tmp_path: Path) -> None:
    let_go = threading.Event()

    def drips() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while not let_go.wait(0.1):
            yield b" "

    with listening(lambda _method, _target: drips()) as url:
        done = wait("--ready", "--timeout", "0.1", home=tmp_path, url=url)
        let_go.set()
    assert (done.code, done.stderr.count("\n")) == (75, 1)


def test_it_waits_through_what_a_proxy_says(tmp_path: Path) -> None:
    answers = itertools.chain([BAD_GATEWAY], itertools.repeat(HEALTH))
    with listening(lambda _method, _target: next(answers)) as url:
        assert wait("--ready", "--timeout", "inf", home=tmp_path, url=url) == Done(0, "", "")


def test_no_number_is_no_time(hangs: str, tmp_path: Path) -> None:
    assert wait("--ready", "--timeout", "nan", home=tmp_path, url=hangs).code == 2


def test_at_the_end_it_says_what_a_proxy_said(tmp_path: Path) -> None:
    with listening(lambda _method, _target: BAD_GATEWAY) as url:
        done = wait("--ready", "--timeout", "0", home=tmp_path, url=url)
    assert done.code == 75
    assert "Bad Gateway" in done.stderr


def test_an_empty_ready_file_is_one_to_come(tmp_path: Path) -> None:
    """As mktemp makes it."""
    (tmp_path / "ready.json").touch()
    flags = ("--ready-file", str(tmp_path / "ready.json"), "--timeout", "0")
    done = run_here("wait", "--ready", *flags, home=tmp_path)
    assert (done.code, done.stderr.count("\n")) == (75, 1)


def test_it_says_which_tasks_are_open_and_which_failed(
    shared_server: Server, tmp_path: Path
) -> None:
    def finished(*flags: str) -> Done:
        arguments = ("--all-finished", "--timeout", "0", *flags)
        return wait(*arguments, home=tmp_path, url=shared_server.url)

    nothing = Done(75, "", "tracker: after 0 s no task was reported\n")
    assert finished() == finished("--project", "p") == nothing
    shared_server.report("status", "p", "t1", progress=40, task="Build \x1b[31m")
    shared_server.report("finish", "p", "t2")
    assert finished() == Done(
        75,
        "",
        "tracker: after 0 s 1 of 2 tasks had not ended:\n  p: Build \\x1b[31m (t1): running, 40%\n",
    )
    shared_server.report("error", "p", "t1", task="Build", error_type="Oom", error_message="killed")
    shared_server.report("finish", "q", "t1")
    expected = "tracker: 1 of 2 tasks failed:\n  p: Build (t1): Oom: killed\n"
    assert finished("--project", "p") == Done(1, "", expected)
    assert finished("--project", "q") == Done(0, "", "")
    for number in range(20):
        shared_server.report("start", "r", f"t{number}")
    many = finished("--project", "r")
    assert (many.code, many.stderr.count("\n")) == (75, 12)
    assert many.stderr.endswith("\n  …\n")
