"""What a signal ends leaves nothing half; how far it has come is shown."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.cli import run, run_here
from tests.support.exported import contents
from tests.support.platforms import needs_posix
from tests.support.server import Server
from tracker.cli import progress as progress_module
from tracker.cli.progress import progress
from tracker.cli.signals import tidy_end
from tracker.store.sqlite import migrations
from tracker.store.sqlite.admin import checks, export, importing, prune


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    server = Server.start(tmp_path_factory.mktemp("filled"))
    for number in range(5):
        server.report("finish", "p", f"t{number}")
    assert server.stop() == 0
    run("export", "all.jsonl", "--db", "tracker.db", home=server.folder)
    return server.database


def _killing(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
    def killed(*values: Any, **named: Any) -> Any:
        os.kill(os.getpid(), number)
        return function(*values, **named)

    return killed


@needs_posix
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
@pytest.mark.parametrize(
    ("place", "name", "arguments"),
    [
        (export, "_rows", ("export", "out.jsonl")),
        (checks, "problems", ("backup", "out.db")),
        (checks, "problems", ("restore", "backup.db")),
        (importing._Import, "_add_event", ("import", "other.jsonl")),
        (prune, "remove_doomed", ("prune", "--older-than", "0s")),
    ],
    ids=["export", "backup", "restore", "import", "prune"],
)
def test_a_signal_leaves_nothing_half(
    filled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    arguments: tuple[str, ...],
    number: int,
    code: int,
) -> None:
    shutil.copy(filled, tmp_path / "tracker.db")
    shutil.copy(filled, tmp_path / "backup.db")
    text = (filled.parent / "all.jsonl").read_text().replace('"p"', '"q"')
    (tmp_path / "other.jsonl").write_text(text)
    before = {path.name for path in tmp_path.iterdir()}
    monkeypatch.setattr(place, name, _killing(number, getattr(place, name)))
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "import":
        arguments = (*arguments, "--db", "new.db")
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    done = run_here(*arguments, home=tmp_path)
    assert done.code == code, done.stderr
    assert handlers == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    monkeypatch.undo()
    left = {path.name for path in tmp_path.iterdir()} - before
    left -= {f"{db}{end}" for db in ("tracker.db", "new.db") for end in (".lock", "-wal", "-shm")}
    assert left == set()
    assert contents(tmp_path / "tracker.db") == contents(filled)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_bar_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, moment = _Terminal(), [1000.0]
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: moment[0])
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("Importing", "records") as show:
        show(100, 1000)
        assert terminal.getvalue() == ""  # what is soon over shows nothing
        for done in range(200, 700, 100):
            moment[0] += 2
            show(done, 1000)
    shown = terminal.getvalue()
    assert "Importing" in shown
    assert "60%" in shown
    assert "50 records/s" in shown
    assert "0:00:08" in shown or "00:08" in shown


def test_a_log_has_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    log, moment = io.StringIO(), [1000.0]
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: moment[0])
    with progress("Importing", "records") as show:
        for done in range(1000):
            moment[0] += 0.07
            show(done * 100, 0 if done < 500 else 100_000)
    assert log.getvalue().splitlines() == [
        "Importing: 42,800 records",
        "Importing: 85,700 of 100,000 records, 10 s left",
    ]


@needs_posix
def test_a_long_statement_of_an_upgrade_is_told_of_and_heeds_signals(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(migrations, "_STEPS", 1000)
    monkeypatch.setattr(migrations, "_LOG_INTERVAL", 0)

    states = iter(["half of it"])

    def state() -> str:
        told = next(states, "")
        if not told:
            os.kill(os.getpid(), signal.SIGTERM)
        return told

    endless = "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n"
    with (
        closing(apsw.Connection(":memory:")) as connection,
        pytest.raises(SystemExit) as end,
        tidy_end("SIGTERM"),
        migrations._watched(connection, state),
    ):
        connection.execute(endless)
    assert end.value.code == 143
    assert "half of it" in caplog.text
