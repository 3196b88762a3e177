"""What a user's editor and type checker see of the SDK, and the examples in its docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

import agent_task_tracker
from agent_task_tracker import defaults
from tests.support.markdown import ROOT, Document
from tests.support.server import KEY, Server

USER = ROOT / "tests" / "data" / "user_of_the_sdk.py"


def test_a_user_s_file_passes_mypy_strict(tmp_path: Path) -> None:
    command = ["--strict", "--cache-dir", str(ROOT / ".mypy_cache"), str(USER)]
    assert api.run(command) == ("Success: no issues found in 1 source file\n", "", 0)
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import agent_task_tracker\n"
        "with agent_task_tracker.task('T', projekt='p') as task:\n"
        "    task.progress('half')\n"
        "@agent_task_tracker.task('T')\n"
        "def square(number: int) -> int: return number\n"
        "square('x')\n"
    )
    told, _, code = api.run([*command[:-1], str(wrong)])
    assert (code, told.count(": error: ")) == (1, 3), told


@pytest.mark.parametrize("document", ["README.md", "docs/sdk.md"])
def test_examples_in_documents_pass_mypy_strict(document: str, tmp_path: Path) -> None:
    found = [block.code for block in Document(document).blocks if block.language == "python"]
    files = [tmp_path / f"example{number}.py" for number in range(len(found))]
    for file, code in zip(files, found, strict=True):
        file.write_text(code, "utf-8")
    command = ["--strict", "--cache-dir", str(ROOT / ".mypy_cache"), *map(str, files)]
    told, _, code = api.run(command)
    assert (code, len(found) > 1) == (0, True), told


def test_a_user_s_file_runs(shared_server: Server, tmp_path: Path) -> None:
    from tests.support import jobs

    with jobs.start(USER.read_text("utf-8"), shared_server.url, tmp_path) as job:
        stdout, stderr = job.communicate(timeout=60)
    assert (job.returncode, stdout, stderr) == (0, "True\n", "")


def modules() -> list[str]:
    names = [module.name for module in pkgutil.iter_modules(agent_task_tracker.__path__)]
    return [name for name in names if name not in ("__main__", "pytest_plugin", "pytest_reports")]


def test_examples_in_docstrings_run(
    shared_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_URL", shared_server.url)
    monkeypatch.setenv("API_KEY", KEY)
    monkeypatch.setenv("TRACKER_SPOOL", str(tmp_path / "spool"))
    defaults.tracker.cache_clear()
    tried = 0
    for name in modules():
        module = importlib.import_module(f"agent_task_tracker.{name}")
        result = doctest.testmod(module)
        assert result.failed == 0, name
        tried += result.attempted
    assert tried >= 8
    assert agent_task_tracker.flush(20)
    defaults.tracker().close()
    defaults.tracker.cache_clear()
    titles = {
        task["title"] for task in shared_server.http.get("/api/projects/demo/tasks").json()["tasks"]
    }
    assert {"Evaluate", "Square"} <= titles


def test_the_package_is_imported_in_parts() -> None:
    """pytest's plugin is imported by every run of pytest: what reports is not, until it is used."""
    script = "import sys, agent_task_tracker; print('http' in sys.modules, 'ssl' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.split() == ["False", "False"]
    for name in agent_task_tracker.__all__:
        assert getattr(agent_task_tracker, name)
    with pytest.raises(AttributeError):
        _ = agent_task_tracker.nothing
