"""What an index would get: the wheel and the sdist, and what its page would show."""

from __future__ import annotations

import importlib.util
import io
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from email.message import Message
from email.parser import Parser
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.markdown import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REPOSITORY = PYPROJECT["project"]["urls"]["Repository"]
RAW = REPOSITORY.replace("https://github.com", "https://raw.githubusercontent.com")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which scripts/package.py has put both, having found nothing wrong."""
    folder = tmp_path_factory.mktemp("package")
    script = [sys.executable, str(ROOT / "scripts" / "package.py"), str(folder)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(made: Path) -> zipfile.ZipFile:
    (path,) = made.glob("*.whl")
    return zipfile.ZipFile(path)


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (found,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return wheel.read(found).decode("utf-8")


@pytest.fixture(scope="module")
def described(wheel: zipfile.ZipFile) -> Message:
    return Parser().parsestr(metadata(wheel, "METADATA"))


def test_every_link_and_picture_of_the_page_leads_into_the_repository(described: Message) -> None:
    version = described["Version"]
    targets = re.findall(r"\]\(([^)]+)\)", str(described.get_payload()))
    within = [target for target in targets if not target.startswith("#")]
    assert len(within) > 15
    assert any(target.startswith(RAW) for target in within)
    for target in within:
        if target.startswith((REPOSITORY, RAW)):
            start = f"{RAW}/v{version}/" if ".png" in target else f"{REPOSITORY}/blob/v{version}/"
            assert target.startswith(start)
            assert (ROOT / target.removeprefix(start).partition("#")[0]).exists(), target
        else:
            assert target.startswith("https://")


def test_the_page_is_the_readme(described: Message) -> None:
    shown = re.sub(rf"({REPOSITORY}/blob|{RAW})/v[\d.]+/", "", str(described.get_payload()))
    assert shown.strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


def test_it_says_where_it_is_from_and_for_which_python(described: Message) -> None:
    urls = dict(url.split(", ") for url in described.get_all("Project-URL", []))
    assert {"Repository", "Documentation", "Changelog", "Issues"} <= urls.keys()
    assert all(url.startswith(REPOSITORY) for url in urls.values())
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(described.get_all("Classifier", [])))
    assert f">={named[0]}" == described["Requires-Python"]
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert f"python: {str(named).replace(chr(39), chr(34))}" in workflow


def test_both_names_are_the_command(wheel: zipfile.ZipFile) -> None:
    points = ConfigParser()
    points.read_string(metadata(wheel, "entry_points.txt"))
    assert points["console_scripts"].keys() == {"tracker", "agent-task-tracker"}
    assert len(set(points["console_scripts"].values())) == 1


@pytest.fixture(scope="module")
def script() -> ModuleType:
    sys.path.append(str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location("package_script", ROOT / "scripts/package.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["tests/test_a.py", "tracker/tracker.db", "tracker/__pycache__/a.pyc", ".env", "a/b.py"]
)
def test_an_sdist_with_junk_is_refused(script: ModuleType, tmp_path: Path, name: str) -> None:
    path = tmp_path / "agent_task_tracker-1.0.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file in ("README.md", "tracker/app.py", name):
            archive.addfile(tarfile.TarInfo(f"agent_task_tracker-1.0.0/{file}"), io.BytesIO())
    with pytest.raises(script.SetupError, match=f"has {name}"):
        script.check_contents(path)


def test_an_sdist_that_makes_another_wheel_is_refused(
    script: ModuleType, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sdist,), (wheel,) = made.glob("*.tar.gz"), made.glob("*.whl")
    monkeypatch.setattr(script, "build", lambda *_: wheel)
    script.check_same(wheel, sdist, tmp_path)
    other = tmp_path / "other.whl"
    other.write_bytes(wheel.read_bytes() + b"more")
    with pytest.raises(script.SetupError, match="another wheel"):
        script.check_same(other, sdist, tmp_path)
