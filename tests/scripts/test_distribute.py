"""scripts/distribute.py: what package managers are told of a release is what the release has."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import tracker
from tests.support.markdown import ROOT

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="it needs dpkg-deb")

VERSION = tracker.__version__
PLATFORMS = [
    *(
        f"{system}-{machine}{kind}.tar.gz"
        for system in ("linux", "macos")
        for machine in ("x86_64", "arm64")
        for kind in ("", "-dir")
    ),
    *("windows-x86_64.zip", "windows-x86_64-dir.zip"),
]


@pytest.fixture(scope="module")
def distribute() -> ModuleType:
    sys.path.append(str(ROOT / "scripts"))
    return importlib.import_module("distribute")


def put_archive(folder: Path, platform: str) -> None:
    """As scripts/build.py names and fills them, as far as packages care."""
    path = folder / f"agent-task-tracker-{VERSION}-{platform}"
    inside = re.sub(r"\.(tar\.gz|zip)$", "", path.name)
    files = {
        "tracker": f"#!/bin/sh\necho {platform}\n",
        "LICENSE": "MIT\n",
        "LICENSES.txt": "all\n",
        "_internal/base_library.zip": "zip",
    }
    if platform.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as zipped:
            zipped.writestr(f"{inside}/tracker.exe", platform)
        return
    with tarfile.open(path, "w:gz") as packed:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{inside}/{name}")
            entry.size, entry.mode = len(text), 0o755 if name == "tracker" else 0o644
            packed.addfile(entry, io.BytesIO(text.encode()))


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(ROOT / "scripts/distribute.py"), str(folder), *options]
    return subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    for platform in PLATFORMS:
        put_archive(folder, platform)
    done = run(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def definitions(released: Path) -> dict[str, str]:
    name = f"agent-task-tracker-{VERSION}-packaging"
    with zipfile.ZipFile(released / f"{name}.zip") as zipped:
        return {
            entry.removeprefix(f"{name}/"): zipped.read(entry).decode()
            for entry in zipped.namelist()
            if not entry.endswith("/")
        }


def test_every_sum_is_that_of_the_file_whose_address_stands_above_it(
    released: Path, definitions: dict[str, str]
) -> None:
    found = []
    for text in definitions.values():
        pairs = re.findall(
            r"(https://\S+/releases/download/v[\d.]+/([\w.-]+))\"?,?\s+\S*(?:sha256|hash|Sha256)"
            r"\S*:? \"?([0-9a-fA-F]{64})",
            text,
        )
        for address, name, digest in pairs:
            assert f"/v{VERSION}/" in address
            assert digest.lower() == hashlib.sha256((released / name).read_bytes()).hexdigest()
            found.append(name)
    assert len(found) == len(set(found)) == 6


def test_nothing_is_left_to_fill_in(definitions: dict[str, str], distribute: ModuleType) -> None:
    assert len(definitions) == 5
    for name, text in definitions.items():
        assert VERSION in text, name
        assert not distribute.FIELD.search(text), name


def test_scoop_and_winget_can_read_theirs(definitions: dict[str, str]) -> None:
    scoop = json.loads(definitions["scoop/agent-task-tracker.json"])
    assert scoop["version"] == VERSION
    assert scoop["architecture"]["64bit"]["extract_dir"].endswith("windows-x86_64-dir")
    renewed = scoop["autoupdate"]["architecture"]["64bit"]["url"].replace("$version", VERSION)
    assert renewed == scoop["architecture"]["64bit"]["url"]
    winget: dict[str, dict[str, Any]] = {
        name: yaml.safe_load(text) for name, text in definitions.items() if "winget" in name
    }
    assert {found["ManifestType"] for found in winget.values()} == {
        *("version", "installer", "defaultLocale")
    }
    assert (
        len({(found["PackageIdentifier"], found["PackageVersion"]) for found in winget.values()})
        == 1
    )
    (nested,) = winget["winget/installer.yaml"]["NestedInstallerFiles"]
    assert nested["RelativeFilePath"] == f"agent-task-tracker-{VERSION}-windows-x86_64\\tracker.exe"


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", "x86_64"), ("arm64", "arm64")])
def test_the_debian_package(
    released: Path, tmp_path: Path, architecture: str, machine: str
) -> None:
    deb = released / f"agent-task-tracker_{VERSION}-1_{architecture}.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(tmp_path)], check=True)
    control = (tmp_path / "DEBIAN/control").read_text()
    assert f"Version: {VERSION}-1\nArchitecture: {architecture}\n" in control
    program = tmp_path / "usr/bin/tracker"
    started = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    assert started.stdout == f"linux-{machine}-dir.tar.gz\n"
    assert (tmp_path / "usr/share/doc/agent-task-tracker/copyright").read_text() == "MIT\n"
    assert (tmp_path / "DEBIAN/conffiles").read_text() == "/etc/default/agent-task-tracker\n"
    unit = (tmp_path / "usr/lib/systemd/system/agent-task-tracker.service").read_text()
    for line in ("DynamicUser=yes", "ProtectSystem=strict", "SystemCallFilter=@system-service"):
        assert f"\n{line}\n" in unit
    listed = subprocess.run(
        ["dpkg-deb", "--contents", str(deb)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {line.split()[1] for line in listed} == {"root/root"}
    writable = [line for line in listed if "w" in (line[5], line[8]) and line[0] != "l"]
    assert writable == []


def test_a_release_without_a_file_is_refused(tmp_path: Path) -> None:
    put_archive(tmp_path, "linux-x86_64-dir.tar.gz")
    done = run(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "macos-arm64-dir.tar.gz" in done.stderr
    assert run(tmp_path, "--deb").returncode == 0
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", "--deb").returncode == 1
