"""`tracker run` on a terminal: the command is on one, with all that a terminal does."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.platforms import needs_linux, needs_posix
from tests.support.server import COMMAND, wait_for
from tests.support.watched import PYTHON, Nowhere, variables_for

pytestmark = needs_posix

RUN = [*COMMAND, "run", "--"]


class Screen:
    """A process that leads a session on a terminal of its own, as a login shell does."""

    def __init__(self, arguments: list[str], home: Path, given: dict[str, str]) -> None:
        import pty
        import termios

        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execvpe(arguments[0], arguments, {"TERM": "xterm", **given})
        termios.tcsetwinsize(self.descriptor, (40, 132))
        self.output = b""
        self._status: int | None = None

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def read_until(self, pattern: str, seconds: float = 20) -> str:
        """What came since the last time, up to a match of `pattern`."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern.encode(), self.output)):
            if not self._read(end - time.monotonic()):
                raise AssertionError(f"ended without {pattern!r}: {self.output!r}")
        text, self.output = self.output[: found.end()], self.output[found.end() :]
        return text.decode("utf-8", "replace")

    def read_all(self, seconds: float = 20) -> str:
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        text, self.output = self.output, b""
        return text.decode("utf-8", "replace")

    def wait(self) -> int:
        """Its exit code, negative if a signal ended it."""
        if self._status is None:
            wait_for(self._ended, 20, "its end")
        assert self._status is not None
        return os.waitstatus_to_exitcode(self._status)

    def close(self) -> None:
        if self._status is None and not self._ended():
            os.kill(self.pid, signal.SIGKILL)
            wait_for(self._ended, 20)
        os.close(self.descriptor)

    def _ended(self) -> bool:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self._status = status
        return bool(pid)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], max(seconds, 0))
        if not ready:
            raise AssertionError(f"nothing more came after {self.output!r}")
        try:
            data = os.read(self.descriptor, 65_536)
        except OSError:  # how Linux reports the end of a terminal
            return False
        self.output += data
        return bool(data)


