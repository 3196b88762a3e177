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


class _Output(io.RawIOBase):
    """Hands on what is written. A failure is an OutputFailed, until `done`: what is left then, the
    interpreter would only fail to write once more as it ends."""

    def __init__(self, stream: TextIO | None, descriptor: int) -> None:
        binary: Any = io.FileIO(descriptor, "w", closefd=False) if stream is None else stream.buffer
        self._raw = getattr(binary, "raw", binary)  # unbuffered (python -u) there is no other
        self.done = False

    def write(self, data: Any, /) -> int:
        """See io.RawIOBase."""
        try:
            while (written := self._raw.write(data)) is None:  # another made it non-blocking
                select.select([], [self._raw], [])
        except OSError as error:
            return self.failed(error, data)
        return int(written)

    def failed(self, error: OSError, data: Any) -> int:
        """What a failed write comes to."""
        if self.done:
            return len(data)
        raise OutputFailed(error) from None

    def writable(self) -> bool:
        """See io.RawIOBase."""
        return True

    def isatty(self) -> bool:
        """See io.RawIOBase."""
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        """See io.RawIOBase."""
        return int(self._raw.fileno())


class _Errors(_Output):
    """What cannot be written is dropped: no work fails because its progress cannot be told."""

    def failed(self, error: OSError, data: Any) -> int:  # noqa: ARG002
        """See `_Output`."""
        return len(data)


def _text(raw: io.RawIOBase, like: TextIO | None) -> TextIO:
    """A text stream. A console that cannot show a character (Windows code pages) shows another."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
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
