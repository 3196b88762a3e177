"""`tracker demo`: a team that reports what a real one would."""

from __future__ import annotations

import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cli import run
from tests.support.foreign import listening
from tests.support.keys import make_key
from tests.support.platforms import needs_posix
from tests.support.processes import Process
from tests.support.server import COMMAND, KEY, Server, environment, wait_for
from tracker.api.schemas import to_report
from tracker.cli.demo_story import AGENTS, JOBS, schedule
from tracker.domain.tasks import Kind


def test_it_fills_the_dashboard_and_ends_its_tasks(server: Server, tmp_path: Path) -> None:
    flags = ("demo", "--pace", "0.5", "--keep", "--seconds")
    done = run(*flags, "2", home=tmp_path, server=server)
    assert done.returncode == 0, done.stderr
    assert server.url in done.stdout.decode()
    now = server.http.get("/api/now").json()
    assert now["active"] == []
    tasks = now["ended"]
    assert {task["agent"].split("/")[0] for task in tasks} == set(AGENTS)
    assert {task["status"] for task in tasks} >= {"completed"}
    assert len({task["project"] for task in tasks}) > 2
    assert server.http.get("/api/stats").json()["usage"]["cost_usd"] > 0
    assert run("wait", "--all-finished", home=tmp_path, server=server).returncode in (0, 1)
    again = run(*flags, "1", home=tmp_path, server=server)
    assert again.returncode == 0, again.stderr
    more = server.http.get("/api/stats").json()["overview"]["total_tasks"]
    assert more > len(tasks)  # new tasks, not new attempts at the old ones


def test_within_the_limits_it_takes_its_data_away_and_nothing_else(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server("--rate-limit-api", "0", limits=True)
    for job in JOBS:
        server.report("finish", job.project)
    before = server.http.get("/api/projects").json()
    done = run("demo", "--pace", "0.1", "--seconds", "2", home=tmp_path, server=server)
    assert (done.returncode, done.stderr) == (0, b"")
    reports = re.search(r"(\d+) reports sent", done.stdout.decode())
    assert reports is not None
    assert int(reports[1]) > 100  # requests that its key may send in a minute
    assert server.http.get("/api/projects").json() == before


@needs_posix
@pytest.mark.parametrize(
    ("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_stopped_it_takes_its_data_away(
    shared_server: Server, tmp_path: Path, stop: int, code: int
) -> None:
    given = {"TRACKER_URL": shared_server.url, "API_KEY": KEY}
    command = [*COMMAND, "demo", "--seconds", "600"]

    def projects() -> int:
        return int(shared_server.http.get("/api/projects").json()["total"])

    before = projects()  # other tests' too
    with Process(command, cwd=tmp_path, env=environment(tmp_path, **given)) as process:
        try:
            wait_for(lambda: projects() > before, 30, "reports")
            process.send_signal(stop)
            assert process.wait(30) == code
        finally:
            process.kill()
    assert projects() == before


@needs_posix
def test_stopped_while_its_first_reports_are_on_their_way_it_takes_them_away(
    tmp_path: Path,
) -> None:
    """Nobody has said that they were recorded: they may be."""
    asked: list[str] = []
    let_go = threading.Event()

    def answer(method: str, target: str) -> Iterator[bytes]:
        asked.append(f"{method} {target}")
        if method == "DELETE":
            yield b"HTTP/1.1 204 No Content\r\n\r\n"
        let_go.wait()

    with listening(answer) as url:
        given = environment(tmp_path, TRACKER_URL=url, API_KEY=KEY)
        with Process([*COMMAND, "demo"], cwd=tmp_path, env=given) as process:
            try:
                wait_for(lambda: "POST /webhook/batch" in asked, 30, "its first reports")
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 143
            finally:
                process.kill()
                let_go.set()
    assert [one for one in asked if one.startswith("DELETE /api/projects/demo-")]


def test_what_it_may_not_delete_it_says(shared_server: Server, tmp_path: Path) -> None:
    key = make_key(shared_server, "demo", "report")
    given = {"TRACKER_URL": shared_server.url, "API_KEY": key}
    done = run("demo", "--seconds", "1", home=tmp_path, variables=given)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"cannot be deleted" in done.stderr


@pytest.mark.parametrize("seed", range(5))
def test_a_minute_of_it_has_enough_to_watch(seed: int) -> None:
    sends = schedule(60, seed, "run", pace=(18 * 0.7, 18 * 1.4))
    assert 40 < len(sends) < 100
    assert [send.at for send in sends] == sorted(send.at for send in sends)


def test_its_reports_are_valid_and_of_every_kind() -> None:
    sends = schedule(20_000, 1, "run", pace=(600, 1200))
    for send in sends:
        to_report(Kind(send.kind), send.fields)
    kinds = Counter(send.kind for send in sends)
    assert set(kinds) == {"start", "status", "finish", "error"}
    assert kinds["finish"] > 3 * kinds["error"] > 0
    starts = Counter(send.fields["task_id"] for send in sends if send.kind == "start")
    assert max(starts.values()) == 2  # some failures are tried again
    ended = {send.fields["task_id"] for send in sends if send.kind in ("finish", "error")}
    assert starts.keys() - ended  # some agents fall silent
    asked = [send.fields for send in sends if send.fields.get("attention")]
    assert {fields["task_id"] for fields in asked} & ended  # some are answered
    assert {fields["task_id"] for fields in asked} - ended  # and some wait for it
    parents = {send.fields["parent_task_id"] for send in sends if "parent_task_id" in send.fields}
    assert parents
    used = {send.fields["agent"].split("/")[0] for send in sends if "usage" in send.fields}
    assert used == AGENTS.keys() - {"nightly-ci"}
    assert parents <= starts.keys()
