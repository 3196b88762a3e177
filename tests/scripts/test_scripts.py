"""The scripts that set up a checkout: when they make .venv, when they leave it, what they say."""

import ast
import importlib
import importlib.util
import json
import os
import sys
import sysconfig
import threading
from pathlib import Path

import pytest

from tests.support.platforms import needs_posix

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PYPROJECT = """
[build-system]
requires = ["hatchling"]

[project]
name = "agent-task-tracker"
dependencies = ["falcon"]

[dependency-groups]
test = ["pytest", {include-group = "common"}]
common = ["httpx>=0.28"]
"""

# Last on the path: scripts/test.py must not pass for the standard library's test package.
sys.path.append(str(SCRIPTS))
python_script = importlib.import_module("_python")
environment_script = importlib.import_module("_environment")
_spec = importlib.util.spec_from_file_location("scripts_test", SCRIPTS / "test.py")
test_script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(test_script)


class OfflineEnvironment(environment_script.Environment):
    """Makes real virtual environments, but without pip: that part only leaves its traces."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.steps: list[str] = []
        self.pip_fails = False

    def _run_quietly(self, command, hint, inherited) -> None:
        if "pip" not in command:
            self.steps.append("venv")
            super()._run_quietly([*command, "--without-pip"], hint, inherited)
            return
        self.steps.append("pip " + " ".join(command[command.index("--no-user") + 1 :]))
        if self.pip_fails:
            failure = [sys.executable, "-c", "print('no route'); raise SystemExit(1)"]
            super()._run_quietly(failure, hint, inherited)
        # What a build back end writes for an editable install.
        self.pth.write_bytes(os.fsencode(self.root))

    @property
    def pth(self) -> Path:
        base = {"base": str(self.directory), "platbase": str(self.directory)}
        return Path(sysconfig.get_path("purelib", "venv", base)) / "_agent_task_tracker.pth"

    def steps_of_ensure(self, *groups: str) -> list[str]:
        self.steps.clear()
        self.ensure(*groups)
        return self.steps


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "a b [x] Идея"
    (root / "tracker").mkdir(parents=True)
    (root / "tracker" / "__init__.py").touch()
    (root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    return root


@pytest.fixture
def environment(checkout: Path) -> OfflineEnvironment:
    return OfflineEnvironment(checkout)


def program(path: Path, exit_code: int = 0) -> str:
    """Write a program that only exits."""
    path.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    path.chmod(0o755)
    return str(path)


def test_made_once_then_left_alone(environment, capsys) -> None:
    assert environment.steps_of_ensure() == ["venv", "pip -e ."]
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [
        "Making .venv (once) ...",
        "Installing the project into .venv (may take a minute) ...",
    ]
    assert environment.steps_of_ensure() == []
    assert capsys.readouterr().err == ""


def test_groups_are_added_on_demand_and_serve_the_smaller_demand(environment) -> None:
    environment.ensure()
    assert environment.steps_of_ensure("test") == ["pip -e . pytest httpx>=0.28"]
    assert environment.steps_of_ensure() == []
    assert environment.steps_of_ensure("common") == ["pip -e . httpx>=0.28"]
    assert environment.steps_of_ensure("test") == []


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ('"falcon"', '"falcon>=4"', ["pip -e ."]),
        ('"hatchling"', '"hatchling>=1.27"', ["pip -e ."]),
        ('"pytest"', '"pytest>=8"', []),
        ("[build-system]", "[tool.ruff]\nline-length = 100\n[build-system]", []),
        ("[build-system]", "[tool.hatch.version]\npath = 'x'\n[build-system]", ["pip -e ."]),
    ],
)
def test_only_what_matters_to_the_installation_asks_for_pip(environment, old, new, steps) -> None:
    environment.ensure()
    changed = PYPROJECT.replace(old, new)
    (environment.root / "pyproject.toml").write_text(changed, encoding="utf-8")
    assert environment.steps_of_ensure() == steps


def test_what_is_locked_comes_first_and_its_change_asks_for_pip(environment) -> None:
    environment.ensure("common")
    pins = environment.root / "requirements-common.txt"
    pins.write_text("httpx==0.28 --hash=sha256:1\n", encoding="utf-8")
    locked = f"pip --require-hashes -r {pins.name}"
    assert environment.steps_of_ensure("common") == [locked, "pip -e . httpx>=0.28"]
    assert environment.steps_of_ensure("common") == []
    pins.write_text("httpx==0.29 --hash=sha256:2\n", encoding="utf-8")
    assert environment.steps_of_ensure("common") == [locked, "pip -e . httpx>=0.28"]
    environment.steps.clear()
    environment.pin("common")
    assert environment.steps == [locked]


def test_project_reinstalled_alone_renews_its_groups_later(environment) -> None:
    environment.ensure("test")
    changed = PYPROJECT.replace('"falcon"', '"falcon>=4"')
    (environment.root / "pyproject.toml").write_text(changed, encoding="utf-8")
    assert environment.steps_of_ensure() == ["pip -e ."]
    assert environment.steps_of_ensure("test") == ["pip -e . pytest httpx>=0.28"]


def remove_stamp(environment) -> None:
    environment.stamp.unlink()


def garble_stamp(environment) -> None:
    environment.stamp.write_text("[]")


def remove_python(environment) -> None:
    environment.python.unlink()


def uninstall_project(environment) -> None:
    environment.pth.unlink()


def change_python(environment) -> None:
    recorded = json.loads(environment.stamp.read_text())
    environment.stamp.write_text(json.dumps({**recorded, "base": "another"}))


@pytest.mark.parametrize(
    "damage", [remove_stamp, garble_stamp, remove_python, uninstall_project, change_python]
)
def test_broken_environment_is_made_again(environment, damage, capsys) -> None:
    environment.ensure()
    leftover = environment.directory / "leftover"
    leftover.touch()
    damage(environment)
    assert environment.steps_of_ensure() == ["venv", "pip -e ."]
    assert not leftover.exists()
    assert "Making .venv (again: " in capsys.readouterr().err
    assert environment.works()


def test_moved_checkout_is_made_again(environment, tmp_path: Path) -> None:
    environment.ensure()
    moved = OfflineEnvironment(environment.root.rename(tmp_path / "moved"))
    assert moved.steps_of_ensure() == ["venv", "pip -e ."]


@needs_posix
def test_what_a_link_leads_to_is_left_alone(environment, tmp_path: Path) -> None:
    environment.ensure()
    shared = environment.directory.rename(tmp_path / "shared")
    environment.directory.symlink_to(shared)
    (shared / "installed.json").unlink()
    kept = sorted(shared.rglob("*"))
    with pytest.raises(environment_script.SetupError, match="is a link"):
        environment.ensure()
    assert [path for path in kept if not path.exists()] == []


def test_interrupted_addition_counts_as_broken(environment) -> None:
    environment.ensure()
    environment.pip_fails = True
    with pytest.raises(environment_script.SetupError):
        environment.ensure("test")
    environment.pip_fails = False
    assert environment.steps_of_ensure() == ["venv", "pip -e ."]


def test_failing_pip_shows_its_output_and_leaves_nothing_that_passes(environment) -> None:
    environment.pip_fails = True
    with pytest.raises(environment_script.SetupError, match=r"^no route\npip failed: .*network"):
        environment.ensure()
    environment.pip_fails = False
    assert environment.steps_of_ensure() == ["venv", "pip -e ."]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_non_ascii_checkout_is_found_in_any_locale(environment, monkeypatch, locale) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    environment.ensure()
    assert environment.pth.read_bytes().isascii()
    assert environment.works()


def test_two_at_once_install_once(checkout) -> None:
    environments = [OfflineEnvironment(checkout) for _ in range(3)]
    threads = [threading.Thread(target=environment.ensure) for environment in environments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(environment.steps) for environment in environments) == [0, 0, 2]
    assert environments[0].works()


def test_unreadable_pyproject_is_one_line(environment) -> None:
    (environment.root / "pyproject.toml").write_text("<<<<<<<")
    with pytest.raises(environment_script.SetupError, match=r"^pyproject\.toml: .*line 1"):
        environment.ensure()


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "Stopped."),
        (environment_script.SetupError("No way."), 1, "No way."),
        (PermissionError(13, "Permission denied", ".venv"), 1, "Permission denied"),
    ],
)
def test_failures_are_a_line_and_an_exit_code(raised, code, line, capsys) -> None:
    def main() -> None:
        raise raised

    with pytest.raises(SystemExit) as stopped:
        environment_script.run_script(main)
    assert stopped.value.code == code
    output = capsys.readouterr()
    assert line in output.err
    assert output.err.count("\n") == 1
    assert output.out == ""


@pytest.mark.parametrize(
    "name", ["_python", "_environment", "serve", "test", "lint", "lock", "lowest", "package"]
)
def test_old_python_gets_as_far_as_the_message(name: str) -> None:
    script = SCRIPTS / f"{name}.py"
    tree = ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 7))
    imports = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert "__future__" not in imports
    assert name == "_python" or {"_python", "_environment"} & set(imports)


def test_too_old_python_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        python_script.require_python((3, 9, 2), search_path=str(tmp_path))
    assert stopped.value.code == (
        "Python 3.11 or newer is needed, this is 3.9: start the script with a newer one."
    )


def test_new_enough_python_goes_on(tmp_path: Path) -> None:
    assert python_script.require_python((3, 11, 0), search_path=str(tmp_path)) is None


@needs_posix
def test_newer_python_on_path_takes_over(tmp_path: Path, monkeypatch) -> None:
    program(tmp_path / "python3.13", exit_code=127)  # a shim with nothing behind it
    newer = program(tmp_path / "python3.12")
    monkeypatch.setattr(sys, "argv", ["scripts/serve.py", "--port", "1"])
    replaced = []
    monkeypatch.setattr(python_script, "replace_process", replaced.append)
    with pytest.raises(SystemExit):  # only because the stand-in of replace_process returns
        python_script.require_python((3, 9, 2), search_path=str(tmp_path))
    assert replaced == [[newer, "scripts/serve.py", "--port", "1"]]


WORKERS = str((os.cpu_count() or 1) + 2)


@pytest.mark.parametrize(
    "arguments", [[], ["-x"], ["tests/test_api.py"], ["-k", "name"], ["--no-header"]]
)
def test_tests_run_in_parallel(arguments) -> None:
    assert test_script.xdist_options(arguments) == ["-n", WORKERS, "--dist", "worksteal"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-n", "3"],
        ["-n0"],
        ["--numprocesses=2"],
        ["--dist", "load"],
        ["-p", "no:xdist"],
        ["-pno:xdist"],
        ["-x", "--pdb"],
        ["-s"],
        ["--collect-only"],
    ],
)
def test_user_decides_how_tests_run(arguments) -> None:
    assert test_script.xdist_options(arguments) == []


@pytest.fixture
def no_browser(tmp_path: Path, monkeypatch):
    """Hide the machine's browsers: PATH has only `tmp_path`/bin."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("TRACKER_CHROMIUM", "")
    monkeypatch.delenv("TRACKER_REQUIRE_BROWSER", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(
        test_script, "install_commands", lambda _: {"a shop": [["no-such-program"]]}
    )
    return tmp_path / "bin"


@pytest.fixture
def pytest_run(tmp_path: Path, monkeypatch) -> list[tuple[str, ...]]:
    """Stand in for test.py's environment; collects what it would have run."""
    runs: list[tuple[str, ...]] = []

    class Stub(environment_script.Environment):
        def __init__(self) -> None:
            super().__init__(tmp_path)
            self.python = Path(program(tmp_path / "python"))

        def ensure(self, *groups: str) -> None:
            assert groups == ("test",)

        def run(self, *arguments: str) -> None:
            runs.append((os.environ["TRACKER_CHROMIUM"], *arguments))

    monkeypatch.setattr(test_script, "Environment", Stub)
    monkeypatch.setattr(sys, "argv", ["test.py", "-n0"])
    monkeypatch.chdir(SCRIPTS)
    return runs


@needs_posix
def test_browser_of_path_is_given_to_pytest(no_browser, pytest_run) -> None:
    program(no_browser / "chromium", exit_code=1)  # such as a stub that wants a snap
    chrome = program(no_browser / "google-chrome")
    test_script.main()
    assert pytest_run == [(chrome, "-m", "pytest", "-n0")]
    assert Path.cwd() == SCRIPTS.parent


@needs_posix
@pytest.mark.parametrize("named", [False, True])
def test_the_build_without_windows_is_preferred(no_browser, pytest_run, monkeypatch, named) -> None:
    chromium, shell = program(no_browser / "chromium"), no_browser / "chromium-headless-shell"
    program(shell)
    if named:
        monkeypatch.setenv("TRACKER_CHROMIUM", chromium)
    test_script.main()
    program(shell, exit_code=1)
    monkeypatch.setenv("TRACKER_CHROMIUM", chromium if named else "")
    test_script.main()
    assert [browser for browser, *_ in pytest_run] == [str(shell), chromium]


@needs_posix
@pytest.mark.parametrize("has_lists", [True, False])
def test_where_a_browser_is_required_that_build_is_installed(
    no_browser, pytest_run, monkeypatch, has_lists
) -> None:
    chromium, shell = program(no_browser / "chromium"), no_browser / "chromium-headless-shell"
    lists = no_browser / "lists"
    if has_lists:
        lists.touch()

    def apt(command, seconds):
        if "update" in command:
            lists.touch()
        elif command[-1] == shell.name and lists.exists():
            program(shell)
        elif command[0] != chromium and command[0] != str(shell):
            return "no such package"
        return ""

    monkeypatch.setattr(test_script, "can_use_apt", lambda: True)
    monkeypatch.setattr(test_script, "try_command", apt)
    test_script.main()
    assert not shell.exists()
    monkeypatch.setenv("TRACKER_REQUIRE_BROWSER", "1")
    monkeypatch.setenv("TRACKER_CHROMIUM", "")
    test_script.main()
    assert [browser for browser, *_ in pytest_run] == [chromium, str(shell)]


@needs_posix
def test_without_browser_the_tests_run_and_say_so(no_browser, pytest_run, capsys) -> None:
    test_script.main()
    assert pytest_run == [("", "-m", "pytest", "-n0")]
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("No Chromium found, and none could be installed (a shop: ")
    assert last.endswith("The browser tests will be skipped.")


@needs_posix
def test_required_browser_that_cannot_be_had_fails(no_browser, pytest_run, monkeypatch) -> None:
    monkeypatch.setenv("TRACKER_REQUIRE_BROWSER", "1")
    with pytest.raises(environment_script.SetupError, match="No Chromium found"):
        test_script.main()
    assert pytest_run == []


@needs_posix
def test_named_browser_that_does_not_start_fails(no_browser, pytest_run, monkeypatch) -> None:
    program(no_browser / "chromium")
    monkeypatch.setenv("TRACKER_CHROMIUM", program(no_browser / "mine", exit_code=1))
    with pytest.raises(environment_script.SetupError, match=r"TRACKER_CHROMIUM=.*does not start"):
        test_script.main()
    assert pytest_run == []


@needs_posix
def test_browser_is_installed_where_it_can_be(no_browser, pytest_run, monkeypatch, capsys) -> None:
    chromium = no_browser / "chromium"
    write = f"import pathlib as p; f = p.Path({str(chromium)!r}); f.write_text('#!/bin/sh\\n')"
    install = [sys.executable, "-c", f"{write}; f.chmod(0o755)"]
    ways = {"refused": [["no-such-program"]], "granted": [install], "not tried": [install]}
    monkeypatch.setattr(test_script, "install_commands", lambda _: ways)
    test_script.main()
    assert pytest_run == [(str(chromium), "-m", "pytest", "-n0")]
    assert capsys.readouterr().err.splitlines() == [
        "Installing Chromium with refused (once) ...",
        "Installing Chromium with granted (once) ...",
    ]


def test_no_browser_is_looked_for_if_not_wanted(no_browser, pytest_run, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["test.py", "-n0", "-m", "not browser"])
    monkeypatch.setenv("TRACKER_REQUIRE_BROWSER", "1")
    test_script.main()
    assert pytest_run == [("", "-m", "pytest", "-n0", "-m", "not browser")]


@needs_posix
@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("Reading lists\nE: Unable to locate package chromium\nbye", "E: Unable to locate package"),
        ("Downloading\nError: getaddrinfo ENOTFOUND\n at x", "Error: getaddrinfo ENOTFOUND"),
        ("nothing to learn from", "exit code 3"),
    ],
)
def test_failed_attempt_gives_the_reason(output, reason) -> None:
    code = f"print({output!r}); raise SystemExit(3)"
    assert test_script.try_command([sys.executable, "-c", code], seconds=20).startswith(reason)


def test_attempt_is_bounded() -> None:
    endless = [sys.executable, "-c", "import time; time.sleep(60)"]
    assert test_script.try_command(endless, seconds=0.2) == "took longer than 0.2 seconds"
