"""docs/ci.md: its recipes are run, step by step, as the CI system would; the workflows are read."""

from __future__ import annotations

import io
import os
import re
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
from tests.support.keys import make_key
from tests.support.markdown import ROOT, Document
from tests.support.server import COMMAND, Server, environment

RECIPES = {block.where: block for block in Document("docs/ci.md").blocks}
(SHELL,) = [block.code for block in RECIPES.values() if block.language == "sh"]
(PYTHON,) = [block.code for block in RECIPES.values() if block.language == "python"]
GITHUB, FORKS, GITLAB = [
    yaml.safe_load(block.code) for block in RECIPES.values() if block.language == "yaml"
]
(README,) = [
    block.code for block in Document("README.md").blocks if "serve --ephemeral" in block.code
]

# As CI systems, containers and people run scripts.
SHELLS = {
    "bash": ["bash", "--noprofile", "--norc"],
    "bash -e": ["bash", "--noprofile", "--norc", "-e"],
    "GitHub's bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
    "dash": ["dash"],
    "sh -e": ["sh", "-e"],
}
in_any_shell = pytest.mark.parametrize("shell", SHELLS)

# Of the job's `make test`, and the exit code.
TESTS = [("echo 12 passed", 0), ("echo what went wrong; exit 2", 2)]
with_tests = pytest.mark.parametrize(("make", "code"), TESTS)
with_any_tests = pytest.mark.parametrize(("make", "code"), [*TESTS, ("kill -KILL $$", 137)])
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

    def run(self, script: str, shell: str = "GitHub's bash", **variables: str) -> int:
        """Run a step; its exit code. What stays in the background does not hold it up."""
        with (self.folder / "output").open("ab") as output:
            code = subprocess.call(
                [*SHELLS[shell], "-c", script],
                cwd=self.folder,
                env={**self.variables, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=SECONDS,
            )
        return code if code >= 0 else 128 - code  # as whoever runs steps says it

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


def shown_by(code: int) -> str:
    return "1 failed" if code else "1 completed"


@in_any_shell
@with_tests
def test_the_recipe_for_any_shell(machine: Machine, shell: str, make: str, code: int) -> None:
    machine.command("make", f"#!/bin/sh\n{make}\n")
    assert machine.run(SHELL, shell) == code, machine.read("output")
    output = machine.read("output")
    assert shown_by(code) in output
    assert ("what went wrong" if code else "12 passed") in output
    assert not (machine.folder / "tracker-ready.json").exists()


@in_any_shell
@with_tests
def test_the_recipe_of_the_readme(machine: Machine, shell: str, make: str, code: int) -> None:
    machine.command("make", f"#!/bin/sh\n{make}\n")
    assert machine.run(README, shell) == code, machine.read("output")
    assert shown_by(code) in machine.read("output")


def test_a_job_without_its_server_is_the_same(machine: Machine) -> None:
    """As where the server could not start: the tests run, and say what they say."""
    machine.command("make", "#!/bin/sh\necho 1 failed\nexit 2\n")
    (step,) = [
        step for step in GITHUB["jobs"]["tests"]["steps"] if step.get("name") == "Unit tests"
    ]
    named = {"TRACKER_READY_FILE": str(machine.folder / "tracker-ready.json")}
    assert machine.run(step["run"], TRACKER_PROJECT="p", **named) == 2
    assert machine.read("output") == "1 failed\n"


Contexts = Mapping[str, str]

# To a fork.
NO_KEY: Contexts = {"secrets.TRACKER_KEY": ""}


def value_of(expression: str, contexts: Contexts) -> str:
    """Of names, texts, `==` and `&&`, which is all that the recipes need."""
    if " && " in expression:
        first, _, rest = expression.partition(" && ")
        return value_of(rest, contexts) if value_of(first, contexts) else ""
    if " == " in expression:
        one, other = (value_of(part, contexts) for part in expression.split(" == "))
        return "true" if one == other else ""
    if expression.startswith("'"):
        return expression.strip("'")
    return contexts[expression]


def variables_of(described: Mapping[str, Any], contexts: Contexts) -> dict[str, str]:
    """Of a job or a step."""
    return {
        name: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: value_of(found[1], contexts), value)
        for name, value in described.get("env", {}).items()
    }


