"""Build the executable of this checkout: python3 scripts/build.py [--no-archives] [--release]
[--check-reproducible].

Makes dist/tracker (one file) and dist/tracker-dir/ (one folder, starts faster) for the system it
runs on, and archives of both with SHA-256 sums and a list of contents in CycloneDX. What is in them
has the versions of requirements-build.txt, which scripts/lock.py writes. Times in them are
SOURCE_DATE_EPOCH, or the commit's.

--release refuses what needs a newer glibc than 2.28. --check-reproducible builds a second time and
compares.
"""

import filecmp
import gzip
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from _environment import ROOT, Environment, SetupError, log, run_script

DIST = ROOT / "dist"
SUFFIX = ".exe" if os.name == "nt" else ""
ONE_FILE = DIST / f"tracker{SUFFIX}"
IN_FOLDER = DIST / "tracker-dir" / f"tracker{SUFFIX}"
SYSTEMS = {"darwin": "macos", "win32": "windows"}
LARGEST = 32_000_000
MACHINES = {"amd64": "x86_64", "aarch64": "arm64"}


@cache
def epoch() -> int:
    """Seconds since 1970 that stand for now (https://reproducible-builds.org/specs/)."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    except (OSError, subprocess.CalledProcessError):  # not from a clone
        return 315_532_800  # 1980, where zip begins
    return int(done.stdout)


def build(environment: Environment, dist: Path, work: Path) -> None:
    """Run PyInstaller; its output is shown only if it fails."""
    log(f"Building {dist.relative_to(ROOT)}/tracker and tracker-dir/ (takes a minute) ...")
    command = [str(environment.python), "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    done = subprocess.run(
        [*command, "--clean", "--distpath", str(dist), "--workpath", str(work), "tracker.spec"],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": str(epoch())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise SetupError(f"{done.stdout}\nPyInstaller failed.")


def check_versions(environment: Environment) -> None:
    """Refuse a build with other versions than the locked ones; we ourselves are not locked."""
    pins = environment.pins("build").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+==[^\s;]+)", pins, re.MULTILINE))
    listed = subprocess.run(
        [str(IN_FOLDER), "licenses", "--json"], check=True, stdout=subprocess.PIPE
    ).stdout.decode("utf-8")
    for package in map(json.loads, listed.splitlines()):
        address, _, name = package["purl"].partition("pkg:pypi/")
        pin = name.replace("@", "==")
        if not address and pin not in locked and package["name"] != "agent-task-tracker":
            raise SetupError(f"{pin} is built in; it is not locked like that.")


def check_reproducible(environment: Environment) -> None:
    """Build once more, elsewhere. Raises SetupError: something differs."""
    again = ROOT / "build" / "again"
    shutil.rmtree(again, ignore_errors=True)
    build(environment, again / "dist", again / "work")
    first, second = ({path.relative_to(d) for path in files(d)} for d in (DIST, again / "dist"))
    first = {path for path in first if path.parts[0] in (ONE_FILE.name, IN_FOLDER.parent.name)}
    differing = first ^ second
    differing |= {
        path
        for path in first & second
        if not filecmp.cmp(DIST / path, again / "dist" / path, shallow=False)
    }
    if differing:
        raise SetupError(f"Not reproducible: {', '.join(sorted(map(str, differing)))}")
    log(f"Built twice, {len(first)} files are the same.")


def files(folder: Path) -> Iterator[Path]:
    """The files in a folder, links too, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file())


def version() -> str:
    """The checkout's."""
    source = (ROOT / "tracker" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "(.+)"', source)[1]


def archive_name() -> str:
    """Name what was built: agent-task-tracker-VERSION-OS-ARCH."""
    machine = platform.machine().lower()
    system = SYSTEMS.get(sys.platform, sys.platform)
    if system == "linux" and platform.libc_ver()[0] != "glibc":
        system = "linux-musl"
    return f"agent-task-tracker-{version()}-{system}-{MACHINES.get(machine, machine)}"


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
        made.append(pack(folder))
    return made


def pack(folder: Path) -> Path:
    """An archive of the folder, the same for the same contents whenever and by whom it is made."""
    entries = [(path, path.relative_to(folder.parent).as_posix()) for path in files(folder)]
    if os.name == "nt":
        archive = DIST / f"{folder.name}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path, name in entries:
                info = zipfile.ZipInfo(name, time.gmtime(epoch())[:6])
                zipped.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
        return archive
    archive = DIST / f"{folder.name}.tar.gz"
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", mtime=epoch(), fileobj=file) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path, name in entries:
            tar.add(path, name, filter=_anonymous)
    return archive


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = epoch()
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry


def write_sums(archives: list[Path]) -> None:
    """Write beside each file its SHA-256, in the form that `sha256sum --check` reads."""
    for archive in archives:
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        sums = archive.with_name(f"{archive.name}.sha256")
        sums.write_text(f"{digest}  {archive.name}\n", encoding="utf-8")


def main() -> None:
    """Install what is missing, build, look at it, pack, and say what came of it."""
    flags = sys.argv[1:]
    environment = Environment()
    environment.ensure("build")
    environment.pin("build")
    build(environment, DIST, ROOT / "build" / "work")
    check_versions(environment)
    sbom = DIST / f"{archive_name()}.cdx.json"
    look = [str(environment.python), str(ROOT / "scripts" / "contents.py"), str(sbom)]
    look += [archive_name(), version(), *("--release" for flag in flags if flag == "--release")]
    if subprocess.call(look):
        raise SetupError("What was built is not as it should be.")
    results = [ONE_FILE]
    if ONE_FILE.stat().st_size > LARGEST:
        raise SetupError(f"{ONE_FILE.name} has {ONE_FILE.stat().st_size:,} bytes: more than 32 MB.")
    if "--check-reproducible" in flags:
        check_reproducible(environment)
    if "--no-archives" not in flags:
        archives = make_archives()
        write_sums([*archives, sbom])
        results += [*archives, sbom]
    for path in results:
        log(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_script(main)
