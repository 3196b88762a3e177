"""Whose repository it is stands in pyproject.toml; every other place says the same."""

from __future__ import annotations

import re
import subprocess
import tomllib

from tests.support.markdown import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REPOSITORY = PYPROJECT["project"]["urls"]["Repository"]
# As addresses, `gh --repo` and images name it; "you" is whoever reads.
NAMED = re.compile(
    r"(?:(?:github|githubusercontent)\.com/(?:repos/)?|ghcr\.io/|--repo |= \")"
    r"([\w.-]+)/agent-task-tracker\b"
)


def test_every_file_names_the_same_owner() -> None:
    owner = REPOSITORY.split("/")[-2]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: dict[str, set[str]] = {}
    for name in filter(None, listed.split("\0")):
        if name.startswith("tests/") or not (ROOT / name).is_file():
            continue
        text = (ROOT / name).read_bytes().decode("utf-8", "ignore")
        if owners := set(NAMED.findall(text)):
            found[name] = owners
    assert {name: owners for name, owners in found.items() if owners != {owner}} == {}
    assert {"install.sh", "pyproject.toml", "docs/ci.md", "tracker/cli/version.py"} <= found.keys()
