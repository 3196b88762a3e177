"""docs/clients.md names the versions that the tests drive."""

from __future__ import annotations

import tomllib

from tests.support.generated import NPM_PACKAGES
from tests.support.markdown import ROOT

TEXT = (ROOT / "docs" / "clients.md").read_text("utf-8")


def test_generators_are_named_with_the_versions_that_are_tried() -> None:
    (typescript, fetch, compiler) = (package.rpartition("@")[2] for package in NPM_PACKAGES)
    assert f"| openapi-typescript with openapi-fetch | {typescript}, {fetch} |" in TEXT
    assert f"TypeScript {compiler}" in TEXT
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    (generator,) = (one for one in groups["test"] if "openapi-python-client" in one)
    assert f"| openapi-python-client | {generator.rpartition('>=')[2]} |" in TEXT
