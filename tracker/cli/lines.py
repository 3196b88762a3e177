"""The lines of an untrusted file: in bounded memory, errors with line numbers."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import BinaryIO, Final

from tracker.errors import ConfigError

# Of one record. Reports make events of at most a few MiB; but a task's metadata grows with each
# that has keys of its own, and what was exported has to come back.
MAX_RECORD_BYTES: Final = 256 * 1024 * 1024

_GZIP: Final = b"\x1f\x8b"


class Lines:
    """Iterates over a file's lines as text; `number` is that of the latest.

    Raises ConfigError: it cannot be read, is not UTF-8, or a record is too large.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.number = 0
        self._file = file
        self.begin_record()

    def begin_record(self) -> None:
        """The next line begins a new record."""
        self._begin = self.number + 1
        self._room = MAX_RECORD_BYTES

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        try:
            line = self._file.readline(self._room + 1)
        except OSError as error:
            raise ConfigError(f"the file cannot be read: {error.strerror or error}") from None
        if not line:
            raise StopIteration
        self.number += 1
        self._room -= len(line)
        if self._room < 0:
            most = MAX_RECORD_BYTES // 1024**2
            raise ConfigError(f"line {self._begin}: over {most} MiB without an end; no export")
        if self.number == 1:  # spreadsheets write a byte order mark
            line = line.removeprefix(BOM_UTF8)
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            hint = "; unpack it first" if self.number == 1 and line.startswith(_GZIP) else ""
            raise ConfigError(
                f"line {self.number}: this is not UTF-8: {error.reason} at byte "
                f"{error.start + 1}{hint}"
            ) from None
