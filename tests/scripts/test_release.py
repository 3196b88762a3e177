"""scripts/release.py: which tag may be released, and what the release says."""

from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.markdown import ROOT

REPOSITORY = "somebody/agent-task-tracker"
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-11-27

### Added

- A thing.

## [1.1.0] - 2026-10-01

- Another.
"""


@pytest.fixture(scope="module")
def release() -> ModuleType:
    sys.path.append(str(ROOT / "scripts"))
    return importlib.import_module("release")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "tracker").mkdir()
    (tmp_path / "tracker/__init__.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "pyproject.toml").write_text(
        f'[project.urls]\nRepository = "https://github.com/{REPOSITORY}"\n'
    )
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


@pytest.mark.parametrize("repository", [REPOSITORY, ""])
def test_the_notes_are_the_versions_part_of_the_changelog(
    release: ModuleType, checkout: Path, repository: str
) -> None:
    assert release.notes(checkout, "v1.2.0", repository) == "### Added\n\n- A thing."


@pytest.mark.parametrize(
    ("tag", "file", "old", "new", "why"),
    [
        ("v1.2.1", "", "", "", "The tag is v1.2.1, the code's version is 1.2.0"),
        ("1.2.0", "", "", "", "The tag is 1.2.0"),
        ("v1.2.0rc1", "tracker/__init__.py", "1.2.0", "1.2.0rc1", "1.2.0rc1 is not three numbers"),
        ("v1.2.0", "CHANGELOG.md", "[1.2.0]", "[1.3.0]", "no part `## [1.2.0] - YYYY-MM-DD`"),
        ("v1.2.0", "CHANGELOG.md", " - 2026-11-27", "", "no part"),
        ("v1.2.0", "CHANGELOG.md", "### Added\n\n- A thing.", "", "or an empty one"),
        ("v1.2.0", "CHANGELOG.md", "2026-11-27", "2026-11-31", "2026-11-31 is no date"),
        ("v1.2.0", "CHANGELOG.md", "[Unreleased]\n", "[Unreleased]\n\n- X.\n", "[Unreleased]"),
        ("v1.2.0", "CHANGELOG.md", "1.2.0", "1x2x0", "no part"),
        ("v1.2.0", "pyproject.toml", "somebody", "fork", "this is somebody/agent-task-tracker"),
        ("v1.2.0", "pyproject.toml", "somebody", "OWNER", "docs/releasing.md"),
    ],
)
def test_what_must_not_be_released(
    release: ModuleType, checkout: Path, tag: str, file: str, old: str, new: str, why: str
) -> None:
    if file:
        text = (checkout / file).read_text()
        assert old in text
        (checkout / file).write_text(text.replace(old, new))
    with pytest.raises(release.SetupError) as refused:
        release.notes(checkout, tag, REPOSITORY)
    assert why in str(refused.value)


def test_the_sums_are_of_all_files_and_sha256sum_reads_them(
    release: ModuleType, tmp_path: Path
) -> None:
    for name in ("b.zip", "a.tar.gz", "a.tar.gz.sha256"):
        (tmp_path / name).write_text(name)
    for _ in range(2):  # the sums are not among those of a second time
        text = release.write_sums(tmp_path).read_text()
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a.tar.gz", "b.zip")}
    assert text == "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
    (tmp_path / "empty").mkdir()
    with pytest.raises(release.SetupError, match="nothing"):
        release.write_sums(tmp_path / "empty")


@pytest.mark.parametrize("arguments", [[], ["--sums"], ["v0.0.0"], ["--notes", "x"]])
def test_a_refusal_is_one_line_and_an_exit_code(arguments: list[str]) -> None:
    script = [sys.executable, str(ROOT / "scripts/release.py"), *arguments]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