def github(machine: Machine, job: Mapping[str, Any], given: Contexts) -> dict[str, int]:
    """Run a job's steps as GitHub does; the exit codes of those that ran."""
    contexts = {
        **given,
        "github.workspace": str(machine.folder),
        "github.repository": "owner/name",
    }
    variables = variables_of(job, contexts)
    machine.variables.update(variables)
    contexts |= {f"env.{name}": value for name, value in variables.items()}
    machine.variables["GITHUB_STEP_SUMMARY"] = machine.write("summary.md")
    machine.variables["GITHUB_PATH"] = machine.write("github-path")
    codes: dict[str, int] = {}
    for step in job["steps"]:
        states = {"always()": "true", "success()": "" if any(codes.values()) else "true"}
        condition = step.get("if", "success()")
        if not any(state in condition for state in states):
            condition = f"success() && {condition}"  # as GitHub adds it
        if "run" in step and value_of(condition, {**contexts, **states}):
            codes[step["name"]] = machine.run(step["run"], **variables_of(step, contexts))
            for added in machine.read("github-path").splitlines():
                machine.variables["PATH"] = f"{added}:{machine.variables['PATH']}"
    return codes


@with_any_tests
def test_the_recipe_for_github(machine: Machine, make: str, code: int) -> None:
    (machine.bin / "tracker").unlink()  # it is the downloaded one that runs
    machine.command("make", f"#!/bin/sh\n{make}\n")
    codes = github(machine, GITHUB["jobs"]["tests"], {})
    assert list(codes) == ["Get the tracker", "Start the tracker", "Unit tests", "Summary"]
    assert [*codes.values()] == [0, 0, code, 0], machine.read("output")
    assert shown_by(code) in machine.read("summary.md")
    assert "owner/name" in machine.read("summary.md")
    assert ("what went wrong" in machine.read("summary.md")) == (code == 2)
    assert len(ET.fromstring(machine.read("tracker.xml")).findall(".//testcase")) == 1
    assert f"/v1.0.0/{VERSION_FOLDER}.tar.gz" in machine.read("asked")


@with_any_tests
def test_a_pull_request_from_a_fork_has_a_server_of_its_own(
    machine: Machine, make: str, code: int
) -> None:
    machine.command("make", f"#!/bin/sh\n{make}\n")
    codes = github(machine, FORKS["jobs"]["tests"], NO_KEY)
    assert list(codes) == ["Get the tracker", "Start a tracker", "Unit tests", "Summary"]
    assert [*codes.values()] == [0, 0, code, 0], machine.read("output")
    assert shown_by(code) in machine.read("summary.md")


@with_any_tests
def test_a_branch_reports_to_the_server_of_the_team(
    machine: Machine, make: str, code: int, shared_server: Server
) -> None:
    machine.command("make", f"#!/bin/sh\n{make}\n")
    project = f"owner/{code}"
    key = make_key(shared_server, f"ci-{code}", "report", project)
    job = {**FORKS["jobs"]["tests"]}
    job["env"] = {
        **job["env"],
        "TRACKER_URL": job["env"]["TRACKER_URL"].replace(
            "https://tracker.example.com", shared_server.url
        ),
        "TRACKER_PROJECT": project,
    }
    codes = github(machine, job, {"secrets.TRACKER_KEY": key})
    assert codes == {"Get the tracker": 0, "Unit tests": code}, machine.read("output")
    task = shared_server.task(project, "Unit tests")
    assert task["status"] == ("failed" if code else "completed")
    assert not (machine.folder / "tracker-ready.json").exists()


@in_any_shell
@with_tests
def test_the_recipe_for_gitlab(machine: Machine, shell: str, make: str, code: int) -> None:
    (machine.bin / "tracker").unlink()
    machine.command("make", f"#!/bin/sh\n{make}\n")
    job = GITLAB["tests"]
    predefined = {"$CI_PROJECT_DIR": str(machine.folder), "$CI_PROJECT_PATH": "group/name"}
    variables = {name: predefined.get(value, value) for name, value in job["variables"].items()}
    variables["TRACKER_READY_FILE"] = str(machine.folder / "tracker-ready.json")
    script = "\n".join([*job["before_script"], *job["script"]])
    assert machine.run(script, shell, **variables) == code, machine.read("output")
    suite = ET.fromstring(machine.read(job["artifacts"]["reports"]["junit"]))[0]
    assert (suite.get("name"), suite.get("failures")) == ("group/name", str(min(code, 1)))


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