Open = Callable[..., Screen]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Open]:
    """Start processes on terminals."""
    opened: list[Screen] = []
    nowhere = Nowhere()

    def start(*arguments: str) -> Screen:
        opened.append(Screen([*arguments], tmp_path, variables_for(tmp_path, nowhere.url)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
    nowhere.close()


LOOKS = """
import os, sys
print("terminals", *(os.isatty(number) for number in range(3)))
print("foreground", os.tcgetpgrp(os.open("/dev/tty", os.O_RDWR)) == os.getpgrp())
print("columns", os.get_terminal_size().columns)
print("name?", input())
"""


def test_all_three_streams_are_a_terminal(screen: Open) -> None:
    job = screen(*RUN, PYTHON, "-c", LOOKS)
    job.read_until("columns")
    job.type("Ann\n")
    job.read_until("name\\? Ann\r\n")
    assert job.wait() == 0


def test_the_output_is_the_same_byte_for_byte(screen: Open) -> None:
    script = [
        PYTHON,
        "-c",
        "import os; os.write(1, bytes(range(32, 256)) + b'\\r\\n\\x1b[1mx\\n\\t')",
    ]
    outputs = []
    for arguments in ([*RUN, *script], script):
        one = screen(*arguments)
        text = one.read_all()
        assert one.wait() == 0
        outputs.append(text)
    assert outputs[0] == outputs[1]


def test_the_size_follows(screen: Open) -> None:
    import termios

    job = screen(
        *RUN,
        *(PYTHON, "-c"),
        "import os, signal, time\n"
        "def tell(*_): os.write(1, f'{os.get_terminal_size().lines} lines\\n'.encode())\n"
        "signal.signal(signal.SIGWINCH, tell)\n"
        "tell()\n"
        "while True: time.sleep(0.05)\n",
    )
    job.read_until("lines")
    termios.tcsetwinsize(job.descriptor, (51, 99))
    job.read_until("51 lines")
    job.type("\x03")
    job.read_until("KeyboardInterrupt")
    assert job.wait() == -signal.SIGINT


def test_passwords_are_not_shown(screen: Open) -> None:
    job = screen(*RUN, PYTHON, "-c", "import getpass; print(len(getpass.getpass()), 'letters')")
    job.read_until("Password: ")
    job.type("hidden\n")
    assert "hidden" not in job.read_until("6 letters")
    assert job.wait() == 0


def test_the_terminal_has_its_modes_again(screen: Open) -> None:
    tracker = shlex.join(RUN)
    job = screen(
        "sh", "-c", f"stty -a >before; {tracker} sleep 0.1; stty -a >after; cmp before after"
    )
    job.read_all()
    assert job.wait() == 0


def test_modes_that_the_command_set_stay_as_without_us(screen: Open) -> None:
    tracker = shlex.join(RUN)
    job = screen("sh", "-c", f"{tracker} stty -echo; stty -a")
    assert " -echo " in job.read_all()


@pytest.mark.parametrize(
    ("key", "name"), [("\x03", "SIGINT"), ("\x1c", "SIGQUIT")], ids=["Ctrl-C", "Ctrl-\\"]
)
def test_keys_that_end(key: str, name: str, screen: Open) -> None:
    job = screen(*RUN, "sh", "-c", "ulimit -c 0; echo ready; exec sleep 60")
    job.read_until("ready")
    job.type(key)
    job.read_all()
    assert job.wait() == -signal.Signals[name]


def test_ctrl_c_comes_once_where_the_command_is_in_our_group(screen: Open) -> None:
    """In a pipeline: the terminal sends to all of it, and nobody sends once more."""
    counts = (
        "import signal, sys; n = []; signal.signal(signal.SIGINT, lambda *_: n.append(1));"
        "sys.stderr.write('ready\\n'); sys.stdin.readline(); print('interrupts', len(n))"
    )
    command = shlex.join([*RUN, PYTHON, "-c", counts])
    job = screen("sh", "-c", f"trap : INT; {command} | (trap '' INT; exec cat)")
    job.read_until("ready")
    job.type("\x03")
    job.read_until("C")  # the terminal has sent it
    job.type("\n")
    job.read_until("interrupts 1\r\n")


def test_the_end_of_the_input(screen: Open) -> None:
    job = screen(*RUN, "cat")
    job.type("one\n")
    job.read_until("one\r\none\r\n")
    job.type("\x04")
    assert job.wait() == 0


@needs_linux
def test_ctrl_z_and_fg_of_a_shell(screen: Open) -> None:
    """The shell has its prompt, its modes, and the job when it asks for it."""
    shell = screen("bash", "--norc", "--noprofile", "-i")
    tracker = shlex.join(RUN)
    shell.type(
        f"PS1='rea''dy> '; {tracker} sh -c 'echo beg''un; read line; echo got $line; exit 3'\n"
    )
    shell.read_until("begun\r\n")
    shell.type("\x1a")
    shell.read_until("Stopped")
    shell.read_until("ready> ")
    shell.type("stty -a | grep -q ' icanon' && echo can''onical; fg\n")
    shell.read_until("canonical\r\n")
    shell.read_until("exit 3'\r\n")
    shell.type("more\n")
    shell.read_until("got more\r\n")
    shell.read_until("ready> ")
    shell.type("echo code $?\n")
    shell.read_until("code 3\r\n")
    shell.type("exit 0\n")
    assert shell.wait() == 0


@needs_linux
def test_in_the_background_it_takes_nothing_that_is_typed(screen: Open) -> None:
    shell = screen("bash", "--norc", "--noprofile", "-i")
    tracker = shlex.join(RUN)
    shell.type(f"{tracker} sh -c 'test -t 1; echo terminal $?; sleep 0.4; exit 4' &\n")
    shell.read_until("terminal 0\r\n")
    shell.type("echo ty''ped; wait $!; echo code $?\n")
    shell.read_until("typed\r\n")
    shell.read_until("code 4\r\n")
    shell.type("exit 0\n")
    assert shell.wait() == 0


@pytest.mark.parametrize(
    ("redirection", "terminals"),
    [
        ("", "True True True"),
        ("2>errors", "True True False"),
        (">output", "True False True"),
        ("</dev/null", "False True True"),
        ("2>&1 | cat", "True False False"),
        ("</dev/null 2>errors", "False True False"),
    ],
)
def test_each_stream_is_a_terminal_if_ours_is(
    redirection: str, terminals: str, screen: Open, tmp_path: Path
) -> None:
    looks = "import os; print(*map(os.isatty, range(3)), file=open('seen', 'w'))"
    command = shlex.join([*RUN, PYTHON, "-c", f"{looks}; print('printed')"])
    job = screen("sh", "-c", f"{command} {redirection}")
    job.read_all()
    assert job.wait() == 0
    assert (tmp_path / "seen").read_text().strip() == terminals


def test_errors_that_go_elsewhere_go_there(screen: Open, tmp_path: Path) -> None:
    command = shlex.join([*RUN, "sh", "-c", "echo shown; echo kept >&2"])
    job = screen("sh", "-c", f"{command} 2>errors")
    assert job.read_all() == "shown\r\n"
    assert (tmp_path / "errors").read_text() == "kept\n"


def test_what_cannot_be_run(screen: Open) -> None:
    job = screen(*RUN, "no-such-command-here")
    job.read_until("tracker: no-such-command-here: command not found\r\n")
    assert job.wait() == 127


def test_processes_left_behind_live_on_and_write(screen: Open) -> None:
    command = shlex.join(
        [*RUN, "sh", "-c", "(while [ ! -e go ]; do sleep 0.05; done; echo late) &"]
    )
    job = screen("sh", "-c", f"{command}; echo ended $?; touch go; sleep 60")
    job.read_until("ended 0\r\n")
    job.read_until("late\r\n")


@needs_linux
def test_when_we_are_killed_the_command_is_hung_up(screen: Open, tmp_path: Path) -> None:
    """As when a terminal is closed: nothing goes on unseen."""
    job = screen(
        *RUN, "sh", "-c", "trap 'touch hung-up; exit' HUP; echo ready; while :; do sleep 0.05; done"
    )
    job.read_until("ready")
    os.kill(job.pid, signal.SIGKILL)
    wait_for((tmp_path / "hung-up").exists, 20)
