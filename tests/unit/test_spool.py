"""The spool's files: whole or not there, in order, private, within their limit."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_task_tracker import spool_files
from agent_task_tracker.complaints import Complaints
from agent_task_tracker.destination import Destination, destination
from agent_task_tracker.folders import default_database, spool_folder
from agent_task_tracker.handover import Handover, Item
from agent_task_tracker.hook.problems import note
from agent_task_tracker.journal import Journal, recover
from agent_task_tracker.report import Report, name_of
from agent_task_tracker.reports import Reports
from agent_task_tracker.sender import patient
from agent_task_tracker.spool import Spool, Waiting
from agent_task_tracker.spool_files import Unusable, seal
from tests.support.platforms import needs_posix
from tests.support.reporting import files
from tracker.config import settings as server_settings

HERE = Destination("http://localhost:8000", "0123456789abcdef")
ELSEWHERE = Destination("http://localhost:8001", "0123456789abcdef")


def nothing(_text: str) -> None:
    """No note is expected to matter."""


def full(*_: object) -> None:
    """In place of what writes."""
    raise OSError("the disk is full")


def report(kind: str = "status", task_id: str = "t", reports: Reports | None = None) -> Report:
    fields = {"project": "p", "task": "T", "task_id": task_id, "agent": "a"}
    return (reports or Reports()).make(kind, fields, nothing)


def names(spool: Spool, *destinations: Destination) -> list[str]:
    return [waiting.name for waiting in spool.waiting(*destinations)]


def test_what_is_put_is_read_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    reports = Reports(lambda: 1_700_000_000_000_000_000)  # all in the same nanosecond
    put = [report(reports=reports) for _ in range(12)]
    for item in reversed(put):
        assert not spool.put(item, HERE)
    assert names(spool, HERE) == [item.name for item in put]
    assert names(spool, ELSEWHERE) == []
    assert [spool.read(waiting) for waiting in spool.waiting(HERE)] == put
    spool.remove(Waiting(put[0].name, HERE))
    assert len(names(spool, HERE)) == 11
    assert spool.read(Waiting(put[0].name, HERE)) is None


def test_a_clock_that_is_set_back_does_not_change_the_order() -> None:
    times = iter([5_000, 4_000, 4_500, 6_000])
    made = [report(reports=reports) for reports in [Reports(lambda: next(times))] for _ in range(4)]
    assert [item.name for item in made] == sorted(item.name for item in made)


def test_a_report_names_its_destination_and_never_the_key(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put(report("start"), HERE)
    content = json.loads(files(spool.folder)[0].read_bytes())
    assert (content["to"], content["key_id"]) == HERE
    assert content["report"]["kind"] == "start"
    assert {"idempotency_key", "occurred_at", "task_id"} <= set(content["report"])


@needs_posix
def test_folders_and_files_are_the_user_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "spool"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    mask = os.umask(0)
    try:
        Spool(folder).put(report(), HERE)
        Spool(folder).reject(report(), HERE, "no")
    finally:
        os.umask(mask)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


@needs_posix
def test_links_and_folders_of_others_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    linked = tmp_path / "linked"
    linked.symlink_to(target)
    with pytest.raises(Unusable):
        Spool(linked).put(report(), HERE)
    with pytest.raises(Unusable):
        Spool(linked).is_there()
    assert list(target.iterdir()) == []
    inside = Spool(tmp_path / "spool")
    inside.put(report(), HERE)
    secret = tmp_path / "secret"
    item = report()
    secret.write_bytes(seal(item, HERE))
    (files(inside.folder)[0].parent / item.name).symlink_to(secret)
    with pytest.raises(OSError):  # noqa: PT011 - the system's words
        inside.read(Waiting(item.name, HERE))
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(Unusable):
        Spool(inside.folder).put(report(), HERE)
    with pytest.raises(Unusable):
        inside.read(inside.waiting(HERE)[0])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version":1}', b"\0" * 200])
def test_what_a_power_cut_left_is_thrown_away(tmp_path: Path, content: bytes) -> None:
    spool = Spool(tmp_path)
    item = report()
    spool.put(item, HERE)
    path = files(tmp_path)[0]
    path.write_bytes(content)
    assert spool.read(Waiting(item.name, HERE)) is None
    assert not path.exists()


def test_a_newer_program_s_report_is_left_to_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    item = report()
    spool.put(item, HERE)
    path = files(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2'))
    assert spool.read(Waiting(item.name, HERE)) is None
    assert path.exists()


def test_unfinished_files_are_no_reports_and_are_cleared_away_once_old(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(report(), HERE)
    folder = files(tmp_path)[0].parent
    old, new = folder / f".part-{report().name}", folder / f".part-{report().name}"
    for part in (old, new):
        part.write_bytes(b"{")
    os.utime(old, (1, 1))
    assert len(names(spool, HERE)) == 1
    spool.tidy()
    assert (old.exists(), new.exists(), len(names(spool, HERE))) == (False, True, 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(("start", "status", "finish", "error")), min_size=1, max_size=30))
def test_past_the_limit_the_oldest_statuses_go_first_and_starts_and_ends_last(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("limit") / "spool", limit=2_000)
    reports = Reports()
    was_large = [spool.put(report(kind, reports=reports), HERE) for kind in kinds]
    before = files(spool.folder)
    sizes = {path: path.stat().st_size for path in before}
    total = sum(sizes.values())
    removed = spool.make_room()
    left = files(spool.folder)
    assert was_large[-1] or total <= 2_000, "it is told when it is time"
    assert len(left) == len(before) - removed
    if total <= 2_000:
        assert removed == 0
        return
    kept = sum(sizes[path] for path in left)
    assert kept <= 2_000 * 7 / 8
    gone = [path for path in before if path not in left]
    order = sorted(before, key=lambda path: (path.suffix != ".status", path.name))
    assert sorted(gone) == sorted(order[:removed])
    assert kept + sizes[order[removed - 1]] > 2_000 * 7 / 8, "no more than has to go"


def test_past_the_limit_what_tells_of_tools_goes_before_what_tells_of_sessions(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path, limit=1_500)
    put = []
    for at in range(12):
        vital = at % 3 == 0
        name = name_of(at, 1, int(not vital), "hook")
        content = b'{"kind":"hook","project":"codex","task_id":"s"}'
        spool.put(Report(name, "codex", "s", content), HERE)
        put.append((vital, name))
    removed = spool.make_room()
    assert 0 < removed < 8
    gone = {name for _, name in put} - set(names(spool, HERE))
    assert gone == {name for vital, name in put if not vital and name in gone}
    assert max(gone) < min(name for vital, name in put if not vital and name not in gone)


def test_what_was_delivered_does_not_count_for_ever(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=3_000)
    for _ in range(60):
        if spool.put(report(), HERE):
            assert spool.make_room() == 0
        for waiting in spool.waiting(HERE):
            spool.remove(waiting)


def test_the_journal_of_a_process_that_is_there_is_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    journal = Journal(spool)
    made = [report() for _ in range(3)]
    for item in made:
        journal.append(item, HERE)
    assert recover(spool) == 0
    journal.settle(1)
    journal.close()
    assert recover(spool) == 2
    assert names(spool, HERE) == [item.name for item in made[1:]]
    assert recover(spool) == 0
    assert list((tmp_path / "handover").iterdir()) == []


@needs_posix
def test_a_child_that_is_forked_meanwhile_does_not_keep_the_lock(tmp_path: Path) -> None:
    """It has the descriptor too, and may live for long, as those of a pool do."""
    spool = Spool(tmp_path)
    read, write = os.pipe()
    with spool.locked(HERE) as is_ours:
        assert is_ours
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
    with spool.locked(HERE) as is_ours:
        assert is_ours
    os.close(write)
    os.close(read)
    assert os.waitpid(child, 0)[1] == 0


def test_a_folder_that_is_removed_or_replaced_by_a_link_while_in_use(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put(report(), HERE)
    (tmp_path / "spool").rename(tmp_path / "elsewhere")
    spool.put(report(), HERE)
    assert len(names(spool, HERE)) == 1
    (tmp_path / "spool").rename(tmp_path / "before")
    (tmp_path / "spool").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unusable):
        spool.put(report(), HERE)
    assert len(files(tmp_path / "elsewhere")) == 1


def test_a_journal_that_is_removed_while_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in memory is kept and goes on; the rest is known to be lost."""
    monkeypatch.setattr("agent_task_tracker.handover._MOST", 5)
    spool = Spool(tmp_path / "spool")
    handover = Handover(spool, Complaints())
    for _ in range(8):
        handover.put(report(), HERE)
    held = deque(handover.take(0, 2))
    assert handover.overflowed
    shutil.rmtree(tmp_path / "spool")
    handover.spill(held, lambda: None)
    assert (len(held), handover.lost, handover.overflowed) == (5, 3, False)
    handover.put(report(), HERE)
    asked = handover.ask()
    items = [*held, *handover.take(0, 10)]
    handover.settle(items)
    assert (len(items), asked.position, handover.settled) == (6, 9, 9)
    assert handover.close() == 0


