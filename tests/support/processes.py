"""Processes of the program, started as the tests' machine can afford it.

A `Process` of `python -m tracker …` or `python -c …` is forked from a process that has imported
everything (`tests.support.fork_server`), if that makes no difference: same streams, environment,
folder, session, umask, signals and exit code, and `ps` apart, nothing to tell it from one that was
executed. A test of how the interpreter starts takes `subprocess`, or says `fork=False`; with
TRACKER_TEST_EXEC=1 none is forked, nor are there any where TRACKER_COMMAND is under test.
"""

from __future__ import annotations

import array
import atexit
import functools
import inspect
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.fork_server import MAX_REQUEST, NUMBER

ROOT = Path(__file__).parents[2]

# `tracker run` hands on what it reads of /proc/self, which a fork does not change.
_NOT_FORKED = (["-m", "tracker", "run"],)

# Read by the interpreter and the C library as they start.
_READ_AT_START = ("PYTHON", "LANG", "LC_", "TZ", "LD_", "MALLOC_", "GLIBC_")


def interpreter_environment() -> dict[str, str]:
    """What of a test's environment the interpreter reads as it starts."""
    return {"PYTHONPATH": str(ROOT)} | {n: os.environ[n] for n in ("LANG",) if n in os.environ}


class Process(subprocess.Popen[Any]):
    """See subprocess.Popen."""

    def __init__(self, arguments: Sequence[str], *, fork: bool = True, **options: Any) -> None:
        self._channel = -1
        self._may_fork = fork
        super().__init__(arguments, **options)

    @property
    def is_forked(self) -> bool:
        """Whether it was not executed."""
        return self._channel >= 0

    def _execute_child(self, *values: Any) -> None:
        server = None
        if self._may_fork and sys.platform == "linux" and not os.environ.get("TRACKER_TEST_EXEC"):
            call = inspect.signature(subprocess.Popen._execute_child).bind(self, *values)
            server = _ForkServer.for_(call.arguments)
        if server is None:
            super()._execute_child(*values)
            return
        given = call.arguments
        self._channel, self.pid = server.fork(given)
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(given[name] for name in pipes))

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self._channel < 0:
            return super()._try_wait(wait_flags)
        if wait_flags & os.WNOHANG and not select.select([self._channel], [], [], 0)[0]:
            return 0, 0
        status = NUMBER.unpack(os.read(self._channel, NUMBER.size))[0]
        os.close(self._channel)
        return self.pid, status

    def _internal_poll(self, *values: Any, **names: Any) -> int | None:
        if self._channel < 0:
            return super()._internal_poll(*values, **names)
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                pid, status = self._try_wait(os.WNOHANG) if self.returncode is None else (0, 0)
                if pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


def run(
    arguments: Sequence[str], *, stdin: bytes | None = None, seconds: float = 60, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run it to its end; what it prints is kept. `stdin`: what it reads; None: nothing."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    reads = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    with Process(arguments, **{"stdin": reads, **streams, **options}) as process:
        try:
            stdout, stderr = process.communicate(stdin, seconds)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


class _ForkServer:
    """One for each process of pytest, from its first use on."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())]
        self.process = subprocess.Popen(
            program,
            cwd=ROOT,
            env=interpreter_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        atexit.register(self._close)

    def _close(self) -> None:
        self._control.close()  # at which it ends
        self.process.wait()

    @classmethod
    def for_(cls, call: Mapping[str, Any]) -> _ForkServer | None:
        """The server that can fork such a process, if one can: see `Popen._execute_child`."""
        program, *arguments = call["args"]
        unusual = ("executable", "preexec_fn", "pass_fds", "shell", "gid", "gids", "uid")
        if (
            program != sys.executable
            or arguments[:1] not in (["-m"], ["-c"])
            or arguments[:3] in _NOT_FORKED
            or "sys.modules" in arguments[1]  # puts others in place of what is imported
            or any(call[name] for name in unusual if name != "executable")
            or call["executable"] not in (None, program)
            or call["env"] is None
            or _read_at_start(call["env"]) != _read_at_start(interpreter_environment())
            or len(_request(call)) > MAX_REQUEST
        ):
            return None
        return _fork_server(os.getpid())

    def fork(self, call: Mapping[str, Any]) -> tuple[int, int]:
        """The channel by which the child's end will be told, and its pid."""
        channel, theirs = os.pipe()
        streams = (call["p2cread"], call["c2pwrite"], call["errwrite"])
        descriptors = [theirs, *(given if given >= 0 else n for n, given in enumerate(streams))]
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        try:
            self._control.sendmsg([_request(call)], rights)
        finally:
            os.close(theirs)
        return channel, NUMBER.unpack(os.read(channel, NUMBER.size))[0]


@functools.cache
def _fork_server(_pid: int) -> _ForkServer:
    return _ForkServer()


def _read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in variables.items() if name.startswith(_READ_AT_START)}


def _request(call: Mapping[str, Any]) -> bytes:
    return json.dumps(
        {
            "arguments": [os.fspath(word) for word in call["args"][1:]],
            "environment": dict(call["env"]),
            "folder": os.fspath(call["cwd"] or os.getcwd()),  # noqa: PTH109
            "session": call["start_new_session"],
            "group": call["process_group"],
            "umask": call["umask"],
        }
    ).encode()
