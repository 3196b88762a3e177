"""Projects that have a `tracker` of their own, and the package installed as its wheel beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import agent_task_tracker
import tracker.client
import tracker.errors
import tracker.pytest_plugin
from agent_task_tracker import pytest_plugin
from tests.support.cli import package_environment
from tests.support.markdown import ROOT

SECONDS = 60
OFFLINE = ("install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
THEIRS = """
import pytest

@pytest.fixture
def objects():
    return ["car", "bicycle"]
"""
CONFTEST = "pytest_plugins = ['tracker']\n"
TEST = """
import pytest
import tracker
from agent_task_tracker import Client, ClientError, Refused, Unreachable
from agent_task_tracker.pytest_plugin import TrackerServer

def test_agent(tracker_server: TrackerServer, objects: list[str]) -> None:
    assert tracker.objects
    client = Client(tracker_server.url, tracker_server.api_key)
    client.start("p", "Title", "t", "agent")
    assert tracker_server.client.task("p", "t")["status"] == "running"
    with pytest.raises(Refused):
        client.task("p", "another")
"""


class Installed(NamedTuple):
    """An environment with the wheel of this checkout in it; what we depend on is borrowed."""

    scripts: Path
    python: Path


class Project(NamedTuple):
    """A folder in which somebody works on a program that has a `tracker`."""

    folder: Path
    installed: Installed

    def run(
        self, *command: str | Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        given = package_environment(self.folder)
        del given["PYTHONPATH"]
        return subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env={**given, **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")

    def python(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-I", "-m", *arguments], check=True, cwd=ROOT, timeout=SECONDS
        )

    python("hatchling", "build", "--target", "wheel", "--directory", str(folder))
    (wheel,) = folder.glob("*.whl")
    environment = folder / "venv"
    venv.create(environment, symlinks=os.name != "nt")
    base = {"base": str(environment), "platbase": str(environment)}
    paths = sysconfig.get_paths("venv", base)
    scripts, site = Path(paths["scripts"]), Path(paths["purelib"])
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    found = Installed(scripts, scripts / f"python{'.exe' if os.name == 'nt' else ''}")
    python("pip", "--python", str(found.python), *OFFLINE, str(wheel))
    assert (site / "agent_task_tracker").is_dir()
    return found


@pytest.fixture(params=["tracker.py", "tracker/__init__.py"])
def project(request: pytest.FixtureRequest, installed: Installed, tmp_path: Path) -> Project:
    module = tmp_path / request.param
    module.parent.mkdir(exist_ok=True)
    module.write_text(THEIRS, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_theirs.py").write_text(TEST, encoding="utf-8")
    return Project(tmp_path, installed)


@pytest.fixture(params=["", "PYTHONPATH"])
def variables(request: pytest.FixtureRequest, project: Project) -> dict[str, str]:
    """Theirs comes first on the path of imports: in pytest alone, or in every process."""
    return {request.param: str(project.folder)} if request.param else {}


def test_their_tests_run(project: Project, variables: Mapping[str, str]) -> None:
    python = project.installed.python
    done = project.run(python, "-m", "pytest", "-p", "no:cacheprovider", variables=variables)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert (done.returncode, done.stderr) == (0, "")


def test_commands_run(project: Project, variables: Mapping[str, str]) -> None:
    scripts, python = project.installed.scripts, project.installed.python
    for command in (
        [scripts / "tracker"],
        [scripts / "agent-task-tracker"],
        [python, "-m", "agent_task_tracker"],
    ):
        done = project.run(*command, "completion", "bash", variables=variables)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert "_TRACKER_COMPLETE" in done.stdout


def test_pytest_without_the_fixture_does_not_pay_for_a_client() -> None:
    code = f"import sys, {pytest_plugin.__name__}; print('http.client' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        check=True,
        cwd=ROOT,
        env=package_environment(ROOT),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "False"


def test_former_names_are_the_same_things() -> None:
    """What came later has no former name."""
    former = set(tracker.client.__all__) & set(agent_task_tracker.__all__)
    assert len(former) == 7
    for name in former:
        assert getattr(tracker.client, name) is getattr(agent_task_tracker, name)
    for name in former - {"Client"}:
        assert getattr(tracker.errors, name) is getattr(agent_task_tracker, name)
    assert tracker.pytest_plugin.TrackerServer is pytest_plugin.TrackerServer
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = agent_task_tracker.Nothing  # type: ignore[attr-defined]
