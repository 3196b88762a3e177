"""docs/ci.md: its recipes are run, step by step, as the CI system would; the workflows are read."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.support.cli import package_environment
from tests.support.markdown import ROOT, Document
from tests.support.server import COMMAND, environment

RECIPES = {block.where: block for block in Document("docs/ci.md").blocks}
(SHELL,) = [block.code for block in RECIPES.values() if block.language == "sh"]
(PYTHON,) = [block.code for block in RECIPES.values() if block.language == "python"]
GITHUB, GITLAB = [
    yaml.safe_load(block.code) for block in RECIPES.values() if block.language == "yaml"
]
VERSION_FOLDER = "agent-task-tracker-1.0.0-linux-x86_64"
SECONDS = 60

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the recipes are for POSIX shells")


class Machine:
    """A CI system's machine: a directory for the job, commands, environment variables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "job"
        self.folder.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.variables = environment(folder)
        self.variables["PATH"] = f"{self.bin}:{os.environ['PATH']}"
        tracker = f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n'
        self.command("tracker", tracker)
        self.command("make", "#!/bin/sh\necho 12 passed\n")
        # What a release's address answers: an archive as scripts/build.py names and fills it.
        with tarfile.open(folder / "release.tar.gz", "w:gz") as archive:
            entry = tarfile.TarInfo(f"{VERSION_FOLDER}/tracker")
            entry.size, entry.mode = len(tracker), 0o755
            archive.addfile(entry, io.BytesIO(tracker.encode()))
        self.command("curl", f"#!/bin/sh\necho \"$@\" >> asked\ncat '{folder}/release.tar.gz'\n")

    def command(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(self, script: str, **variables: str) -> int:
        """Run a step; its exit code. What stays in the background does not hold it up."""
        with (self.folder / "output").open("ab") as output:
            return subprocess.call(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
                cwd=self.folder,
                env={**self.variables, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=SECONDS,
            )

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str) -> str:
        (self.folder / name).touch()
        return str(self.folder / name)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    ready = machine.folder / "tracker-ready.json"
    if ready.exists():
        machine.run(f"kill $(grep -o '\"pid\":[0-9]*' '{ready}' | cut -d: -f2)")


def test_the_recipe_for_any_shell(machine: Machine) -> None:
    assert machine.run(SHELL) == 0, machine.read("output")
    output = machine.read("output")
    assert "1 completed" in output
    assert "12 passed" in output
    assert not (machine.folder / "tracker-ready.json").exists()


def test_the_recipe_for_any_shell_when_the_work_fails(machine: Machine) -> None:
    machine.command("make", "#!/bin/sh\necho 1 failed\nexit 2\n")
    assert machine.run(SHELL) == 1


def github(machine: Machine, job: Mapping[str, Any]) -> list[int]:
    """Run a job's steps as GitHub does; their exit codes."""
    contexts = {
        "${{ github.workspace }}": str(machine.folder),
        "${{ github.repository }}": "owner/name",
    }
    for name, value in job["env"].items():
        for expression, meaning in contexts.items():
            value = value.replace(expression, meaning)  # noqa: PLW2901
        machine.variables[name] = value
    machine.variables["GITHUB_STEP_SUMMARY"] = machine.write("summary.md")
    machine.variables["GITHUB_PATH"] = machine.write("github-path")
    codes: list[int] = []
    for step in job["steps"]:
        if "run" in step and (not any(codes) or step.get("if") == "always()"):
            codes.append(machine.run(step["run"]))
            for added in machine.read("github-path").splitlines():
                machine.variables["PATH"] = f"{added}:{machine.variables['PATH']}"
    return codes


def test_the_recipe_for_github(machine: Machine) -> None:
    (machine.bin / "tracker").unlink()  # it is the downloaded one that runs
    assert github(machine, GITHUB["jobs"]["agents"]) == [0, 0, 0, 0, 0], machine.read("output")
    assert "1 completed" in machine.read("summary.md")
    assert "owner/name" in machine.read("summary.md")
    assert len(ET.fromstring(machine.read("tracker.xml")).findall(".//testcase")) == 1
    assert f"/v1.0.0/{VERSION_FOLDER}.tar.gz" in machine.read("asked")


def test_the_recipe_for_github_when_the_work_fails(machine: Machine) -> None:
    machine.command("make", "#!/bin/sh\necho 'what went wrong'\nexit 2\n")
    assert github(machine, GITHUB["jobs"]["agents"]) == [0, 0, 0, 1, 0]
    assert "1 failed" in machine.read("summary.md")
    assert "what went wrong" in machine.read("summary.md")


@pytest.mark.parametrize(("make", "code"), [("echo 12 passed", 0), ("exit 2", 1)])
def test_the_recipe_for_gitlab(machine: Machine, make: str, code: int) -> None:
    (machine.bin / "tracker").unlink()
    machine.command("make", f"#!/bin/sh\n{make}\n")
    job = GITLAB["agents"]
    predefined = {"$CI_PROJECT_DIR": str(machine.folder), "$CI_PROJECT_PATH": "group/name"}
    variables = {name: predefined.get(value, value) for name, value in job["variables"].items()}
    variables["TRACKER_READY_FILE"] = str(machine.folder / "tracker-ready.json")
    script = "\n".join([*job["before_script"], *job["script"]])
    assert machine.run(script, **variables) == code, machine.read("output")
    suite = ET.fromstring(machine.read(job["artifacts"]["reports"]["junit"]))[0]
    assert (suite.get("name"), suite.get("failures")) == ("group/name", str(code))


def test_the_recipe_for_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(PYTHON, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "agent_task_tracker.pytest_plugin"],
        check=False,
        cwd=tmp_path,
        env=package_environment(tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        capture_output=True,
        text=True,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=str)
def test_workflows_run_scripts_that_exist(path: Path) -> None:
    """They cannot run here; what they call at least is there."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    commands = [
        word
        for job in workflow["jobs"].values()
        for step in job["steps"]
        for word in shlex.split(step.get("run", ""), comments=True)
    ]
    scripts = {word for word in commands if word.endswith(".py")}
    assert scripts
    for script in scripts:
        assert (ROOT / script).is_file(), script
