"""A tracker of this process, as a job has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_task_tracker import Tracker
from tests.support.server import KEY, Server


@pytest.fixture
def tracker(shared_server: Server, tmp_path: Path, project: str) -> Iterator[Tracker]:
    """Reports to the shared server, for a project of the test's own. Nothing of it may be lost."""
    tracker = Tracker(
        shared_server.url, KEY, project=project, agent="job", spool=tmp_path / "spool"
    )
    yield tracker
    closed = tracker.close(20)
    assert (closed.spooled, closed.lost) == (0, 0), closed
