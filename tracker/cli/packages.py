"""The packages this program is made of, with their licences.

As installed, they are read from the packages' own metadata. The executable has no such metadata:
the build asks `collect` and puts the answer in it as a file.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import sysconfig
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final, NamedTuple

DISTRIBUTION: Final = "agent-task-tracker"

# In the executable, beside the package's modules.
FILE: Final = "packages.json"

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LICENSE_FILE = re.compile(r"(^|/)(licen[cs]e|copying|notice)[^/]*$", re.IGNORECASE)
_CLASSIFIER = "License :: OSI Approved :: "


class Package(NamedTuple):
    """One of them; `text`: its licence's full text, as far as the package brings it."""

    name: str
    version: str
    license: str
    text: str


def contained() -> list[Package]:
    """The packages of the running program, by name."""
    listed = resources.files("tracker") / FILE
    if listed.is_file():
        return [Package(**package) for package in json.loads(listed.read_text(encoding="utf-8"))]
    return collect()


def collect() -> list[Package]:
    """What is installed of what we depend on, directly or not, and Python itself, by name."""
    found: dict[str, Package] = {}
    todo = [DISTRIBUTION]
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        found[name] = package(distribution)
        for requirement in distribution.requires or ():
            match = _NAME.match(requirement)
            if match and "extra ==" not in requirement:
                todo.append(match[0])
    return [found[name] for name in sorted(found)] + [_python()]


def package(distribution: metadata.Distribution) -> Package:
    """What an installed package tells of itself."""
    told = distribution.metadata
    name = told["Name"]
    return Package(name, distribution.version, _license(told.json), _text(distribution))


def _license(told: dict[str, Any]) -> str:
    """The licence's name from wherever it is told; the old field may hold a whole text."""
    old = told.get("license", "").strip()
    classified = [
        classifier.removeprefix(_CLASSIFIER)
        for classifier in told.get("classifier", ())
        if classifier.startswith(_CLASSIFIER)
    ]
    named = old if old and "\n" not in old else " or ".join(classified)
    return told.get("license_expression") or named or "see its text"


def _text(distribution: metadata.Distribution) -> str:
    paths = (
        path
        for path in distribution.files or ()
        if ".dist-info" in str(path) and _LICENSE_FILE.search(path.as_posix())
    )
    return "\n\n".join(path.read_text(encoding="utf-8").strip() for path in paths)


def _python() -> Package:
    text = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    known = text.read_text(encoding="utf-8") if text.is_file() else sys.copyright
    return Package("Python", platform.python_version(), "PSF-2.0", known)
