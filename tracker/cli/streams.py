"""Standard output and standard error that may fail: a full disk, a broken pipe.

Imports nothing of the command line, as `--help` and `--version` use it too.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

FAILED: Final = 1

# A shell's exit code for a program ended by SIGPIPE (128 + 13), as `yes | head -1` ends `yes`.
BROKEN_PIPE: Final = 141


class OutputFailed(Exception):
    """Standard output could not be written; its notes say what was done before. Not an OSError:
    those of files have messages of their own, and click and rich handle some themselves."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.is_broken_pipe = error.errno == errno.EPIPE or (
            os.name == "nt" and error.errno == errno.EINVAL  # on Windows
        )


@contextmanager
def guarded() -> Iterator[None]:
    """Run a command, then write out what it printed.

    If standard output cannot be written, print one line and exit with 1. If it is a broken pipe
    (`tracker ls | head -1`), print nothing and exit with 141. If standard error cannot be written,
    ignore that: there is nowhere to report it.
    """
    reopen_closed()
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(os.devnull)))
    output = _Output(sys.stdout, 1)
    sys.stdout = _text(output, sys.stdout)
    sys.stderr = _text(_Errors(sys.stderr, 2), sys.stderr)
    try:
        try:
            yield
        except SystemExit:  # every command of click ends so
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except OutputFailed as failure:
        if failure.is_broken_pipe:
            sys.exit(BROKEN_PIPE)
        message = "; ".join([str(failure), *getattr(failure, "__notes__", ())])
        print(f"tracker: standard output: {message}", file=sys.stderr)
        sys.exit(FAILED)
    finally:
        output.done = True


class _Output(io.BufferedWriter):
    """Writes through Python's own buffer, which keeps count whatever interrupts it: nothing is
    written twice. A failure raises OutputFailed, until `done`: what is left then, the interpreter
    would only fail to write again as it exits."""

    def __init__(self, stream: TextIO | None, descriptor: int) -> None:
        binary: Any = io.FileIO(descriptor, "w", closefd=False) if stream is None else stream.buffer
        super().__init__(getattr(binary, "raw", binary))  # unbuffered (python -u) it is raw itself
        self.done = False

    def write(self, data: Any, /) -> int:
        """See io.BufferedWriter."""
        remaining = memoryview(data).cast("B")
        size = len(remaining)
        while True:
            try:
                super().write(remaining)
            except BlockingIOError as full:  # another process made it non-blocking
                remaining = remaining[full.characters_written :]
                self._wait()
            except OSError as error:
                self.fail(error)
            else:
                return size
            if self.done or not remaining:
                return size

    def flush(self) -> None:
        """See io.BufferedWriter."""
        while True:
            try:
                return super().flush()
            except BlockingIOError:
                self._wait()
            except OSError as error:
                return self.fail(error)

    def close(self) -> None:
        """Flush only: the interpreter closes the stream below."""
        self.flush()

    def fail(self, error: OSError) -> None:
        """Handle a failed write. Raises OutputFailed."""
        if not self.done:
            raise OutputFailed(error) from None

    def _wait(self) -> None:
        select.select([], [self.fileno()], [])


class _Errors(_Output):
    """Drops what cannot be written: no work fails because its progress cannot be shown."""

    def fail(self, error: OSError) -> None:  # noqa: ARG002
        """See `_Output`."""
        self.done = True


def _text(buffer: io.BufferedWriter, like: TextIO | None) -> TextIO:
    """A text stream. A console that cannot show a character (Windows code pages) shows another."""
    return io.TextIOWrapper(
        buffer,
        encoding=getattr(like, "encoding", "utf-8"),
        errors="replace",
        line_buffering=getattr(like, "line_buffering", True),
    )


def reopen_closed() -> frozenset[int]:
    """Reopen closed standard streams (`>&-`): else the next opened file, perhaps the database, gets
    the descriptor. Standard output then fails as it should; input is empty. Those that were."""
    closed: set[int] = set()
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if descriptor == 2 else os.O_RDONLY)
            closed.add(descriptor)
    return frozenset(closed)
