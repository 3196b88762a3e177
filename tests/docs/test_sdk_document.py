"""Every example of docs/sdk.md runs, and reports what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import jobs
from tests.support.markdown import Document
from tests.support.reporting import files
from tests.support.server import Server

DOCUMENT = Document("docs/sdk.md")
EXAMPLES = [block for block in DOCUMENT.blocks if block.language == "python"]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.where)
def test_its_examples_run(shared_server: Server, tmp_path: Path, block: object) -> None:
    code = str(block.code)  # type: ignore[attr-defined]
    ended = jobs.run(code, shared_server.url, tmp_path)
    assert (ended.code, ended.stderr.replace("becomes a message of the task\n", "")) == (0, "")
    assert files(tmp_path / "spool") == []
    overview = shared_server.http.get("/api/stats").json()["overview"]
    assert overview["total_tasks"] == overview["completed_tasks"] > 0


def test_it_tells_of_every_name() -> None:
    import agent_task_tracker

    spans = set(DOCUMENT.spans)
    text = DOCUMENT.text
    for name in ("Client", "Tracker", "TaskHandler", "current_task", "task", "flush"):
        assert name in agent_task_tracker.__all__
        assert name in text
    for name in dir(agent_task_tracker.Task):
        if not name.startswith("_") and name not in ("step_in", "step_out", "end_with", "title"):
            assert f"{name}(" in text or f"`{name}`" in spans, name
