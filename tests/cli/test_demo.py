"""`tracker demo`: a team that reports what a real one would."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.cli import run
from tests.support.server import Server
from tracker.api.schemas import to_report
from tracker.cli.demo_story import AGENTS, schedule
from tracker.domain.tasks import Kind


def test_it_fills_the_dashboard(server: Server, tmp_path: Path) -> None:
    done = run("demo", "--seconds", "3", "--pace", "0.5", home=tmp_path, server=server)
    assert done.returncode == 0, done.stderr
    assert server.url in done.stdout.decode()
    now = server.http.get("/api/now").json()
    tasks = [*now["active"], *now["ended"]]
    assert {task["agent"].split("/")[0] for task in tasks} == set(AGENTS)
    assert {task["status"] for task in tasks} >= {"completed"}
    assert len({task["project"] for task in tasks}) > 2
    again = run("demo", "--seconds", "1", "--pace", "0.5", home=tmp_path, server=server)
    assert again.returncode == 0, again.stderr
    more = server.http.get("/api/stats").json()["overview"]["total_tasks"]
    assert more > len(tasks)  # new tasks, not new attempts at the old ones


@pytest.mark.parametrize("seed", range(20))
def test_a_minute_of_it_keeps_within_the_default_limit(seed: int) -> None:
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
    assert parents <= starts.keys()
