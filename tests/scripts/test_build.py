"""What `scripts/build.py` makes of what PyInstaller has built."""

from __future__ import annotations

import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "scripts"))

import build  # noqa: E402
import components  # noqa: E402


def test_an_archive_is_the_same_whenever_and_whereever_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "epoch", lambda: 1_700_000_000)
    made = []
    for number, place in enumerate(("one", "another")):
        folder = tmp_path / place / "tracker-1.0"
        (folder / "inside").mkdir(parents=True)
        for name in ("b", "a", "inside/c")[:: number or -1]:
            (folder / name).write_text(name)
            os.utime(folder / name, (number, number))
        (folder / "b").chmod(0o755 - number)
        monkeypatch.setattr(build, "DIST", tmp_path / f"dist{number}")
        build.DIST.mkdir()
        made.append(build.pack(folder))
    assert made[0].read_bytes() == made[1].read_bytes()
    opened = zipfile.ZipFile if os.name == "nt" else tarfile.open
    with opened(made[0]) as archive:
        archive.extractall(tmp_path / "out")
    assert (tmp_path / "out" / "tracker-1.0" / "inside" / "c").read_text() == "inside/c"
    if os.name != "nt":
        assert os.access(tmp_path / "out" / "tracker-1.0" / "b", os.X_OK)
        assert not os.access(tmp_path / "out" / "tracker-1.0" / "a", os.X_OK)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("libcrypto.so.3", b"\0OpenSSL 3.0.19 27 Jan 2026\0", ("OpenSSL", "3.0.19", "Apache-2.0")),
        ("libssl.so.1.1", b"OpenSSL 1.1.1k  FIPS 25 Mar 2021", ("OpenSSL", "1.1.1k", "OpenSSL")),
        ("apsw.so", b"SQLite format 3\0 x\0" + b"3.54.1\0", ("SQLite", "3.54.1", "blessing")),
        ("libgcc_s.so.1", b"", ("libgcc", "", "GPL-3.0-or-later WITH GCC-exception-3.1")),
        ("redoc.js", b"/* (c) Redocly LLC\n* Version: 3.0.0\n", ("redoc", "3.0.0", "MIT")),
        ("a.so", b"needs libgcc_s.so.1, knows OpenSSL 3, deflates", None),
    ],
)
def test_components_are_found_by_their_marks(
    name: str, content: bytes, found: tuple[str, str, str] | None
) -> None:
    assert components.is_looked_at(name)
    assert [one[:3] for one in components.find([(name, content)])] == ([found] if found else [])


@pytest.mark.parametrize(
    "component", components.COMPONENTS, ids=lambda one: f"{one.name}-{one.license}"
)
def test_each_component_has_its_licence(component: components.Component) -> None:
    """What packages bring themselves is there when the executable is built."""
    ours = [text for text in component.texts if ":" not in text]
    assert component.texts
    assert all(len(components._text(text)) > 100 for text in ours)
