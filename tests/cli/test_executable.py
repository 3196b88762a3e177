"""What only shows once the program is installed: it needs nothing of where it is started.

For the package as for the executable (scripts/test_executable.py): no setting, an empty home
directory, a working directory that cannot be written, nothing on PATH.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cli import json_lines, run
from tests.support.platforms import needs_posix
from tests.support.server import COMMAND, Server, environment, wait_for
from tests.support.walk import walk
from tests.support.watched import is_alive


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    """A directory nothing can be made in, not even by root, for whom modes do not count."""
    if Path("/proc/self").exists():
        yield Path("/proc")
        return
    folder = tmp_path / "unwritable"
    folder.mkdir(mode=0o500)
    yield folder
    folder.chmod(0o700)


@needs_posix
def test_first_run_of_a_new_user(tmp_path: Path, unwritable: Path) -> None:
    home = tmp_path / "дом с пробелом"
    home.mkdir()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ready_file = tmp_path / "ready.json"
    variables = {**environment(home), "PATH": "", "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--ready-file", str(ready_file)],
        cwd=unwritable,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        wait_for(ready_file.exists, 30, "the ready file")
        ready = json.loads(ready_file.read_text(encoding="utf-8"))
        database = Path(ready["db"])
        assert database.is_relative_to(home)
        key_file = database.with_name("tracker.db.api-key")
        assert key_file.stat().st_mode & 0o777 == 0o600
        key = key_file.read_text().strip()
        answer = httpx.get(f"{ready['url']}/api/stats", headers={"X-API-Key": key}, trust_env=False)
        assert answer.status_code == 200
        for page in ("/health", "/docs", "/redoc", "/openapi.json", "/docs/assets/redoc.js"):
            assert httpx.get(ready["url"] + page, trust_env=False).status_code == 200, page
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert key not in process.stderr.read().decode()
    assert not ready_file.exists()
    assert list(temporary.iterdir()) == []
    assert not database.with_name("tracker.db-wal").exists()


# Tells what is opened of the program's files, or imported, once the file `watch` is there.
_WATCHED = """
import os, sys
log = os.open("opened", os.O_WRONLY | os.O_CREAT)
ours = tuple(map(os.path.realpath, {*sys.path[1:], os.path.dirname(os.__file__)}))
def look(event, values):
    if event in ("open", "import") and os.path.exists("watch"):
        name = os.fspath(values[0]) if not isinstance(values[0], int) else ""
        if event == "import" or os.path.realpath(name).startswith(ours):
            os.write(log, f"{event} {name}\\n".encode())
sys.addaudithook(look)
from tracker import cli
from tracker.api import later
load = later.load
def load_and_tell():
    load()
    open("loaded", "w").close()
later.load = load_and_tell
cli.main()
"""


@needs_posix
def test_a_running_server_needs_nothing_of_its_program(tmp_path: Path) -> None:
    """The program may be upgraded meanwhile, the directory for temporary files cleaned."""
    folder, temporary = tmp_path / "server", tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", _WATCHED]
    if is_executable := "TRACKER_COMMAND" in os.environ:
        source, copy = Path(COMMAND[0]), tmp_path / "program"
        copy.mkdir()
        if (source.parent / "_internal").is_dir():
            copy.rmdir()
            shutil.copytree(source.parent, copy, symlinks=True)
        else:
            shutil.copy2(source, copy)
        command = [str(copy / source.name)]
    server = Server.start(folder, command=command, variables={"TMPDIR": str(temporary)}, fork=False)
    try:
        # A second after the start all of it is loaded: tests/unit/test_later.py. Or by these.
        if not is_executable:
            wait_for((folder / "loaded").exists, 30, "what is loaded later")
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        assert server.http.get("/openapi.json").is_success
        assert server.http.post("/mcp", json=ping).is_success
        if is_executable:
            shutil.rmtree(copy)
            for unpacked in temporary.iterdir():
                shutil.rmtree(unpacked)
        (folder / "watch").touch()
        assert walk(server) == []
    finally:
        assert server.stop() == 0
    if not is_executable:
        assert (folder / "opened").read_text() == ""
    assert "Traceback" not in server.log


@needs_posix
def test_what_a_killed_run_leaves_goes_at_the_next_start(tmp_path: Path) -> None:
    """The package and the folder leave nothing; the folder of a run that lives stays."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    variables = {"TMPDIR": str(temporary)}
    killed = Server.start(tmp_path / "killed", variables=variables, fork=False)
    for pid in dict.fromkeys((killed.process.pid, killed.pid)):  # the one that would clean up first
        os.kill(pid, signal.SIGKILL)
    killed.stop()
    wait_for(lambda: not is_alive(killed.pid), what="its end")
    left = set(temporary.iterdir())
    living = Server.start(tmp_path / "living", variables=variables, fork=False)
    kept = set(temporary.iterdir()) - left
    for folder in temporary.iterdir():
        os.utime(folder, (0, 0))
    run("--version", home=tmp_path, variables=variables)
    assert set(temporary.iterdir()) == kept
    assert living.stop() == 0


@needs_posix
@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("whom", ["the process that was started", "the pid of the ready file"])
def test_signals_stop_it_cleanly(server: Server, signal_: int, whom: str) -> None:
    server.report("start", "p")
    pid = server.process.pid if "started" in whom else server.ready["pid"]
    os.kill(pid, signal_)
    assert server.process.wait(20) == 0
    assert not (server.folder / "ready.json").exists()
    assert not (server.folder / "tracker.db-wal").exists()


def test_version_and_help(tmp_path: Path) -> None:
    version = run("--version", home=tmp_path)
    assert re.fullmatch(rb"tracker, version \d+\.\d+\.\d+\S*\r?\n", version.stdout)
    assert b"Without a command: serve." in run("--help", home=tmp_path).stdout
    assert b"--idle-timeout" in run("serve", "--help", home=tmp_path).stdout


def test_what_is_inside_is_listed(tmp_path: Path) -> None:
    listed = json_lines(run("licenses", "--json", home=tmp_path).stdout)
    names = {package["name"] for package in listed}
    if "TRACKER_COMMAND" in os.environ:  # else they are the system's, or the packages' own affair
        assert {"OpenSSL", "SQLite", "zlib", "Expat", "llhttp", "pyinstaller"} <= names
        assert {"swagger-ui", "redoc", "aho-corasick"} <= names
        assert not {"h11", "markdown-it-py", "mdurl", "pygments"} & names
    assert {"agent-task-tracker", "falcon", "Python"} <= names
    assert all(package["text"] and package["purl"] for package in listed)


def test_exit_codes(tmp_path: Path) -> None:
    assert run("serve", "--nonsense", home=tmp_path).returncode == 2
    assert run("serve", "--api-key", "short", home=tmp_path).returncode == 78
    assert run("stats", "--url", "http://127.0.0.1:9", home=tmp_path).returncode == 69
