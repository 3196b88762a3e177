"""docs/ci.md: its recipes are run, step by step, as the CI system would; the workflows are read."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.support.cli import package_environment
from tests.support.keys import make_key
from tests.support.markdown import ROOT, Document
from tests.support.scripted import Commands
from tests.support.server import COMMAND, KEY, Server, environment, wait_for

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
    "bash -eo pipefail": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
    "dash": ["dash"],
    "sh -e": ["sh", "-e"],
    "busybox sh": ["busybox", "sh"],
    "busybox sh -e": ["busybox", "sh", "-e"],
}
GITHUBS = "bash -eo pipefail"
GITLABS = (GITHUBS, "sh -e", "busybox sh -e")


def in_shells(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "shell",
        [
            pytest.param(name, marks=pytest.mark.skipif(not found, reason="there is no such shell"))
            for name in names
            for found in [shutil.which(SHELLS[name][0])]
        ],
    )


in_any_shell = in_shells("bash", "bash -e", "dash", "sh -e", "busybox sh")

# Of the job's `make test`, and the exit code.
PASSES = ("echo 12 passed", 0)
FAILS = ("echo what went wrong; exit 2", 2)
with_any_tests = pytest.mark.parametrize(
    ("make", "code"), [PASSES, FAILS, ("kill -KILL $$", 137)], ids=["pass", "fail", "are killed"]
)
RELEASE = "agent-task-tracker-1.0.0-linux-x86_64"
SECONDS = 30

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the recipes are for POSIX shells")


class Machine:
    """A CI system's machine: a directory for the job, commands, environment variables."""

    def __init__(self, folder: Path, tracker: str) -> None:
        """`tracker`: the text of the command."""
        self.folder = folder / "job"
        self.bin = folder / "bin"
        self.temporary = folder / "temporary"
        self.home = folder / "home"
        for made in (self.folder, self.bin, self.temporary, self.home):
            made.mkdir()
        self.variables = environment(self.home, TMPDIR=str(self.temporary))
        self.variables["PATH"] = f"{self.bin}:{os.environ['PATH']}"
        self._tracker = tracker
        self.command("tracker", tracker)
        self.tests(PASSES[0])

    def command(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def tests(self, script: str) -> None:
        """What `make test` does."""
        self.command("make", f"#!/bin/sh\n{script}\n")

    def publish(self) -> str:
        """Let the tracker be had from its release alone, as scripts/build.py fills it; its sum."""
        (self.bin / "tracker").unlink()
        archive = self.bin.parent / "release.tar.gz"
        with tarfile.open(archive, "w:gz") as file:
            entry = tarfile.TarInfo(f"{RELEASE}/tracker")
            entry.size, entry.mode = len(self._tracker), 0o755
            file.addfile(entry, io.BytesIO(self._tracker.encode()))
        saves = f'for url; do :; done; echo "$url" >> "{self.bin}/asked"'
        self.command("curl", f'#!/bin/sh\n{saves}; cp "{archive}" "${{url##*/}}"\n')
        return hashlib.sha256(archive.read_bytes()).hexdigest()

    def leave_orphan(self, server: Server) -> None:
        """An earlier job's server still runs; files and variables lead to it."""
        orphans = self.folder / "tracker-ready.json"
        orphans.write_text(json.dumps({**server.ready, "key": KEY}), encoding="utf-8")
        self.variables["TRACKER_READY_FILE"] = str(orphans)

    def run(
        self,
        script: str,
        shell: str = GITHUBS,
        *,
        cancel: Callable[[int], object] | None = None,
        **variables: str,
    ) -> int:
        """Run a step; its exit code. What stays in the background does not hold it up. `cancel` is
        called with the shell's pid, which is that of its group, once the tests have begun."""
        begun = self.bin / "tests-have-begun"
        if cancel is not None:
            self.tests(f"touch '{begun}'; exec sleep 600")
        with (self.folder / "output").open("ab") as output:
            process = subprocess.Popen(
                [*SHELLS[shell], "-c", script],
                cwd=self.folder,
                env={**self.variables, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if cancel is not None:
            wait_for(begun.exists, SECONDS, "the tests")
            cancel(process.pid)
        code = process.wait(SECONDS)
        return code if code >= 0 else 128 - code  # as whoever runs steps says it

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str) -> str:
        (self.folder / name).touch()
        return str(self.folder / name)

    def write_folder(self, name: str) -> str:
        (self.bin.parent / name).mkdir()
        return str(self.bin.parent / name)

    def processes(self) -> list[int]:
        """Those that work in the job's folder."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or is another user's
                if (folder / "cwd").readlink().is_relative_to(self.folder):
                    found.append(int(folder.name))
        return found

    def close(self) -> None:
        """End what a failing test leaves."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def assert_clean(self, *artifacts: str) -> None:
        """Nothing is left but these files."""
        wait_for(lambda: not self.processes(), SECONDS, "no process")
        assert [*self.temporary.iterdir()] == []
        left = {path.name for path in self.folder.iterdir()} - {"output", ".tracker"}
        assert left == {*artifacts, "tracker.log", "tracker.xml"}, self.read("output")
        assert not [path for path in self.home.rglob("*") if path.is_file()]
        assert "Traceback" not in self.read("tracker.log")


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    commands = Commands(tmp_path_factory.mktemp("c") / "s")
    yield commands
    commands.close()


@pytest.fixture
def machine(tmp_path: Path, forked: Commands) -> Iterator[Machine]:
    machine = Machine(tmp_path, forked.script)
    yield machine
    machine.close()


EXECUTED = f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n'


def to_the_shell(pid: int) -> None:
    """As of a container's first process."""
    os.kill(pid, signal.SIGTERM)


def to_the_group(pid: int) -> None:
    """As of a terminal, `timeout` and most CI systems."""
    os.killpg(pid, signal.SIGTERM)


def shown_by(code: int) -> str:
    return "1 failed" if code else "1 completed"


def cases(machine: Machine) -> tuple[str, int]:
    """Of the XML: the name of the suite, and its failures."""
    (suite,) = ET.fromstring(machine.read("tracker.xml"))
    return str(suite.get("name")), int(suite.get("failures") or 0)


in_short = pytest.mark.parametrize("recipe", [SHELL, README], ids=["ci.md", "README"])


@in_short
@in_any_shell
@pytest.mark.parametrize(("make", "code"), [PASSES, FAILS], ids=["pass", "fail"])
def test_a_recipe_for_any_shell(
    machine: Machine, shared_server: Server, recipe: str, shell: str, make: str, code: int
) -> None:
    machine.tests(make)
    machine.leave_orphan(shared_server)
    assert machine.run(recipe, shell) == code, machine.read("output")
    output = machine.read("output")
    assert shown_by(code) in output
    assert ("what went wrong" if code else "12 passed") in output
    assert cases(machine) == ("my-project", min(code, 1))
    machine.assert_clean("tracker-ready.json")
    assert shared_server.http.get("/api/projects/my-project").status_code == 404


@in_any_shell
@pytest.mark.parametrize("cancel", [to_the_shell, to_the_group])
def test_a_cancelled_job(machine: Machine, shell: str, cancel: Callable[[int], object]) -> None:
    assert machine.run(SHELL, shell, cancel=cancel) == 143, machine.read("output")
    if cancel is to_the_shell:  # the server has not heard of it
        assert shown_by(143) in machine.read("output")
        assert cases(machine) == ("my-project", 1)
    machine.assert_clean()


@in_any_shell
def test_a_cancelled_job_of_the_readme(machine: Machine, shell: str) -> None:
    assert machine.run(README, shell, cancel=to_the_group) == 143, machine.read("output")
    (machine.folder / "tracker.xml").touch()
    machine.assert_clean()


def test_the_recipe_with_commands_that_are_executed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, EXECUTED)
    assert machine.run(SHELL, "sh -e") == 0, machine.read("output")
    assert shown_by(0) in machine.read("output")
    machine.assert_clean()


def test_a_job_without_its_server_is_the_same(machine: Machine) -> None:
    """As where the server could not start: the tests run, and say what they say."""
    machine.tests("echo 1 failed; exit 2")
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


def github(
    machine: Machine,
    job: Mapping[str, Any],
    given: Contexts,
    cancel: Callable[[int], object] | None = None,
) -> dict[str, int]:
    """Run a job's steps as GitHub does; the exit codes of those that ran. `cancel`: the tests."""
    contexts = {
        **given,
        "github.workspace": str(machine.folder),
        "github.repository": "owner/name",
    }
    variables = variables_of(job, contexts)
    machine.variables.update(variables, RUNNER_TEMP=machine.write_folder("runner"))
    contexts |= {f"env.{name}": value for name, value in variables.items()}
    for name in ("STEP_SUMMARY", "PATH", "ENV"):
        machine.variables[f"GITHUB_{name}"] = machine.write(name)
    codes: dict[str, int] = {}
    for step in job["steps"]:
        states = {"always()": "true", "success()": "" if any(codes.values()) else "true"}
        condition = step.get("if", "success()")
        if not any(state in condition for state in states):
            condition = f"success() && {condition}"  # as GitHub adds it
        if "run" in step and value_of(condition, {**contexts, **states}):
            codes[step["name"]] = machine.run(
                step["run"],
                cancel=cancel if "make test" in step["run"] else None,
                **variables_of(step, contexts),
            )
            for added in machine.read("PATH").splitlines():
                machine.variables["PATH"] = f"{added}:{machine.variables['PATH']}"
            named = (line.split("=", 1) for line in machine.read("ENV").splitlines())
            machine.variables.update((name, value) for name, value in named)
    return codes


GITHUBS_FILES = ("STEP_SUMMARY", "PATH", "ENV")


def with_sum(job: Mapping[str, Any], sum_: str) -> Any:
    """The job as its user has filled it in."""
    return yaml.safe_load(yaml.safe_dump(job).replace("SHA256: SUM", f"SHA256: {sum_}"))


@with_any_tests
def test_the_recipe_for_github(
    machine: Machine, shared_server: Server, make: str, code: int
) -> None:
    machine.tests(make)
    machine.leave_orphan(shared_server)
    codes = github(machine, with_sum(GITHUB["jobs"]["tests"], machine.publish()), {})
    assert list(codes) == ["Get the tracker", "Start the tracker", "Unit tests", "Summary"]
    assert [*codes.values()] == [0, 0, code, 0], machine.read("output")
    assert shown_by(code) in machine.read("STEP_SUMMARY")
    assert "owner/name" in machine.read("STEP_SUMMARY")
    assert ("what went wrong" in machine.read("STEP_SUMMARY")) == (code == 2)
    assert cases(machine) == ("owner/name", min(code, 1))
    assert f"/v1.0.0/{RELEASE}.tar.gz" in (machine.bin / "asked").read_text()
    machine.assert_clean(*GITHUBS_FILES, "tracker-ready.json")


def test_a_cancelled_job_of_github_has_its_summary(machine: Machine) -> None:
    job = with_sum(GITHUB["jobs"]["tests"], machine.publish())
    codes = github(machine, job, {}, cancel=to_the_group)
    assert [*codes.values()] == [0, 0, 143, 0], machine.read("output")
    assert shown_by(143) in machine.read("STEP_SUMMARY")
    machine.assert_clean(*GITHUBS_FILES)


@pytest.mark.parametrize("sum_", ["SUM", "0" * 64], ids=["not filled in", "of another"])
@pytest.mark.parametrize("job", [GITHUB, FORKS], ids=["GitHub", "forks"])
def test_a_download_with_another_sum_is_not_unpacked(
    machine: Machine, job: Mapping[str, Any], sum_: str
) -> None:
    machine.publish()
    (step,) = [s for s in job["jobs"]["tests"]["steps"] if s.get("name") == "Get the tracker"]
    assert machine.run(step["run"], **{**step["env"], "SHA256": sum_}) != 0
    assert not (machine.folder / ".tracker").exists()


@with_any_tests
def test_a_pull_request_from_a_fork_has_a_server_of_its_own(
    machine: Machine, make: str, code: int
) -> None:
    machine.tests(make)
    codes = github(machine, with_sum(FORKS["jobs"]["tests"], machine.publish()), NO_KEY)
    assert list(codes) == ["Get the tracker", "Start a tracker", "Unit tests", "Summary"]
    assert [*codes.values()] == [0, 0, code, 0], machine.read("output")
    assert shown_by(code) in machine.read("STEP_SUMMARY")
    machine.assert_clean(*GITHUBS_FILES)


@with_any_tests
def test_a_branch_reports_to_the_server_of_the_team(
    machine: Machine, make: str, code: int, shared_server: Server
) -> None:
    machine.tests(make)
    project = f"owner/{code}"
    key = make_key(shared_server, f"ci-{code}", "report", project)
    job = with_sum(FORKS["jobs"]["tests"], machine.publish())
    address = job["env"]["TRACKER_URL"].replace("https://tracker.example.com", shared_server.url)
    job["env"] |= {"TRACKER_URL": address, "TRACKER_PROJECT": project}
    codes = github(machine, job, {"secrets.TRACKER_KEY": key})
    assert codes == {"Get the tracker": 0, "Unit tests": code}, machine.read("output")
    task = shared_server.task(project, "Unit tests")
    assert task["status"] == ("failed" if code else "completed")
    assert not (machine.folder / "tracker.log").exists()


def gitlab(machine: Machine, shell: str, **options: Any) -> int:
    """Run the recipe for GitLab; its exit code."""
    job = with_sum(GITLAB["tests"], machine.publish())
    predefined = {"CI_PROJECT_DIR": str(machine.folder), "CI_PROJECT_PATH": "group/name"}
    variables = {
        name: re.sub(r"\$(\w+)", lambda found: predefined[found[1]], value)
        for name, value in job["variables"].items()
    }
    assert job["artifacts"]["reports"]["junit"] in job["artifacts"]["paths"]
    script = "\n".join([*job["before_script"], *job["script"]])
    return machine.run(script, shell, **variables, **options)


@in_shells(*GITLABS)
@pytest.mark.parametrize(("make", "code"), [PASSES, FAILS], ids=["pass", "fail"])
def test_the_recipe_for_gitlab(
    machine: Machine, shared_server: Server, shell: str, make: str, code: int
) -> None:
    machine.tests(make)
    machine.leave_orphan(shared_server)
    assert gitlab(machine, shell) == code, machine.read("output")
    assert cases(machine) == ("group/name", min(code, 1))
    machine.assert_clean("tracker-ready.json")


@in_shells(*GITLABS)
def test_a_cancelled_job_of_gitlab(machine: Machine, shell: str) -> None:
    assert gitlab(machine, shell, cancel=to_the_group) == 143, machine.read("output")
    (machine.folder / "tracker.xml").touch()
    machine.assert_clean()


def test_jobs_keep_what_the_tracker_wrote() -> None:
    """A step that is run keeps to what `assert_clean` finds; these are kept beyond the machine."""
    for job in (GITHUB, FORKS):
        *_, upload = job["jobs"]["tests"]["steps"]
        assert upload["uses"].startswith("actions/upload-artifact@")
        assert "always()" in upload["if"]
        assert upload["with"]["path"].split() == ["tracker.log", "tracker.xml"]
    artifacts = GITLAB["tests"]["artifacts"]
    assert (artifacts["when"], artifacts["paths"]) == ("always", ["tracker.log", "tracker.xml"])


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
        for step in job.get("steps", [])  # else it is another workflow's
        for word in shlex.split(step.get("run", ""), comments=True)
    ]
    scripts = {word for word in commands if word.endswith(".py")}
    assert scripts
    for script in scripts:
        assert (ROOT / script).is_file(), script
