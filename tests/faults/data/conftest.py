"""What the attacks on imports share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.cli import run
from tests.support.exported import Records, as_jsonl, export_of_each_kind
from tests.support.server import Server


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that has something, but for `exported`."""
    server = Server.start(tmp_path_factory.mktemp("lived_in"))
    server.report("start", "here before")
    assert server.stop() == 0
    return server.database


@pytest.fixture(scope="module")
def exported(lived_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Records:
    """A real export, which that database takes as it is."""
    folder = tmp_path_factory.mktemp("exported")
    records = export_of_each_kind(folder)
    shutil.copy(lived_in, folder / "tracker.db")
    taken = run("import", "-", "--db", "tracker.db", home=folder, stdin=as_jsonl(records))
    assert taken.returncode == 0, taken.stderr
    return records
