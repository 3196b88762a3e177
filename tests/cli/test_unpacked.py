"""What killed runs of the executable in one file have left: removed, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.platforms import needs_posix
from tracker.cli import unpacked

pytestmark = needs_posix


def make(folder: Path, *, seconds: float = 4000, mark: bool = True, mode: int = 0o700) -> Path:
    """A folder as a run has it, that old."""
    (folder / "tracker").mkdir(parents=True)
    if mark:
        (folder / unpacked.MARK).touch()
    folder.chmod(mode)
    then = folder.stat().st_mtime - seconds
    os.utime(folder, (then, then))
    return folder


def test_what_is_left_goes(tmp_path: Path) -> None:
    own = make(tmp_path / "_MEIown", seconds=0)
    target = make(tmp_path / "target")
    for name in ("_MEI1", "_MEI2"):
        (make(tmp_path / name) / "tracker" / "link").symlink_to(target)
    unpacked.hold(str(own))
    assert set(tmp_path.iterdir()) == {own, target}
    assert (target / unpacked.MARK).exists()


def _link(parent: Path) -> Path:
    target = make(parent / "elsewhere")
    (parent / "_MEIlink").symlink_to(target)
    return target / unpacked.MARK


def _linked_mark(parent: Path) -> Path:
    folder = make(parent / "_MEI1", mark=False)
    (folder / unpacked.MARK).symlink_to(parent)
    os.utime(folder, (0, 0))
    return folder


def _in_use(parent: Path) -> Path:
    folder = make(parent / "_MEI1")
    unpacked.hold(str(folder))
    return folder


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda parent: make(parent / "_MEI1", seconds=3000), id="too young"),
        pytest.param(lambda parent: make(parent / "_MEI1", mark=False), id="another program's"),
        pytest.param(lambda parent: make(parent / "_MEI1", mode=0o777), id="others may write"),
        pytest.param(lambda parent: make(parent / "MEI1"), id="another name"),
        pytest.param(_in_use, id="in use"),
        pytest.param(_link, id="a link"),
        pytest.param(_linked_mark, id="a mark that is a link"),
    ],
)
def test_what_is_not_left_stays(tmp_path: Path, other: Callable[[Path], Path]) -> None:
    found = other(tmp_path)
    unpacked.hold(str(make(tmp_path / "_MEIown", seconds=0)))
    assert found.exists()


def test_another_users_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = make(tmp_path / "_MEIown"), make(tmp_path / "_MEI1")
    monkeypatch.setattr(os, "geteuid", lambda: other.stat().st_uid + 1)
    unpacked.hold(str(own))
    assert other.exists()


def test_a_folder_that_was_not_unpacked_is_none_of_ours(tmp_path: Path) -> None:
    other = make(tmp_path / "_MEI1")
    unpacked.hold(str(make(tmp_path / "_internal", mark=False)))
    assert other.exists()
