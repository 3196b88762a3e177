"""SIGKILL under load: what was acknowledged is there, numbered as it was said, counted right."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.load import Load, examine
from tests.support.server import Server, wait_for

CONNECTIONS = 8
ROUNDS = 5


@pytest.fixture
def load() -> Iterator[Load]:
    load = Load(CONNECTIONS)
    load.start()
    yield load
    load.stop()


def test_nothing_acknowledged_is_lost_by_kills(tmp_path: Path, load: Load) -> None:
    moments = random.Random(3)
    for _ in range(ROUNDS):
        server = Server.start(tmp_path)
        try:
            before = load.count
            load.url = server.url
            wait_for(lambda seen=before: load.count > seen + 200, 30, "200 acknowledgements")
            time.sleep(moments.uniform(0, 0.05))  # the random moment within a commit
        finally:
            load.url = None
            server.stop(signal.SIGKILL)
        assert "Traceback" not in server.log
    load.stop()
    assert load.surprises == []
    assert load.count > ROUNDS * 200
    server = Server.start(tmp_path)
    newest = max(ack.event_id for ack in load.acks)
    try:
        assert server.report("start", "after").json()["event_id"] > newest
    finally:
        assert server.stop() == 0
    assert examine(tmp_path / "tracker.db", load).losses == []


def test_the_check_finds_what_is_missing(server: Server) -> None:
    """The tests above and scripts/soak.py are worth what this check is."""
    load = Load(2, server.url)
    load.start()
    wait_for(lambda: load.count > 20, 30, "20 acknowledgements")
    load.stop()
    assert examine(server.database, load).losses == []
    gone = load.publishers[0].acks[5]
    load.publishers[0].acks.append(gone._replace(event_id=gone.event_id + 10_000))
    load.publishers[1].acks.append(gone)
    findings = examine(server.database, load)
    assert [ack.event_id for ack in findings.missing] == [gone.event_id + 10_000]
    assert findings.repeated == [gone.event_id]
    assert len(findings.out_of_order) == 1
