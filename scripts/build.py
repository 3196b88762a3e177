"""Build the executable of this checkout: python3 scripts/build.py [--no-archives].

Makes dist/tracker (one file) and dist/tracker-dir/ (one folder, starts faster) for the system it
runs on, and archives of both with SHA-256 sums and the list of contained packages. What is in them
has the versions of requirements-build.txt, which scripts/lock.py writes.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from _environment import ROOT, Environment, SetupError, log, run_script

DIST = ROOT / "dist"
SUFFIX = ".exe" if os.name == "nt" else ""
ONE_FILE = DIST / f"tracker{SUFFIX}"
IN_FOLDER = DIST / "tracker-dir" / f"tracker{SUFFIX}"
SYSTEMS = {"darwin": "macos", "win32": "windows"}
MACHINES = {"amd64": "x86_64", "aarch64": "arm64"}


def build(environment: Environment) -> None:
    """Run PyInstaller; its output is shown only if it fails."""
    log("Building dist/tracker and dist/tracker-dir/ (takes a minute) ...")
    command = [str(environment.python), "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    done = subprocess.run(
        [*command, "--distpath", str(DIST), "tracker.spec"],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},  # for reproducible builds
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise SetupError(f"{done.stdout}\nPyInstaller failed.")


def check_versions(environment: Environment) -> None:
    """Refuse a build with other versions than the locked ones; Python and we are not locked."""
    pins = environment.pins("build").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", pins, re.MULTILINE))
    listed = subprocess.run(
        [str(IN_FOLDER), "licenses", "--json"], check=True, stdout=subprocess.PIPE
    ).stdout.decode("utf-8")
    for package in map(json.loads, listed.splitlines()):
        name = re.sub(r"[-_.]+", "-", package["name"]).lower()
        if name not in ("python", "agent-task-tracker") and locked.get(name) != package["version"]:
            raise SetupError(
                f"{name} {package['version']} is built in; locked is {locked.get(name, 'none')}."
            )


def archive_name() -> str:
    """Name what was built: agent-task-tracker-VERSION-OS-ARCH."""
    source = (ROOT / "tracker" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'__version__ = "(.+)"', source)[1]
    machine = platform.machine().lower()
    system = SYSTEMS.get(sys.platform, sys.platform)
    return f"agent-task-tracker-{version}-{system}-{MACHINES.get(machine, machine)}"


def make_archives() -> list[Path]:
    """Pack each of the two, with our licence and those of all that is contained."""
    licenses = subprocess.run(
        [str(IN_FOLDER), "licenses", "--texts"], check=True, stdout=subprocess.PIPE
    ).stdout
    made = []
    for source, name in ((ONE_FILE, archive_name()), (IN_FOLDER.parent, f"{archive_name()}-dir")):
        folder = ROOT / "build" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if source.is_dir():
            shutil.copytree(source, folder, dirs_exist_ok=True, symlinks=True)
        else:
            shutil.copy2(source, folder)
        shutil.copy2(ROOT / "LICENSE", folder)
        (folder / "LICENSES.txt").write_bytes(licenses)
        kind = "zip" if os.name == "nt" else "gztar"
        made.append(Path(shutil.make_archive(str(DIST / name), kind, folder.parent, name)))
    return made


def write_sums(archives: list[Path]) -> None:
    """Write beside each archive its SHA-256, in the form that `sha256sum --check` reads."""
    for archive in archives:
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        sums = archive.with_name(f"{archive.name}.sha256")
        sums.write_text(f"{digest}  {archive.name}\n", encoding="utf-8")


def main() -> None:
    """Install what is missing, build, pack, and say what came of it."""
    environment = Environment()
    environment.ensure("build")
    environment.pin("build")
    build(environment)
    check_versions(environment)
    results = [ONE_FILE]
    if "--no-archives" not in sys.argv[1:]:
        archives = make_archives()
        write_sums(archives)
        results += archives
    for path in results:
        log(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_script(main)
