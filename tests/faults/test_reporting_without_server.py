"""Jobs under `tracker run`, and reports with `--quiet`, while the server is away, or something else
is in its place: nothing of the job changes, and every report is there afterwards."""

from __future__ import annotations

import json
import shlex
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agent_task_tracker import Client
from tests.support.foreign import listening
from tests.support.platforms import needs_posix
from tests.support.server import COMMAND, Server
from tests.support.trap import Trap
from tests.support.watched import TRACKER_RUN, Nowhere, run_process, shell, variables_for

pytestmark = needs_posix

JOB = "echo out; echo err >&2; exit 3"
NAMES = ("--project", "p", "--task", "t")
QUIET = {
    "start": (*NAMES, "--session", "s"),
    "status": (*NAMES, "--progress", "40", "--message", "half"),
    "finish": (*NAMES, "--result", "fine"),
    "error": (*NAMES, "--message", "broken"),
}


@contextmanager
def refused() -> Iterator[str]:
    with closing(Nowhere()) as nowhere:
        yield nowhere.url


@contextmanager
def hanging() -> Iterator[str]:
    """Takes connections, and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def answering(answer: bytes) -> Callable[[], object]:
    return lambda: listening(lambda method, target: answer)


UNAVAILABLE = json.dumps({"error": {"code": "SERVICE_UNAVAILABLE", "message": "m", "details": {}}})
GONE = {
    "refused": refused,
    "hanging": hanging,
    "rubbish": answering(b"\x00\xffSSH-2.0-nothing\r\n" * 50),
    "another site": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    "503": answering(
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 30\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(UNAVAILABLE), UNAVAILABLE.encode())
    ),
}


def comes_back(url: str, start_server: Callable[..., Server]) -> Server:
    return start_server("--port", str(urlsplit(url).port))


def flush(home: Path, given: dict[str, str]) -> None:
    done = run_process([*COMMAND, "flush"], home, given)
    assert done.code == 0, done


@pytest.mark.parametrize("away", GONE.values(), ids=GONE)
def test_nothing_changes_and_nothing_is_lost(
    away: Callable[[], object], start_server: Callable[..., Server], tmp_path: Path
) -> None:
    with away() as url:  # type: ignore[attr-defined]
        given = variables_for(tmp_path, url, TRACKER_PROJECT="p")
        ended = shell(f"{TRACKER_RUN} --task job -- sh -c {shlex.quote(JOB)}", tmp_path, given)
        assert ended == (3, b"out\n", b"err\n")
        ended = shell(f"{TRACKER_RUN} --task job -- cat", tmp_path, given, stdin=b"in")
        assert ended == (0, b"in", b"")
        for command, options in QUIET.items():
            words = [*COMMAND, command, *options, "--quiet"]
            assert run_process(words, tmp_path, given) == (0, b"", b""), command
    server = comes_back(url, start_server)
    flush(tmp_path, given)
    job = server.task("p", "job")
    assert types_of(job) == ["task_started", "task_error", "task_started", "task_finished"]
    assert (job["status"], job["attempt"], job["result"]) == ("completed", 2, "in")
    assert types_of(server.task("p", "t")) == [
        *("task_started", "task_status_updated", "task_finished", "task_error"),
    ]


def types_of(task: dict[str, Any]) -> list[str]:
    return [event["type"] for event in task["events"]]


def test_quiet_reports_come_in_their_order(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    with refused() as url:
        given = variables_for(tmp_path, url, TRACKER_QUIET="1")
        for command in ("start", "status", "finish"):
            assert run_process([*COMMAND, command, *QUIET[command]], tmp_path, given)[0] == 0
    server = comes_back(url, start_server)
    # The next one reaches it, and takes the others along: without waiting for it to be asked.
    assert run_process([*COMMAND, "start", *NAMES], tmp_path, {**given}) == (0, b"", b"")
    flush(tmp_path, given)
    task = server.task("p", "t")
    assert types_of(task) == [
        *("task_started", "task_status_updated", "task_finished", "task_started"),
    ]
    assert task["attempt"] == 2


@pytest.mark.parametrize("command", QUIET)
def test_a_quiet_report_to_a_server_that_is_there(
    command: str, shared_server: Server, tmp_path: Path, project: str
) -> None:
    given = variables_for(tmp_path, shared_server.url)
    words = [*COMMAND, command, *QUIET[command], "--project", project, "--quiet", "--json"]
    assert run_process(words, tmp_path, given) == (0, b"", b"")
    flush(tmp_path, given)
    assert len(shared_server.task(project, "t")["events"]) == 1


def test_the_wrong_key(start_server: Callable[..., Server], tmp_path: Path) -> None:
    """Kept until it is right: it may be the server's that is wrong."""
    server = start_server()
    given = variables_for(tmp_path, server.url, API_KEY="another-key-of-somebody")
    ended = shell(
        f"{TRACKER_RUN} --project p --task t -- sh -c {shlex.quote(JOB)}", tmp_path, given
    )
    assert ended == (3, b"out\n", b"err\n")
    words = [*COMMAND, "status", *NAMES, "--quiet"]
    assert run_process(words, tmp_path, given) == (0, b"", b"")
    port = str(urlsplit(server.url).port)
    server.stop()
    server = start_server("--port", port, key="another-key-of-somebody")
    flush(tmp_path, given)
    assert len(server.task("p", "t")["events"]) == 3


