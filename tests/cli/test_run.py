"""`tracker run` changes nothing of the command: output, exit code, signals, environment."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.platforms import needs_linux, needs_posix
from tests.support.server import COMMAND, wait_for
from tests.support.watched import (
    PYTHON,
    TRACKER_RUN,
    Nowhere,
    is_alive,
    run_process,
    shell,
    variables_for,
    with_and_without,
)

pytestmark = needs_posix

RUN = [*COMMAND, "run", "--"]
TOUCH = ("--", "touch", "ran")
PY = shlex.quote(PYTHON)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment that leads to no server."""
    nowhere = Nowhere()
    yield variables_for(tmp_path_factory.mktemp("home"), nowhere.url)
    nowhere.close()


SCRIPTS = {
    "exit code": "$RUN sh -c 'echo out; echo err >&2; exit 3'",
    "arguments": """$RUN printf '<%s>' a 'b c' '' '*' --task -- "it's"; printf '[%s]' $?""",
    "its own dashes": "$RUN sh -c 'echo \"$@\"' x --project p -- --help",
    "input": "printf 'a\\nb' | $RUN cat; echo $?",
    "no input": "$RUN cat < /dev/null; echo $?",
    "closed input": "$RUN sh -c 'cat <&0; echo $?' <&-",
    "closed output": "$RUN sh -c 'echo hi; echo $? >&2' >&-",
    "closed errors": "$RUN sh -c 'echo hi >&2; echo $?' 2>&-",
    "all closed": "$RUN sh -c 'exit 7' <&- >&- 2>&-; echo $?",
    "order in one place": "$RUN sh -c 'for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done' 2>&1",
    "bytes that are no text": f"$RUN {PY} -c 'import os; os.write(1, bytes(range(256)) * 9)'",
    "no line break": f"$RUN {PY} -c 'import os; [os.write(1, b\"x\" * 65536) for _ in range(48)]'"
    " | cksum",
    "returns and colours": "$RUN printf '\\r 1%%\\r\\033[31m 2%%\\033[0m\\b\\b\\a'",
    "much on both": "$RUN sh -c 'seq 30000; seq 30000 >&2' 2>errors; cksum errors",
    "other descriptors": "exec 5>five; $RUN sh -c 'echo hi >&5'; cat five",
    "file": "$RUN sh -c 'echo one; echo two >&2' >both 2>&1; cat both",
    "appended file": "echo zero >a; $RUN echo one >>a; cat a",
    "killed": "$RUN sh -c 'kill -KILL $$'; echo $?",
    "terminated": "$RUN sh -c 'kill -TERM $$'; echo $?",
    "not found": "$RUN no-such-command-here 2>/dev/null; echo $?",
    "not found by path": "$RUN ./none 2>/dev/null; echo $?",
    "a folder": "$RUN / 2>/dev/null; echo $?",
    "not executable": "echo >plain; $RUN ./plain 2>/dev/null; echo $?",
    "a script without #!": "echo 'echo script $1' >s; chmod +x s; $RUN ./s one; "
    "export PATH=.:$PATH; $RUN s two",
    "an empty name": "$RUN '' 2>/dev/null; echo $?",
    "broken pipe": "($RUN yes; echo $? >&2) | head -n 2",
    "broken pipe that is noticed": f"($RUN {PY} -c 'while 1: print(1)' 2>/dev/null; echo $? >&2)"
    " | head -n 1",
    "pipeline": "seq 3 | $RUN sort -r | $RUN head -n 2",
    "variables": "A=1 $RUN env | grep -v -e '^_=' -e '^SHLVL=' -e '^OLDPWD=' | sort",
    "in the C locale": "unset LANG LC_ALL LC_CTYPE; $RUN env | grep -c '^LC_CTYPE='",
    "in that of LC_CTYPE": "LC_CTYPE=C.UTF-8 $RUN env | grep '^LC_CTYPE='",
    "limits": "ulimit -n 64; $RUN sh -c 'ulimit -n'",
    "working directory": "mkdir -p d; cd d; $RUN pwd",
    "umask": "umask 027; $RUN sh -c umask",
    "ignored hangups": "trap '' HUP; $RUN sh -c 'kill -HUP $$; echo survived'",
    "within itself": "$RUN $RUN sh -c 'echo hi; exit 4'; echo $?",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_same_as_without(script: str, given: dict[str, str], tmp_path: Path) -> None:
    with_it, without = with_and_without(script, tmp_path, given)
    assert with_it == without


def test_what_cannot_be_run_is_one_line(given: dict[str, str], tmp_path: Path) -> None:
    ended = run_process([*RUN, "no\nsuch"], tmp_path, given)
    assert ended == (127, b"", b"tracker: no\\nsuch: command not found\n")
    (tmp_path / "plain").touch()
    ended = run_process([*RUN, "./plain"], tmp_path, given)
    assert ended == (126, b"", b"tracker: ./plain: Permission denied\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "COMMAND"),
        (("--",), "COMMAND"),
        (("--project",), "COMMAND"),
        (("--nonsense", *TOUCH), "--nonsense"),
        (("--progress-pattern", "(", *TOUCH), "--progress-pattern"),
        (("--progress-pattern", "no group", *TOUCH), "one group"),
        (("--progress-pattern=(a)(b)(c)", *TOUCH), "one group"),
        (("--stale-after", "soon", *TOUCH), "--stale-after"),
        (("--stale-after", "nan", *TOUCH), "--stale-after"),
    ],
)
def test_wrong_usage_is_2_and_runs_nothing(
    arguments: tuple[str, ...], says: str, given: dict[str, str], tmp_path: Path
) -> None:
    ended = run_process([*COMMAND, "run", *arguments], tmp_path, given)
    assert ended.code == 2
    assert says in ended.stderr.decode()
    assert not (tmp_path / "ran").exists()


