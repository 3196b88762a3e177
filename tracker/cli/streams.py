"""Standard output and standard error that may fail: a full disk, a pipe that nobody reads any more.

Nothing of the command line is imported here, as `--help` and `--version` go through it too.
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

# What a shell says of a program that SIGPIPE ended (128 + 13), as `yes | head -1` ends `yes`.
NOBODY_READS: Final = 141


class OutputFailed(Exception):
    """Standard output could not be written; its notes say what was done all the same. Not an
    OSError: those of files are told otherwise, and click and rich treat some in their own way."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.nobody_reads = error.errno == errno.EPIPE or (
            os.name == "nt" and error.errno == errno.EINVAL  # Windows' word for it
        )


@contextmanager
def guarded() -> Iterator[None]:
    """Run a command, then write out what it printed.

    Standard output that cannot be written is one line and exit code 1. If it is a pipe whose reader
    has gone (`tracker ls | head -1`) nothing is said, and the exit code is 141. Standard error that
    cannot be written fails nothing: it has nowhere to be told.
    """
    _occupy_closed()
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(os.devnull)))
    output = _Output(sys.stdout, 1)
    sys.stdout = _text(output, sys.stdout)
    sys.stderr = _text(_Errors(sys.stderr, 2), sys.stderr)
    try:
        try:
            yield
        except SystemExit:  # as every command of click ends
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except OutputFailed as failed:
        if failed.nobody_reads:
            sys.exit(NOBODY_READS)
        said = "; ".join([str(failed), *getattr(failed, "__notes__", ())])
        print(f"tracker: standard output: {said}", file=sys.stderr)
        sys.exit(FAILED)
    finally:
        output.done = True


class _Output(io.BufferedWriter):
    """What is written goes through Python's own buffer, which keeps count whatever interrupts it:
    nothing is written twice. A failure is an OutputFailed, until `done`: what is left then, the
    interpreter would only fail to write once more as it ends."""

    def __init__(self, stream: TextIO | None, descriptor: int) -> None:
        binary: Any = io.FileIO(descriptor, "w", closefd=False) if stream is None else stream.buffer
        super().__init__(getattr(binary, "raw", binary))  # unbuffered (python -u) there is no other
        self.done = False

    def write(self, data: Any, /) -> int:
        """See io.BufferedWriter."""
        left = memoryview(data).cast("B")
        size = len(left)
        while True:
            try:
                super().write(left)
            except BlockingIOError as full:  # another made it non-blocking
                left = left[full.characters_written :]
                self._wait()
            except OSError as error:
                self.failed(error)
            else:
                return size
            if self.done or not left:
                return size

    def flush(self) -> None:
        """See io.BufferedWriter."""
        while True:
            try:
                return super().flush()
            except BlockingIOError:
                self._wait()
            except OSError as error:
                return self.failed(error)

    def close(self) -> None:
        """The stream below is the interpreter's to close."""
        self.flush()

    def failed(self, error: OSError) -> None:
        """What a failed write comes to."""
        if not self.done:
            raise OutputFailed(error) from None

    def _wait(self) -> None:
        select.select([], [self.fileno()], [])


class _Errors(_Output):
    """What cannot be written is dropped: no work fails because its progress cannot be told."""

    def failed(self, error: OSError) -> None:  # noqa: ARG002
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


def _occupy_closed() -> None:
    """A standard stream that is closed (`>&-`) leaves its number to the next file that is opened,
    which may be the database. Standard output then fails as it should; input is empty."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if descriptor == 2 else os.O_RDONLY)