def no_room() -> None:
    """For files; what a job prints goes elsewhere."""
    import resource  # not on Windows

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def test_a_full_disk(start_server: Callable[..., Server], tmp_path: Path) -> None:
    """Without a server the reports are lost, with one they arrive. The job is the same."""
    job = [*COMMAND, "run", *NAMES, "--", "sh", "-c", JOB]
    with refused() as url:
        given = variables_for(tmp_path, url)
        assert run_process(job, tmp_path, given, preexec_fn=no_room) == (3, b"out\n", b"err\n")
        words = [*COMMAND, "start", *NAMES, "--quiet"]
        ended = run_process(words, tmp_path, given, preexec_fn=no_room)
        assert ended[:2] == (0, b"")
        assert ended.stderr.count(b"\n") == 1
        assert b"lost" in ended.stderr
    server = comes_back(url, start_server)
    assert run_process(job, tmp_path, given, preexec_fn=no_room) == (3, b"out\n", b"err\n")
    assert server.task("p", "t")["status"] == "failed"


@pytest.mark.parametrize(
    "variables",
    [
        {"TRACKER_URL": "rubbish"},
        {"TRACKER_URL": "", "TRACKER_PORT": "many"},
        {"TRACKER_URL": "", "TRACKER_READY_FILE": "/"},
        {"TRACKER_CA_FILE": "/none", "TRACKER_URL": "https://127.0.0.1:1"},
        {"TRACKER_SPOOL": "/dev/null/spool"},
        {"TRACKER_QUIET": "", "TRACKER_NONSENSE": "1"},
        {"API_KEY": ""},
        {"API_KEY": "\xe9\n"},
    ],
    ids=str,
)
def test_settings_that_lead_nowhere(variables: dict[str, str], tmp_path: Path) -> None:
    with refused() as url:
        given = variables_for(tmp_path, url, **variables)
        job = [*COMMAND, "run", *NAMES, "--", "sh", "-c", JOB]
        assert run_process(job, tmp_path, given) == (3, b"out\n", b"err\n")
        ended = run_process([*COMMAND, "start", *NAMES, "--quiet"], tmp_path, given)
        assert ended[:2] == (0, b"")
        assert ended.stderr.count(b"\n") <= 1


def reports_to(home: Path, given: dict[str, str]) -> None:
    """Both ways of reporting; neither may fail."""
    job = [*COMMAND, "run", *NAMES, "--", "sh", "-c", JOB]
    assert run_process(job, home, given) == (3, b"out\n", b"err\n")
    assert run_process([*COMMAND, "start", *NAMES, "--quiet"], home, given)[:2] == (0, b"")


@pytest.mark.parametrize("content", [b"API_KEY=\xff\xfe", b"TRACKER_PORT=many\nTRACKER_DB=t.db"])
def test_an_env_that_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(content)
    with refused() as url:
        reports_to(tmp_path, variables_for(tmp_path, url))
        reports_to(tmp_path, variables_for(tmp_path, "", TRACKER_PORT=str(urlsplit(url).port)))


def test_an_env_with_lines_that_say_nothing(shared_server: Server, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"?\n" * 9)
    given = variables_for(tmp_path, shared_server.url)
    job = [*COMMAND, "run", "--project", "lines", "--task", "t", "--", "sh", "-c", JOB]
    assert run_process(job, tmp_path, given) == (3, b"out\n", b"err\n")
    assert shared_server.task("lines", "t")["status"] == "failed"


def test_a_strangers_env_gets_no_report(tmp_path: Path) -> None:
    with Trap() as trap, refused() as url:
        (tmp_path / ".env").write_text(f"TRACKER_URL={trap.url}\n")
        reports_to(tmp_path, variables_for(tmp_path, "", TRACKER_PORT=str(urlsplit(url).port)))
    assert trap.connections == 0


def test_whoever_took_the_port_gets_neither_key_nor_report(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(key=None)
    key, port = server.kept_key, server.ready["port"]
    server.stop()
    found = {"TRACKER_DB": str(server.database), "API_KEY": ""}
    given = variables_for(tmp_path, server.url, **found)
    with Trap(port=port) as trap:
        reports_to(tmp_path, given)
    assert key.encode() not in trap.received
    assert b"project" not in trap.received
    server = start_server("--port", str(port), key=None, db=str(server.database))
    flush(tmp_path, given)
    assert len(Client(server.url, key).task("p", "t")["events"]) == 3


def test_a_hanging_server_is_hardly_waited_for(tmp_path: Path) -> None:
    """It is known not to answer once the job has run for a while."""
    with hanging() as url:
        given = variables_for(tmp_path, url)
        began = time.monotonic()
        job = [*COMMAND, "run", *NAMES, "--", "sleep", "2"]
        assert run_process(job, tmp_path, given) == (0, b"", b"")
        assert time.monotonic() - began < 20  # a client's patience and timeout are 20 together


def test_a_ready_file_that_comes_later(start_server: Callable[..., Server], tmp_path: Path) -> None:
    """As where the server is started in the background, and not waited for."""
    ready = tmp_path / "server0" / "ready.json"
    given = variables_for(tmp_path, "", TRACKER_READY_FILE=str(ready))
    job = [*COMMAND, "run", *NAMES, "--", "sh", "-c", JOB]
    assert run_process(job, tmp_path, given) == (3, b"out\n", b"err\n")
    server = start_server()
    flush(tmp_path, given)
    assert server.task("p", "t")["status"] == "failed"
