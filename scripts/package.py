"""Build the sdist and the wheel of this checkout and check them: scripts/package.py [FOLDER].

They go into dist/. An index shows for good what it was given once, so what is wrong has to be seen
before: what twine and check-wheel-contents find, an sdist that makes another wheel, files that
nobody needs.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from _environment import ROOT, Environment, SetupError, log, run_script

PACKAGES = ("agent_task_tracker", "tracker")
# What an sdist has beside the packages; hatchling adds the one with a dot.
BESIDE = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
BESIDE |= {"scripts/_dashboard.py", "scripts/hatch_build.py", "tracker/web/.npmrc"}
KINDS = {".py", ".typed", ".sql", ".js", ".mjs", ".ts", ".css", ".html", ".svg", ".md"}
KINDS |= {".json", ".map", ".woff2", ".png"}


def run(*command: str, cwd: Path = ROOT) -> None:
    """Run a module of this Python; its output is shown only if it fails."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", *command],
        check=False,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise SetupError(f"{done.stdout.strip()}\n{command[0]} failed.")


def build(source: Path, target: str, folder: Path) -> Path:
    """Make a `wheel` or an `sdist` of a folder of sources; returns the only one in `folder`."""
    run("hatchling", "build", "-t", target, "-d", str(folder), cwd=source)
    (made,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return made


def check_contents(sdist: Path) -> None:
    """Refuse an sdist with files that are neither ours nor needed."""
    with tarfile.open(sdist) as archive:
        files = [Path(*Path(name).parts[1:]) for name in archive.getnames()]
    for file in files:
        ours = file.parts[0] in PACKAGES and file.suffix in KINDS
        if not ours and str(file) not in BESIDE:
            raise SetupError(f"{sdist.name} has {file}, which nothing needs.")


def check_same(wheel: Path, sdist: Path, folder: Path) -> None:
    """Refuse an sdist that makes another wheel than the checkout does."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    if build(unpacked, "wheel", folder).read_bytes() != wheel.read_bytes():
        raise SetupError(f"{sdist.name} makes another wheel than this checkout.")


def main() -> None:
    """Build and check in a folder of its own, then put both where they are wanted."""
    environment = Environment()
    if Path(sys.prefix).resolve() != environment.directory.resolve():
        environment.ensure("package")
        environment.run(__file__, *sys.argv[1:])
    wanted = Path(*sys.argv[1:2]) if sys.argv[1:] else ROOT / "dist"
    wanted.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        wheel, sdist = build(ROOT, "wheel", made), build(ROOT, "sdist", made)
        check_contents(sdist)
        check_same(wheel, sdist, Path(folder))
        run("twine", "check", "--strict", str(wheel), str(sdist))
        run("check_wheel_contents", str(wheel))
        for path in (wheel, sdist):
            result = Path(shutil.copy2(path, wanted))
            log(f"{result}  {result.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_script(main)
