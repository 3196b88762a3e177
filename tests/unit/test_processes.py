"""A forked process is the same as one that was executed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import processes
from tests.support.platforms import needs_linux
from tests.support.processes import Process
from tests.support.server import COMMAND, environment

pytestmark = needs_linux

SEEN = """
import json, os, signal, sys, threading
def stream(one):
    said = [one.name, one.encoding, one.errors, one.line_buffering, one.isatty(), one.fileno()]
    return [*said, one.newlines, one.buffer.name, one.buffer.mode, one.closed]
seen = {
    "arguments": sys.argv,
    "path": sys.path,
    "folder": os.getcwd(),
    "environment": dict(os.environ),
    "open": [n for n in range(3, 200) if os.path.exists(f"/proc/self/fd/{n}") and n != 3],
    "streams": [stream(one) for one in (sys.stdin, sys.stdout, sys.stderr)],
    "signals": [str(signal.getsignal(n)) for n in signal.valid_signals()],
    "blocked": [str(n) for n in signal.pthread_sigmask(0, [])],
    "umask": oct(os.umask(0)),
    "leads": [os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid()],
    "niceness": os.nice(0),
    "main": [__name__, sys.modules["__main__"].__dict__ is globals()],
    "threads": [str(threading.current_thread().name), threading.active_count()],
    "input": sys.stdin.read(),
}
print(json.dumps(seen))
print("to standard error", file=sys.stderr)
"""

ENDS = {
    "its end": "print('all')",
    "a code": "import sys; print('all'); sys.exit(300)",
    "no code": "import sys; print('all'); sys.exit()",
    "a word": "import sys; sys.exit('why')",
    "an exception": "print('all'); raise SystemError('why')",
    "an interruption": "print('all'); raise KeyboardInterrupt",
    "a kill": "import os, signal; print('all', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
    "at exit": "import atexit; atexit.register(print, 'last')",
    "a thread": "import threading, time;"
    "threading.Thread(target=lambda: (time.sleep(0.1), print('last'))).start()",
    "a full stream": "import sys; sys.stdout = open('/dev/full', 'w'); print('lost')",
}


@pytest.fixture(autouse=True)
def _none_but_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKER_TEST_EXEC", raising=False)


def ran(program: str, *arguments: str, folder: Path, fork: bool, **options: Any) -> Any:
    command = [sys.executable, "-c", program, *arguments]
    return processes.run(command, cwd=folder, fork=fork, stdin=b"typed", **options)


@pytest.mark.parametrize(
    "options",
    [{}, {"start_new_session": True}, {"process_group": 0}, {"umask": 0o27}],
    ids=lambda options: next(iter(options), "as it is"),
)
def test_it_sees_the_same(tmp_path: Path, options: dict[str, Any]) -> None:
    given = environment(tmp_path, HTTP_PROXY="a\udcff", EMPTY="")
    forked, executed = (
        ran(SEEN, "é", "a\udcff", "", folder=tmp_path, fork=fork, env=given, **options)
        for fork in (True, False)
    )
    assert executed.returncode == 0, executed.stderr
    assert json.loads(forked.stdout) == json.loads(executed.stdout)
    assert forked.stderr == executed.stderr
    assert forked.stdout.count(b"\n") == executed.stdout.count(b"\n")


@pytest.mark.parametrize("program", ENDS.values(), ids=ENDS)
def test_it_ends_the_same(tmp_path: Path, program: str) -> None:
    forked, executed = (
        ran(program, folder=tmp_path, fork=fork, env=environment(tmp_path))
        for fork in (True, False)
    )
    assert forked.returncode == executed.returncode
    assert forked.stdout == executed.stdout
    assert forked.stderr.splitlines()[-1:] == executed.stderr.splitlines()[-1:]


@pytest.mark.parametrize("arguments", [["--version"], ["ls", "--nonsense"], ["key", "list"]])
def test_the_command_is_the_same(tmp_path: Path, arguments: list[str]) -> None:
    forked, executed = (
        processes.run([*COMMAND, *arguments], cwd=tmp_path, fork=fork, env=environment(tmp_path))
        for fork in (True, False)
    )
    assert (forked.returncode, forked.stdout) == (executed.returncode, executed.stdout)
    assert forked.stderr == executed.stderr


@pytest.mark.parametrize("fork", [True, False])
def test_it_is_waited_for(tmp_path: Path, fork: bool) -> None:
    process = Process(
        [sys.executable, "-c", "print(input())"],
        cwd=tmp_path,
        env=environment(tmp_path),
        fork=fork,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.is_forked == fork
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert process.communicate(b"typed\n") == (b"typed\n", None)
    assert (process.poll(), process.wait(), process.returncode) == (0, 0, 0)


@pytest.mark.parametrize("fork", [True, False])
def test_it_is_signalled(tmp_path: Path, fork: bool) -> None:
    with Process(
        [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"],
        cwd=tmp_path,
        env=environment(tmp_path),
        fork=fork,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"\n"
        process.terminate()
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ([sys.executable, "-u", "-c", "pass"], {}),
        ([sys.executable, "-m", "tracker", "run", "--help"], {}),
        (["sh", "-c", "exit"], {}),
        ([sys.executable, "-c", "import sys; sys.modules['uvloop'] = None"], {}),
        ([sys.executable, "-c", "pass"], {"env": None}),
        ([sys.executable, "-c", "pass"], {"preexec_fn": lambda: None}),
        ([sys.executable, "-c", "pass"], {"variables": {"PYTHONUTF8": "0"}}),
        ([sys.executable, "-c", "pass"], {"variables": {"LC_ALL": "C"}}),
        ([sys.executable, "-c", "pass", "x" * 110_000], {}),
    ],
    ids=[
        "flags",
        "tracker run",
        "a shell",
        "modules",
        "our variables",
        "a call",
        "UTF-8",
        "C",
        "long",
    ],
)
def test_what_would_differ_is_executed(
    tmp_path: Path, command: list[str], options: dict[str, Any]
) -> None:
    given = environment(tmp_path, **options.pop("variables", {}))
    with Process(command, **{"cwd": tmp_path, "env": given, **options}) as process:
        assert not process.is_forked
