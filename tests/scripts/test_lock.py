"""The locks, `requirements-GROUP.txt`, have what pyproject.toml asks for, and agree."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "scripts"))
group_requirements = importlib.import_module("_environment").group_requirements
GROUPS = ("build", "lint", "run", "test", "web", "wheel")
LOCKS = {g: (ROOT / f"requirements-{g}.txt").read_text(encoding="utf-8") for g in GROUPS}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# A requirement, and the lines that belong to it.
ENTRY = re.compile(r"(?m)^(\S+==[^\\\n]+) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+")
SYSTEMS = ("linux", "darwin", "win32")


def locked(group: str) -> dict[str, Requirement]:
    found = map(Requirement, ENTRY.findall(LOCKS[group]))
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def wanted(group: str) -> list[str]:
    """What its tools need, and the project, which is installed beside them."""
    return [*PYPROJECT["project"]["dependencies"], *group_requirements(PYPROJECT, group)]


def test_what_makes_the_wheel_is_what_pip_would_take() -> None:
    assert group_requirements(PYPROJECT, "wheel") == PYPROJECT["build-system"]["requires"]


def applies(requirement: Requirement, system: str, python: str, machine: str = "x86_64") -> bool:
    where = {
        "sys_platform": system,
        "implementation_name": "cpython",
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
    }
    return requirement.marker is None or requirement.marker.evaluate(where)


@pytest.mark.parametrize(("group", "text"), [(g, text) for g in GROUPS for text in wanted(g)])
def test_each_dependency_is_locked_at_a_version_that_it_allows(group: str, text: str) -> None:
    asked = Requirement(text)
    found = locked(group)[canonicalize_name(asked.name)]
    (only,) = found.specifier
    assert asked.specifier.contains(only.version)
    for system in SYSTEMS:
        for python in ("3.11", "3.14"):
            assert applies(found, system, python) or not applies(asked, system, python)


def test_what_stands_in_several_locks_has_one_version() -> None:
    """Else each of two scripts would undo in .venv what the other has installed."""
    versions: dict[str, set[str]] = {}
    for group in GROUPS:
        for name, requirement in locked(group).items():
            versions.setdefault(name, set()).add(str(requirement.specifier))
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
    assert len(versions) > 60


@pytest.mark.parametrize("group", GROUPS)
def test_there_is_nothing_but_versions_and_hashes(group: str) -> None:
    """A renewal on a machine with an index of its own must not lead others there."""
    rest = re.sub(r"^ *#.*\n", "", ENTRY.sub("", LOCKS[group]), flags=re.MULTILINE)
    assert rest == ""
    comments = "".join(re.findall(r"^ *#.*\n", LOCKS[group], re.MULTILINE))
    assert not re.search(r"://|--|\\|/(?!lock\.py)", comments)


def test_what_the_build_needs_on_other_systems_is_there() -> None:
    found = locked("build")
    assert {"macholib", "pefile", "pywin32-ctypes", "setuptools"} <= found.keys()
    assert applies(found["macholib"], "darwin", "3.13")
    assert applies(found["pefile"], "win32", "3.13")
    assert applies(found["uvloop"], "linux", "3.13")
    assert not applies(found["uvloop"], "win32", "3.13")
