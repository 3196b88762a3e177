"""Files that a command writes: never onto a database, never through a link."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cli import run
from tests.support.databases import assert_refused, make_database, task_ids
from tests.support.exported import contents
from tests.support.platforms import needs_posix
from tests.support.server import KEY, Server

# What leads to a file of the database, whatever it is called: made where the export is to go.
WAYS_TO_THE_DATABASE: dict[str, Callable[[Path, Path], None]] = {
    "a link": lambda target, database: target.symlink_to(database),
    "a hard link": lambda target, database: target.hardlink_to(database),
    "a link to the WAL": lambda target, database: target.symlink_to(f"{database}-wal"),
    "a hard link of the WAL": lambda target, database: target.hardlink_to(f"{database}-wal"),
    "a hard link of the key": lambda target, database: target.hardlink_to(f"{database}.api-key"),
}
FILES_OF_A_DATABASE = ("", "-wal", "-shm", ".lock", ".api-key", ".secret-key")


def export_beside(server: Server, *arguments: str) -> str:
    """Export what a running server has, which has to be refused and to cost it nothing; the line
    that says why."""
    before = {path: path.stat().st_ino for path in server.folder.glob("tracker.db*")}
    events = len(contents(server.database)["events"])
    arguments = (*arguments, "--format", "jsonl", "--db", str(server.database))
    out = run("export", *arguments, home=server.folder)
    assert (out.returncode, out.stdout) == (78, b""), out.stderr
    assert {path: path.stat().st_ino for path in server.folder.glob("tracker.db*")} == before
    assert server.report("status", "p").status_code == 200
    assert len(contents(server.database)["events"]) == events + 1
    assert not list(server.folder.glob("*.unfinished"))
    (line,) = out.stderr.decode().splitlines()
    return line


@pytest.fixture
def kept(start_server: Callable[..., Server]) -> Server:
    """A running server with a report, a WAL, and keys of its own beside its database."""
    server = start_server(key=None)
    key = Path(f"{server.database}.api-key").read_text(encoding="utf-8").strip()
    server.http.headers["X-API-Key"] = key
    assert server.report("start", "p").status_code == 201
    return server


@pytest.mark.parametrize("end", FILES_OF_A_DATABASE)
def test_an_export_is_never_written_onto_its_database(kept: Server, end: str) -> None:
    assert Path(f"{kept.database}{end}").exists()
    assert "in use" in export_beside(kept, f"tracker.db{end}", "--force")


@pytest.mark.parametrize("way", WAYS_TO_THE_DATABASE)
def test_nor_by_another_name_of_it(kept: Server, way: str) -> None:
    target = kept.folder / "all.jsonl"
    WAYS_TO_THE_DATABASE[way](target, kept.database)
    assert "all.jsonl: " in export_beside(kept, "all.jsonl", "--force")
    assert target.is_symlink() or target.stat().st_nlink == 2


@needs_posix
def test_nor_onto_the_database_of_another_server(
    kept: Server, start_server: Callable[..., Server]
) -> None:
    other = start_server()
    other.report("start", "p", "precious")
    for end in ("", "-wal", "-shm"):
        said = export_beside(kept, f"{other.database}{end}", "--force")
        assert "database of a running server" in said
    assert other.report("finish", "p", "precious").status_code == 200
    assert len(contents(other.database)["events"]) == 2


def test_nor_over_a_file_without_force(kept: Server) -> None:
    target = kept.folder / "all.jsonl"
    target.write_text("mine", encoding="utf-8")
    assert "--force" in export_beside(kept, "all.jsonl")
    assert target.read_text(encoding="utf-8") == "mine"
    arguments = ("export", "all.jsonl", "--force", "--db", str(kept.database))
    assert run(*arguments, home=kept.folder).returncode == 0
    assert target.read_bytes() == run("export", *arguments[3:], home=kept.folder).stdout


@pytest.mark.parametrize("forced", [(), ("--force",)], ids=["", "forced"])
def test_nor_through_a_link(kept: Server, forced: tuple[str, ...]) -> None:
    mine = kept.folder / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    for name, leads_to in (("link", mine), ("nowhere", kept.folder / "not there")):
        link = kept.folder / name
        link.symlink_to(leads_to)
        assert "link" in export_beside(kept, name, *forced)
        assert link.is_symlink()
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not (kept.folder / "not there").exists()


@needs_posix
def test_nor_into_what_is_no_file(kept: Server) -> None:
    (kept.folder / "folder").mkdir()
    os.mkfifo(kept.folder / "pipe")
    for name in ("folder", "pipe", "/dev/null"):
        assert "a link, a folder or a device" in export_beside(kept, name, "--force")


@needs_posix
def test_an_export_is_for_its_owner_alone(kept: Server) -> None:
    out = run("export", "all.jsonl", "--db", str(kept.database), home=kept.folder)
    assert out.returncode == 0, out.stderr
    assert stat.S_IMODE((kept.folder / "all.jsonl").stat().st_mode) == 0o600


def names_of(server: Server, folder: Path) -> Iterator[Path]:
    """What leads to the files of a running server."""
    for path in sorted(server.folder.glob("tracker.db*")):
        yield path
        (folder / f"hard-{path.name}").hardlink_to(path)
        yield folder / f"hard-{path.name}"
        (folder / f"soft-{path.name}").symlink_to(path)
        yield folder / f"soft-{path.name}"


@needs_posix
def test_a_backup_never_replaces_a_database(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, other = start_server(key=None), start_server()
    for one in (server, other):
        one.http.headers["X-API-Key"] = (
            KEY if one is other else (server.folder / "tracker.db.api-key").read_text().strip()
        )
        assert one.report("start", "project", "precious").status_code == 201
    targets = list(names_of(server, tmp_path))
    assert {path.name for path in targets} >= {
        *("tracker.db", "tracker.db-wal", "tracker.db-shm", "hard-tracker.db", "soft-tracker.db"),
        *("tracker.db.api-key", "hard-tracker.db-wal"),
    }
    others = [other.folder / f"tracker.db{end}" for end in ("", "-wal", "-shm")]
    for one in (server, other):  # so that nothing but the command can change a file
        os.kill(one.pid, signal.SIGSTOP)
    for target in (*targets, *others):
        before = target.read_bytes() if "shm" not in target.name else None
        assert_refused(tmp_path, "backup", str(target), "--force", "--db", str(server.database))
        assert before is None or target.read_bytes() == before
    for one in (server, other):
        os.kill(one.pid, signal.SIGCONT)
        assert one.report("finish", "project", "precious").status_code == 200
        assert one.stop() == 0
        assert task_ids(one.database) == ["precious"]


@needs_posix
def test_a_backup_is_never_written_through_a_link_or_into_a_device(tmp_path: Path) -> None:
    make_database(tmp_path, "old")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for target in ("link", "dangling", "pipe", "/dev/null"):
        assert_refused(tmp_path, "backup", target, "--force", "--db", "tracker.db")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@needs_posix
@pytest.mark.parametrize("forced", [(), ("--force",)])
@pytest.mark.parametrize("end", ["-wal", "-journal"])
def test_a_backup_is_never_put_beside_what_another_database_left(
    tmp_path: Path, end: str, forced: tuple[str, ...]
) -> None:
    make_database(tmp_path, "new")
    (tmp_path / f"copy.db{end}").write_bytes(b"all there is of another")
    line = assert_refused(tmp_path, "backup", "copy.db", *forced, "--db", "tracker.db")
    assert f"copy.db{end}: left by another database" in line
    assert not (tmp_path / "copy.db").exists()
    assert (tmp_path / f"copy.db{end}").read_bytes() == b"all there is of another"


@needs_posix
def test_a_name_that_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    make_database(tmp_path, "precious")
    name = "n" * 300
    for command in (
        "serve",
        "doctor",
        "backup copy",
        "restore tracker.db",
        "export copy",
        "import -",
    ):
        ended = run(*command.split(), "--db", name, home=tmp_path)
        assert b"File name too long" in ended.stdout + ended.stderr
        assert b"Traceback" not in ended.stderr
    for command in ("backup", "restore", "export", "import"):
        assert "File name too long" in assert_refused(tmp_path, command, name, "--db", "tracker.db")
    assert task_ids(tmp_path / "tracker.db") == ["precious"]


BESIDE = ("tracker.db", "tracker.db-wal", "tracker.db.lock", "tracker.db.api-key", "notes.json")


@pytest.mark.parametrize("target", BESIDE)
@pytest.mark.parametrize("first", [True, False])
def test_a_ready_file_takes_the_place_of_nothing_else(
    tmp_path: Path, target: str, first: bool
) -> None:
    """The server would replace the file, and remove it in the end."""
    (tmp_path / "notes.json").write_text('{"url": "of something else"}', encoding="utf-8")
    if not first:
        make_database(tmp_path, "a task")
        (tmp_path / "tracker.db.api-key").write_text(f"{KEY}\n", encoding="utf-8")
    flags = ("--port", "0", "--db", "tracker.db", "--ready-file", target)
    ended = run("serve", *flags, home=tmp_path)
    assert (ended.returncode, b"Traceback" in ended.stderr) == (78, False), ended.stderr
    assert target in ended.stderr.decode().splitlines()[-1]
    if not first or (tmp_path / "tracker.db").exists():
        assert task_ids(tmp_path / "tracker.db") == ([] if first else ["a task"])
    assert "of something else" in (tmp_path / "notes.json").read_text(encoding="utf-8")
