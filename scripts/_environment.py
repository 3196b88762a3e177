"""Make and check the checkout's own virtual environment, for the scripts beside this file.

Has to parse on every Python 3: an old one only gets as far as the import of _python, the first.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from contextlib import contextmanager
from pathlib import Path

from _python import replace_process

# isort: split
# Only then: an old Python cannot import it.
from _dashboard import Dashboard, DashboardError, Node, find_node, node_of_wheel

ROOT = Path(__file__).resolve().parent.parent


class SetupError(Exception):
    """The environment cannot be made; the text is for the user."""


class Environment:
    """A checkout's .venv, and the stamp in it that says what it was made from."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.directory = root / ".venv"
        self.python = self.directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.stamp = self.directory / "installed.json"
        self.lock = self.directory / "lock"
        self.dashboard = Dashboard(root)

    def ensure(self, *groups: str, tools: bool = False) -> None:
        """Install the project and these dependency groups and build the dashboard, unless all
        that is there already. `tools`: and what checks and tests the dashboard, from npm."""
        pyproject = self._read_pyproject()
        wanted = self.fingerprints(pyproject, groups)
        tools = tools or not {"lint", "test"}.isdisjoint(groups)
        if self.is_ready(wanted) and self.dashboard.is_built(tools=tools):
            return
        with self._locked() as inherited:
            if self.is_ready(wanted):  # made by another script while this one waited, perhaps
                self._build_dashboard(inherited, tools=tools)
                return
            kept = self.recorded()
            # No stamp while work is in progress: an interrupted installation counts as broken.
            self.stamp.unlink(missing_ok=True)
            if kept.get("base") != wanted["base"] or not self.works():
                kept = {}
                self._make(inherited)
            self._build_dashboard(inherited, tools=tools)
            self._install(pyproject, groups, inherited)
            self.stamp.write_text(json.dumps({**kept, **wanted}, indent=1), encoding="utf-8")

    def fingerprints(self, pyproject: dict, groups) -> dict[str, str]:
        """Hash what each part of the environment is made from: any change asks for pip again."""
        # A virtual environment has its Python and its own path written into it.
        base = [sys.implementation.cache_tag, sysconfig.get_platform(), str(self.root)]
        build = pyproject.get("tool", {}).get("hatch")
        project = [pyproject["project"], pyproject["build-system"], build]
        parts = {"base": base, "project": project}
        for group in groups:
            parts[group] = [project, group_requirements(pyproject, group)]
            if self.pins(group).is_file():
                parts[group].append(self.pins(group).read_text(encoding="utf-8"))
        return {
            name: hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()
            for name, part in parts.items()
        }

    def recorded(self) -> dict[str, str]:
        """Return the fingerprints recorded when the environment was made: none if it is broken."""
        try:
            recorded = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return recorded if isinstance(recorded, dict) else {}

    def is_ready(self, wanted: dict[str, str]) -> bool:
        """Return whether everything wanted is installed, perhaps with more."""
        return wanted.items() <= self.recorded().items() and self.works()

    def works(self) -> bool:
        """Return whether the environment's Python starts and finds the project."""
        probe = "import importlib.util as u, sys; sys.exit(u.find_spec('tracker') is None)"
        try:
            done = subprocess.run(
                [self.python, "-I", "-c", probe], capture_output=True, check=False, cwd=self.root
            )
        except OSError:
            return False
        return done.returncode == 0

    def pins(self, group: str) -> Path:
        """Return the path of a group's lock file: versions with hashes."""
        return self.root / f"requirements-{group}.txt"

    def pin(self, group: str) -> None:
        """Install the locked versions of a group, whatever was installed since `ensure`."""
        with self._locked() as inherited:
            self._pip(inherited, "--require-hashes", "-r", self.pins(group).name)

    def node(self) -> Node:
        """Return what the dashboard is built with."""
        return find_node() or node_of_wheel(str(self.python))

    def run(self, *arguments: str) -> None:
        """Replace this process by the environment's Python with these arguments."""
        replace_process([str(self.python), *arguments])

    def _read_pyproject(self) -> dict:
        import tomllib

        try:
            return tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))
        except ValueError as error:
            raise SetupError(f"pyproject.toml: {error}") from None

    def _make(self, inherited: tuple[int, ...]) -> None:
        try:
            import ensurepip  # noqa: F401 - Debian has it in a package of its own
        except ImportError:
            raise SetupError(
                "This Python has no ensurepip, which making .venv needs. On Debian and Ubuntu: "
                f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv"
            ) from None
        if self.directory.is_symlink():  # somebody else's, perhaps shared
            raise SetupError(
                f".venv is a link to {self.directory.resolve()}, and that is not as this checkout "
                "needs it; what is in there stays. Remove the link, then try again"
            )
        remains = [entry for entry in self.directory.iterdir() if entry != self.lock]
        reason = "again: it is incomplete, moved or of another Python" if remains else "once"
        log(f"Making .venv ({reason}) ...")
        for entry in remains:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        # Not sys.executable: in an activated .venv that is what was just removed.
        python = getattr(sys, "_base_executable", sys.executable)
        command = [python, "-I", "-m", "venv", str(self.directory)]
        self._run_quietly(command, "Could not make .venv.", inherited)

    def _install(self, pyproject: dict, groups, inherited: tuple[int, ...]) -> None:
        parts = ["the project", *(f"its {group} tools" for group in groups)]
        log(f"Installing {' and '.join(parts)} into .venv (may take a minute) ...")
        wanted = []
        for group in groups:
            wanted += group_requirements(pyproject, group)
            if self.pins(group).is_file():
                self._pip(inherited, "--require-hashes", "-r", self.pins(group).name)
        # "-e .": pip would take characters like [ in a path for its own syntax.
        self._pip(inherited, "-e", ".", *wanted)
        self._make_path_relative()

    def _build_dashboard(self, inherited: tuple[int, ...], *, tools: bool) -> None:
        """Before the project is installed: what installs it finds it built."""
        if self.dashboard.is_built(tools=tools):
            return
        log("Building the dashboard (its libraries come from npm) ...")
        if not find_node():
            self._pip(inherited, "--require-hashes", "-r", self.pins("web").name)
        self.dashboard.build(self.node(), tools=tools)

    def _pip(self, inherited: tuple[int, ...], *wanted: str) -> None:
        # -I: a PYTHONPATH must not pass for what is installed. --no-user: some machines set it for
        # every pip.
        command = [str(self.python), "-I", "-m", "pip", "install", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", "--no-user", *wanted]
        self._run_quietly(command, "pip failed: is the network there?", inherited)

    def _make_path_relative(self) -> None:
        # Up to Python 3.12 .pth files are read in the locale's encoding, but build back ends write
        # UTF-8: a non-ASCII checkout path would keep Python from starting. Relative, it is ASCII.
        base = {"base": str(self.directory), "platbase": str(self.directory)}
        for pth in Path(sysconfig.get_path("purelib", "venv", base)).glob("*.pth"):
            if pth.read_bytes() == os.fsencode(self.root):
                pth.write_text(os.path.relpath(self.root, pth.parent), encoding="ascii")

    def _run_quietly(self, command: list[str], hint: str, inherited: tuple[int, ...]) -> None:
        done = subprocess.run(
            command,
            check=False,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            pass_fds=inherited,
        )
        if done.returncode:
            raise SetupError(f"{done.stdout.strip()}\n{hint}")

    @contextmanager
    def _locked(self):
        """Lock out other scripts; yields the descriptors a child must inherit to hold the lock.

        The system releases the lock when its last holder exits, which may be a pip that outlives a
        killed script.
        """
        self.directory.mkdir(exist_ok=True)
        with self.lock.open("ab") as file:
            if not _try_lock(file):
                log("Waiting for another script that works on .venv ...")
                while not _try_lock(file):
                    time.sleep(0.2)
            yield () if os.name == "nt" else (file.fileno(),)


def _try_lock(file) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def group_requirements(pyproject: dict, group: str) -> list[str]:
    """List a dependency group of pyproject.toml (PEP 735), which a venv's own pip may not know."""
    requirements = []
    for entry in pyproject["dependency-groups"][group]:
        if isinstance(entry, dict):
            requirements += group_requirements(pyproject, entry["include-group"])
        else:
            requirements.append(entry)
    return requirements


def log(text: str) -> None:
    """Print a message on standard error; standard output is for what the script runs."""
    print(text, file=sys.stderr, flush=True)


def run_script(main) -> None:
    """Run a script's main function; an error becomes a line and an exit code."""
    try:
        main()
    except KeyboardInterrupt:
        log("Stopped.")
        sys.exit(130)
    except (SetupError, DashboardError, OSError) as error:
        log(str(error))
        sys.exit(1)