def test_what_is_in_memory_alone_stays_there_if_the_spool_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_task_tracker.handover._MOST", 5)
    spool = Spool(tmp_path)
    handover = Handover(spool, Complaints())
    monkeypatch.setattr(Journal, "append", full)
    handover.put(report(), HERE)
    monkeypatch.undo()
    monkeypatch.setattr("agent_task_tracker.handover._MOST", 5)
    monkeypatch.setattr("agent_task_tracker.handover._DISK_INTERVAL", 0)
    handover._no_disk_until = 0.0
    for _ in range(8):
        handover.put(report(), HERE)
    held: deque[Item] = deque()
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "put", full)
        with pytest.raises(OSError, match="full"):
            handover.spill(held, lambda: None)
    assert [item.in_journal for item in held] == [False]
    handover.spill(held, lambda: None)
    assert (len(held), len(files(tmp_path))) == (1, 8)


def test_a_signal_handler_that_raises_leaves_no_report_between_journal_and_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Journal.append

    def interrupted(journal: Journal, item: Report, to: Destination) -> None:
        append(journal, item, to)
        raise KeyboardInterrupt

    handover = Handover(Spool(tmp_path), Complaints())
    monkeypatch.setattr(Journal, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        handover.put(report(), HERE)
    items = handover.take(0, 10)
    handover.settle(items)
    assert (len(items), handover.ask().position, handover.close()) == (1, 1, 0)


def test_a_journal_that_breaks_off_in_a_line_gives_the_lines_before(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    journal = Journal(spool)
    made = [report() for _ in range(3)]
    for item in made:
        journal.append(item, HERE)
    journal.close()
    (path,) = (tmp_path / "handover").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert recover(spool) == 2
    assert names(spool, HERE) == [item.name for item in made[:2]]
    for rubbish in (b"", b"rubbish", b"\xff\n\xff \xff\n{}\n", b"7\n"):
        path.write_bytes(rubbish)
        assert recover(spool) == 0
        assert not path.exists()


def test_a_journal_goes_on_in_another_file_and_removes_what_is_settled(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    journal = Journal(spool)
    made = [report() for _ in range(6)]
    for number, item in enumerate(made):
        if number in (2, 4):
            journal.begin_segment(journal.new_segment())
        journal.append(item, HERE)
    assert [found[0] for found in journal.unsettled() if found] == made[:4]
    journal.settle(3)
    assert [found[0] for found in journal.unsettled() if found] == made[3:4]
    assert len(list((tmp_path / "handover").iterdir())) == 2
    assert journal.unsettled_count == 3
    journal.close()
    assert recover(spool) == 3


def test_what_comes_faster_than_it_is_kept_is_bounded(tmp_path: Path) -> None:
    """Nobody takes anything: beyond the journal's limit statuses are lost, starts and ends not."""
    handover = Handover(Spool(tmp_path), Complaints(), limit=5_000)
    kinds = [*["status"] * 100, "finish"]
    for kind in kinds:
        handover.put(report(kind), HERE)
    assert 50 < handover.lost < 100
    assert handover.close() == len(kinds) - handover.lost
    assert recover(Spool(tmp_path)) == len(kinds) - handover.lost
    assert files(tmp_path)[-1].suffix == ".finish"


def test_patience_is_for_waiting_not_for_work() -> None:
    wait = patient(0.02)
    assert [wait(pause) for pause in (0, 0.01, 0, 0.01, 0, 0.01, 0)] == [True] * 5 + [False, True]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8000", "http://localhost:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("http://[::1]:8000", "http://localhost:8000"),
        ("https://Tracker.Example", "https://tracker.example:443"),
        ("http://tracker.example:80/a/", "http://tracker.example:80/a"),
        ("http://[2001:db8::1]:8000", "http://[2001:db8::1]:8000"),
    ],
)
def test_a_server_has_one_name_however_it_is_written(url: str, address: str) -> None:
    assert destination(url, "k") == (address, "k")


def test_the_folders_are_those_of_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    for variables in ({}, {"XDG_DATA_HOME": "/x/data", "XDG_STATE_HOME": "/x/state"}):
        for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "TRACKER_SPOOL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        state = platformdirs.user_state_path("agent-task-tracker", appauthor=False)
        assert spool_folder(os.environ) == state / "spool"
        assert default_database(os.environ) == server_settings.default_database()
    monkeypatch.setenv("TRACKER_SPOOL", "/elsewhere")
    assert spool_folder(os.environ) == Path("/elsewhere").absolute()


def test_so_many_names_as_are_asked_for(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / name_of(number, 1, 0, "hook")).touch()
    (tmp_path / ".lock").touch()
    assert len(spool_files.names(str(tmp_path), 2)) == 2
    assert len(spool_files.names(str(tmp_path))) == 3


@needs_posix
def test_nothing_is_noted_where_the_spool_is_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = tmp_path / "somebody's"
    somebody.mkdir()
    (tmp_path / "spool").symlink_to(somebody)
    monkeypatch.setenv("TRACKER_SPOOL", str(tmp_path / "spool"))
    note(OSError("what went wrong"))
    assert list(somebody.iterdir()) == []
