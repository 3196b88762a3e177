"""A process that has everything imported, and forks a child for each request.

`python -m tracker` takes most of its processor time to import modules, which a forked child need
not do again. `tests.support.processes` is its client, and says when a child is the same as a
process of its own. Linux only: elsewhere a process with threads or frameworks may not be forked.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from types import ModuleType
from typing import Any, NoReturn

# Bytes of a request; a longer one is for a process of its own.
MAX_REQUEST = 100_000

# What is told of a child: its pid, later its status as of waitpid.
NUMBER = struct.Struct("=i")

_DESCRIPTORS = 4
_HELD_BACK = {signal.SIGCHLD, signal.SIGINT, signal.SIGTERM}

# Imports what the tests' requirements bring, not the program's.
_NOT_OURS = ("agent_task_tracker.pytest_plugin",)


def serve(control: socket.socket) -> dict[str, Any]:
    """Fork a child for each request until the client has gone. Returns in the child, with its
    standard streams in place."""
    _import_all()
    gc.collect()
    gc.freeze()  # else the children's collections copy all of it
    channels: dict[int, int] = {}

    def reap(*_: object) -> None:
        for pid in list(channels):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                _tell(channels.pop(pid), status, close=True)

    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client
    signal.signal(signal.SIGCHLD, reap)
    while True:
        request, descriptors = _receive(control)
        if not request:
            os._exit(0)
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, on_interrupt)
            given: dict[str, Any] = json.loads(request)
            _become(given, descriptors[1:])
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)
            return given
        channels[pid] = descriptors[0]
        _tell(descriptors[0], pid)
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)


def _import_all() -> None:
    for package in ("tracker", "agent_task_tracker"):
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}."):
            if module.name not in _NOT_OURS and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    importlib.import_module("uvloop")


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    found = array.array("i")
    request, ancillary, _, _ = control.recvmsg(
        MAX_REQUEST, socket.CMSG_SPACE(_DESCRIPTORS * found.itemsize)
    )
    for _, _, data in ancillary:
        found.frombytes(data)
    return request, found.tolist()


def _tell(channel: int, number: int, *, close: bool = False) -> None:
    with suppress(BrokenPipeError):  # the client no longer wants to know
        os.write(channel, NUMBER.pack(number))
    if close:
        os.close(channel)


def _become(given: dict[str, Any], streams: list[int]) -> None:
    """Make this child what exec would have made it."""
    if given["session"]:
        os.setsid()
    elif given["group"] >= 0:
        os.setpgid(0, given["group"])
    for target, descriptor in enumerate(streams):
        os.dup2(descriptor, target)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if given["umask"] >= 0:
        os.umask(given["umask"])
    os.chdir(given["folder"])
    coerced = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}  # PEP 538
    os.environ.clear()
    os.environ.update({**coerced, **given["environment"]})
    sys.stdin = sys.__stdin__ = _stream(sys.__stdin__, 0)
    sys.stdout = sys.__stdout__ = _stream(sys.__stdout__, 1)
    sys.stderr = sys.__stderr__ = _stream(sys.__stderr__, 2)


def _stream(like: Any, descriptor: int) -> io.TextIOWrapper:
    """A standard stream as the interpreter opens it."""
    binary = open(descriptor, "wb" if descriptor else "rb", closefd=False)  # noqa: SIM115
    binary.raw.name = like.name
    return io.TextIOWrapper(
        binary,
        encoding=like.encoding,
        errors=like.errors,
        newline="\n",
        line_buffering=descriptor == 2 or binary.isatty(),
    )


def run(arguments: list[str]) -> NoReturn:
    """Do what `python` with these arguments does: `-m MODULE …` or `-c PROGRAM …`."""
    option, what = arguments[:2]
    sys.argv = [option, *arguments[2:]]
    code: object = 0
    try:
        if option == "-m":
            sys.path[0] = str(os.getcwd())  # noqa: PTH109 - as the interpreter does
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = ""
            main = sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(what, "<string>", "exec"), main.__dict__)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code
    # As the interpreter ends, but without taking all modules apart.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    run(serve(socket.socket(fileno=int(sys.argv[1])))["arguments"])
