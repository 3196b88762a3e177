"""Check that a tag may be released, and write what the release says: scripts/release.py TAG.

Prints the release's notes: the version's part of CHANGELOG.md. Refuses a tag that is not the
version of the code, a version that CHANGELOG.md does not date, changes that it still calls
unreleased, and a repository other than pyproject.toml names (GITHUB_REPOSITORY, where it is set).

scripts/release.py --sums FOLDER writes FOLDER/SHA256SUMS of all else that is in there.
"""

import datetime
import hashlib
import os
import re
import sys
from pathlib import Path

from _environment import ROOT, SetupError, log, run_script

SUMS = "SHA256SUMS"
PLACEHOLDER = "OWNER"


def version_of(root: Path) -> str:
    """Return the version that the code says it has."""
    source = (root / "tracker" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "(.+)"', source)[1]


def repository_of(root: Path) -> str:
    """Return the repository's address, which stands once, in pyproject.toml."""
    import tomllib

    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return pyproject["project"]["urls"]["Repository"]


def sections(changelog: str) -> dict[str, str]:
    """Return the parts of a changelog by what stands behind their `## `."""
    parts = re.split(r"(?m)^## +(.+?) *$", changelog)
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def notes(root: Path, tag: str, repository: str) -> str:
    """Return what a release of this tag says; raises SetupError if it must not be released."""
    version = version_of(root)
    if tag != f"v{version}":
        raise SetupError(f"The tag is {tag}, the code's version is {version}: v{version}.")
    if not re.fullmatch(r"\d+(\.\d+){2}", version):  # `tracker version --check` compares numbers
        raise SetupError(f"{version} is not three numbers with dots between them.")
    address = repository_of(root)
    if f"/{PLACEHOLDER}/" in address:
        raise SetupError(
            f"{PLACEHOLDER} still stands for the repository's owner; docs/releasing.md says "
            "how to put in the real one."
        )
    if repository and address != f"https://github.com/{repository}":
        raise SetupError(f"pyproject.toml names {address}; this is {repository}.")
    parts = sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if parts.get("[Unreleased]"):
        raise SetupError("CHANGELOG.md has changes under [Unreleased]: put them under the version.")
    for name, text in parts.items():
        dated = re.fullmatch(rf"\[{re.escape(version)}\] - (\d{{4}}-\d\d-\d\d)", name)
        if dated and text:
            try:
                datetime.date.fromisoformat(dated[1])
            except ValueError:
                raise SetupError(f"CHANGELOG.md: {dated[1]} is no date.") from None
            return text
    raise SetupError(f"CHANGELOG.md has no part `## [{version}] - YYYY-MM-DD`, or an empty one.")


def write_sums(folder: Path) -> Path:
    """Write the SHA-256 of every file of a folder, in the form of `sha256sum --check`."""
    lines = []
    for path in sorted(folder.iterdir()):
        if path.name != SUMS and path.suffix != ".sha256":
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    if not lines:
        raise SetupError(f"There is nothing in {folder}.")
    sums = folder / SUMS
    sums.write_text("".join(lines), encoding="utf-8")
    return sums


def main() -> None:
    """Do what the arguments say."""
    if len(sys.argv) == 3 and sys.argv[1] == "--sums":
        log(f"Wrote {write_sums(Path(sys.argv[2]))}.")
    elif len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        print(notes(ROOT, sys.argv[1], os.environ.get("GITHUB_REPOSITORY", "")))
    else:
        raise SetupError("Usage: scripts/release.py TAG, or scripts/release.py --sums FOLDER")


if __name__ == "__main__":
    run_script(main)