def test_help(given: dict[str, str], tmp_path: Path) -> None:
    ended = run_process([*COMMAND, "run", "--help"], tmp_path, given)
    assert ended.code == 0
    assert b"--progress-pattern REGEX" in ended.stdout


@needs_linux
def test_a_full_disk_under_the_output_is_said(given: dict[str, str], tmp_path: Path) -> None:
    ended = shell(f"{TRACKER_RUN} -- yes >/dev/full; echo $?", tmp_path, given)
    assert ended == (0, b"141\n", b"tracker: standard output: No space left on device\n")


# Processes that outlive the command.


def test_what_the_command_leaves_behind_holds_nothing_up_and_goes_on_writing(
    given: dict[str, str], tmp_path: Path
) -> None:
    """As without us: the job ends, and its server's output comes along later."""
    script = "(while [ ! -e go ]; do sleep 0.05; done; seq 20000) & echo $!; exit 5"
    with subprocess.Popen(
        [*RUN, "sh", "-c", script], cwd=tmp_path, env=given, stdout=subprocess.PIPE
    ) as job:
        assert job.stdout is not None
        assert job.wait(30) == 5
        assert is_alive(int(job.stdout.readline()))
        (tmp_path / "go").touch()
        assert job.stdout.read() == b"".join(b"%d\n" % n for n in range(1, 20001))


def test_one_that_writes_without_end_does_not_hold_it_up(
    given: dict[str, str], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [*RUN, "sh", "-c", "yes & exit 6"], cwd=tmp_path, env=given, stdout=subprocess.PIPE
    ) as job:
        assert job.stdout is not None
        reading = subprocess.Popen(["cat"], stdin=job.stdout, stdout=subprocess.DEVNULL)
        assert job.wait(30) == 6
        job.stdout.close()
        reading.kill()  # `yes` and what copies it meet a broken pipe
        reading.wait(30)


# Signals.

WAITS = """
import os, signal, sys, time
def told(number, frame):
    os.write(1, signal.Signals(number).name.encode() + b"\\n")
    if number == signal.SIGTERM: sys.exit(9)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, told)
os.write(1, b"%d\\n" % os.getpid())
while True: time.sleep(0.05)
"""


def waiting(given: dict[str, str], folder: Path, *, script: str = WAITS) -> subprocess.Popen[bytes]:
    """A job under `tracker run`, in a process group of its own."""
    return subprocess.Popen(
        [*RUN, PYTHON, "-c", script],
        cwd=folder,
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


# By their names: Windows, which has not all of them, has to collect these tests.
@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_a_signal_for_us_is_handed_on(name: str, given: dict[str, str], tmp_path: Path) -> None:
    with waiting(given, tmp_path) as job:
        assert job.stdout is not None
        job.stdout.readline()
        job.send_signal(signal.Signals[name])
        assert job.stdout.readline() == f"{name}\n".encode()
        assert job.poll() is None
        job.terminate()
        assert job.stdout.read() == b"SIGTERM\n"
        assert job.wait(30) == 9


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1"])
def test_a_command_that_a_signal_ends_ends_us_by_the_same(
    name: str, given: dict[str, str], tmp_path: Path
) -> None:
    script = "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); " + (
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    with waiting(given, tmp_path, script=script) as job:
        assert job.stdout is not None
        pid = int(job.stdout.readline())
        job.send_signal(signal.Signals[name])
        assert job.wait(30) == -signal.Signals[name]
        assert not is_alive(pid)


@needs_linux
def test_a_command_that_is_stopped_stops_us_until_we_are_continued(
    given: dict[str, str], tmp_path: Path
) -> None:
    with waiting(given, tmp_path) as job:
        assert job.stdout is not None
        pid = int(job.stdout.readline())
        ours = parent(pid)  # of the executable in one file it is not the one that was started
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: state(ours) == "T", what="stopped")
        os.kill(ours, signal.SIGCONT)
        wait_for(lambda: state(pid) == "S", what="continued")
        job.terminate()
        assert job.wait(30) == 9


def state(pid: int) -> str:
    """T: stopped, S: sleeping."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_signals_while_nobody_reads_what_is_left_end_us(
    given: dict[str, str], tmp_path: Path
) -> None:
    """The command has ended, its output has not been read: as a command that still writes it."""
    script = "import os; os.write(2, b'%d\\n' % os.getpid()); os.write(1, b'x' * 100_000)"
    with waiting(given, tmp_path, script=script) as job:
        assert job.stderr is not None
        pid = int(job.stderr.readline())
        wait_for(lambda: not is_alive(pid), what="the command's end")
        end = time.monotonic() + 30
        while job.poll() is None and time.monotonic() < end:
            job.terminate()
            time.sleep(0.05)
        assert job.wait(30) == -signal.SIGTERM
