"""`requirements-build.txt`, of which the executable is built, has what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements-build.txt").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WANTED = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["dependency-groups"]["build"]]

# A requirement, and the lines that belong to it.
ENTRY = re.compile(r"(?m)^(\S+==[^\\\n]+) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+")
LOCKED = {canonicalize_name(found.name): found for found in map(Requirement, ENTRY.findall(LOCK))}
SYSTEMS = ("linux", "darwin", "win32")


def applies(requirement: Requirement, system: str, python: str) -> bool:
    where = {"sys_platform": system, "implementation_name": "cpython", "python_version": python}
    return requirement.marker is None or requirement.marker.evaluate(where)


@pytest.mark.parametrize("text", WANTED)
def test_each_dependency_is_locked_at_a_version_that_it_allows(text: str) -> None:
    wanted = Requirement(text)
    locked = LOCKED[canonicalize_name(wanted.name)]
    (only,) = locked.specifier
    assert wanted.specifier.contains(only.version)
    for system in SYSTEMS:
        for python in ("3.11", "3.14"):
            assert applies(locked, system, python) or not applies(wanted, system, python)


def test_there_is_nothing_but_versions_and_hashes() -> None:
    """A renewal on a machine with an index of its own must not lead others there."""
    rest = re.sub(r"^ *#.*\n", "", ENTRY.sub("", LOCK), flags=re.MULTILINE)
    assert rest == ""
    comments = "".join(re.findall(r"^ *#.*\n", LOCK, re.MULTILINE))
    assert not re.search(r"://|--|\\|/(?!lock\.py)", comments)


def test_what_the_build_needs_on_other_systems_is_there() -> None:
    assert {"macholib", "pefile", "pywin32-ctypes", "setuptools"} <= LOCKED.keys()
    assert applies(LOCKED["macholib"], "darwin", "3.13")
    assert applies(LOCKED["pefile"], "win32", "3.13")
    assert applies(LOCKED["uvloop"], "linux", "3.13")
    assert not applies(LOCKED["uvloop"], "win32", "3.13")
