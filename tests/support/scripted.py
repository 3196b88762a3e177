"""`tracker` for shells' scripts, at the cost of a fork (see `tests.support.processes`)."""

from __future__ import annotations

import ast
import os
import shlex
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

from tests.support import stand_in
from tests.support.processes import Process
from tests.support.server import COMMAND


class Commands:
    """The processes that scripts have started by `tracker`, which `script` is the text of."""

    def __init__(self, socket_path: Path) -> None:
        self.started: list[Process] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(socket_path))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()
        forked = [sys.executable, "-I", "-S", stand_in.__file__, str(socket_path)]
        # `run` is never forked, so it may as well be a child of the script.
        self.script = (
            f'#!/bin/sh\ncase "$1" in run) exec {shlex.join(COMMAND)} "$@" ;; esac\n'
            f'exec {shlex.join(forked)} "$@"\n'
        )

    def close(self) -> None:
        """No further ones; those that still run are killed."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for process in self.started:
            if process.poll() is None:
                process.kill()

    def _accept(self) -> None:
        with self._listener, suppress(OSError):  # shut down
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        size = stand_in.INT_SIZE
        with connection, suppress(BrokenPipeError):
            head, streams, _, _ = socket.recv_fds(connection, size, 3)
            with connection.makefile("rb") as file:
                request = file.read(int.from_bytes(head, sys.byteorder))
            arguments, environment, folder = ast.literal_eval(request.decode())
            process = Process(
                [*COMMAND, *arguments],
                cwd=folder,
                env=environment,
                **dict(zip(("stdin", "stdout", "stderr"), streams, strict=True)),
            )
            self.started.append(process)
            for stream in streams:
                os.close(stream)
            connection.sendall(process.pid.to_bytes(size, sys.byteorder))
            code = process.wait()
            connection.sendall(code.to_bytes(size, sys.byteorder, signed=True))
