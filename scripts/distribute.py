"""Fill in packaging/ from a release's files: python3 scripts/distribute.py FOLDER [--deb].

FOLDER has what scripts/build.py makes on each system. Added are the Debian packages, one for each
machine whose archive is there, and, without --deb, the definitions for Homebrew, scoop and winget,
in one archive. Version and sums are those of the files. Needs dpkg-deb.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from _environment import ROOT, SetupError, log, run_script
from release import repository_of, version_of

PACKAGING = ROOT / "packaging"
NAME = "agent-task-tracker"
DEBIAN = {"linux-x86_64-dir.tar.gz": "amd64", "linux-arm64-dir.tar.gz": "arm64"}
# @version@, @sha256 linux-x86_64.tar.gz@; systemd's names begin with @, too.
FIELD = re.compile(r"@([a-z]+|(?:url|folder|sha256|SHA256) [\w.-]+)@")
# In the package: where from, where to, with which rights.
FILES = (
    ("agent-task-tracker.service", "usr/lib/systemd/system/agent-task-tracker.service", 0o644),
    ("default", "etc/default/agent-task-tracker", 0o644),
    ("control", "DEBIAN/control", 0o644),
    ("postinst", "DEBIAN/postinst", 0o755),
    ("prerm", "DEBIAN/prerm", 0o755),
    ("postrm", "DEBIAN/postrm", 0o755),
)


class Release:
    """A version, and the folder of its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = version_of(ROOT)
        self.repository = repository_of(ROOT)

    def archive(self, platform: str) -> Path:
        """Return the file of a platform, such as linux-x86_64.tar.gz."""
        return self.folder / f"{NAME}-{self.version}-{platform}"

    def fill(self, text: str, **further: str) -> str:
        """Put the release's figures into a definition."""
        given = {
            "version": self.version,
            "repository": self.repository,
            "publisher": self.repository.split("/")[-2],
            **further,
        }

        def value(found: re.Match) -> str:
            what, _, platform = found[1].partition(" ")
            if not platform:
                return given[what]
            archive = self.archive(platform)
            if not archive.is_file():
                raise SetupError(f"{self.folder} has no {archive.name}.")
            if what == "url":
                return f"{self.repository}/releases/download/v{self.version}/{archive.name}"
            if what == "folder":
                return re.sub(r"\.(tar\.gz|zip)$", "", archive.name)
            digest = hashlib.sha256(archive.read_bytes()).hexdigest()
            return digest.upper() if what == "SHA256" else digest

        return FIELD.sub(value, text)


def make_definitions(release: Release) -> Path:
    """Fill in those that name files of several systems."""
    name = f"{NAME}-{release.version}-packaging"
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("homebrew", "scoop", "winget"):
            made = Path(folder) / name / kind
            made.mkdir(parents=True)
            for source in sorted((PACKAGING / kind).iterdir()):
                filled = release.fill(source.read_text(encoding="utf-8"))
                (made / source.name).write_text(filled, encoding="utf-8", newline="\n")
        return Path(shutil.make_archive(str(release.folder / name), "zip", folder, name))


def make_deb(release: Release, archive: Path, architecture: str) -> Path:
    """Make a Debian package of a folder build."""
    made = release.folder / f"{NAME}_{release.version}-1_{architecture}.deb"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        library = root / "usr/lib" / NAME
        library.parent.mkdir(parents=True)
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="tar")
        (Path(folder) / archive.name.removesuffix(".tar.gz")).rename(library)
        documents = root / "usr/share/doc" / NAME
        documents.mkdir(parents=True)
        (library / "LICENSE").rename(documents / "copyright")
        (library / "LICENSES.txt").rename(documents / "LICENSES.txt")
        (root / "usr/bin").mkdir()
        (root / "usr/bin/tracker").symlink_to(f"../lib/{NAME}/tracker")
        size = sum(path.lstat().st_size for path in root.rglob("*") if path.is_file())
        for source, target, mode in FILES:
            path = root / target
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (PACKAGING / "deb" / source).read_text(encoding="utf-8")
            filled = release.fill(text, architecture=architecture, kilobytes=str(size // 1024 + 1))
            path.write_text(filled, encoding="utf-8")
            path.chmod(mode)
        (root / "DEBIAN/conffiles").write_text(f"/etc/default/{NAME}\n", encoding="utf-8")
        for path in (root, *(path for path in root.rglob("*") if path.is_dir())):
            path.chmod(0o755)
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(made)]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SetupError("dpkg-deb failed.")
    return made


def main() -> None:
    """Make all that can be made of what is there."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--deb"]
    if len(arguments) != 1:
        raise SetupError("Usage: scripts/distribute.py FOLDER [--deb]")
    release = Release(Path(arguments[0]))
    made = [
        make_deb(release, release.archive(platform), architecture)
        for platform, architecture in DEBIAN.items()
        if release.archive(platform).is_file()
    ]
    if "--deb" not in sys.argv[1:]:
        made.append(make_definitions(release))
    if not made:
        raise SetupError(f"{release.folder} has no archive of {release.version} for Debian.")
    for path in made:
        log(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_script(main)
