"""What this program is made of, with the licences.

Packages are read from their metadata. The executable has none: the build looks what is in it, which
is more than packages and fewer of them, and includes the list as a file.
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
    """A package, or another part; `version`: empty where it does not tell; `text`: its licence's
    full text, if it comes with it; `purl`: its address (https://github.com/package-url)."""

    name: str
    version: str
    license: str
    text: str
    purl: str


def contained() -> list[Package]:
    """The packages of the running program, by name."""
    listed = resources.files("tracker") / FILE
    if listed.is_file():
        return [Package(**package) for package in json.loads(listed.read_text(encoding="utf-8"))]
    return collect() + of_dashboard()


def of_dashboard() -> list[Package]:
    """The libraries that are built into the dashboard, as its build has listed them."""
    listed = resources.files("tracker") / "web" / "built" / FILE
    if not listed.is_file():
        return []
    return [Package(**package) for package in json.loads(listed.read_text(encoding="utf-8"))]


def collect() -> list[Package]:
    """The installed packages that we depend on, directly or not, by name; and Python itself."""
    packages: dict[str, Package] = {}
    todo = [DISTRIBUTION]
    while todo:
        name = _normalized(todo.pop())
        if name in packages:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        packages[name] = package(distribution)
        for requirement in distribution.requires or ():
            match = _NAME.match(requirement)
            if match and "extra ==" not in requirement:
                todo.append(match[0])
    return [packages[name] for name in sorted(packages)] + [python()]


def package(distribution: metadata.Distribution) -> Package:
    """An installed package, from its metadata."""
    info = distribution.metadata
    name = info["Name"]
    version = distribution.version
    purl = f"pkg:pypi/{_normalized(name)}@{version}"
    return Package(name, version, _license(info.json), _text(distribution), purl)


def _license(info: dict[str, Any]) -> str:
    """The licence's name from whichever field has it; the old one may hold a whole text."""
    old = info.get("license", "").strip()
    classified = [
        classifier.removeprefix(_CLASSIFIER)
        for classifier in info.get("classifier", ())
        if classifier.startswith(_CLASSIFIER)
    ]
    named = old if old and "\n" not in old else " or ".join(classified)
    return info.get("license_expression") or named or "see its text"


def _text(distribution: metadata.Distribution) -> str:
    paths = (
        path
        for path in distribution.files or ()
        if ".dist-info" in str(path) and _LICENSE_FILE.search(path.as_posix())
    )
    return "\n\n".join(path.read_text(encoding="utf-8").strip() for path in paths)


def python() -> Package:
    """The interpreter."""
    text = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    known = text.read_text(encoding="utf-8") if text.is_file() else sys.copyright
    version = platform.python_version()
    return Package("Python", version, "PSF-2.0", known, f"pkg:generic/python@{version}")


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
