"""A file system for SQLite that simulates power cuts and a full disk.

Writes go through to the real files at once, as they would to the page cache; besides, everything
is recorded. `PowerLog.cut` then builds the files as a power cut at any moment could have left
them: what was fsynced is whole; of what was written since, each sector may be there, may be
missing, or may be garbage.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

SECTOR = 512


class NullListener:
    """A commit listener that does nothing."""

    def publish(self, events: Sequence[Any]) -> None: ...

    def forget(self) -> None: ...


class Write(NamedTuple):
    file: str
    offset: int
    data: bytes


class Truncate(NamedTuple):
    file: str
    size: int


class Sync(NamedTuple):
    file: str


class PowerLog(apsw.VFS):
    """The recording file system; `operations` is all that was done, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.operations: list[Write | Truncate | Sync] = []
        self.full = False
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _File:
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        name = Path(filename).name
        self.operations.append(Truncate(name, 0))
        super().xDelete(filename, syncdir)
        if syncdir:
            self.operations.append(Sync(name))

    def cut(self, moment: int, folder: Path, chance: random.Random) -> None:
        """Write to `folder` what a power cut after the first `moment` operations may leave."""
        for name, content in self._left(moment, chance).items():
            if content or not name.endswith("-journal"):
                (folder / name).write_bytes(content)

    def _left(self, moment: int, chance: random.Random) -> dict[str, bytearray]:
        files: dict[str, bytearray] = {}
        unsynced: dict[str, list[Write | Truncate]] = {}
        for operation in self.operations[:moment]:
            waiting = unsynced.setdefault(operation.file, [])
            if isinstance(operation, Sync):
                for earlier in waiting:
                    _apply(files, earlier)
                waiting.clear()
            else:
                waiting.append(operation)
        for waiting in unsynced.values():
            for operation in waiting:
                _apply_by_chance(files, operation, chance)
        return files


class _File(apsw.VFSFile):
    def __init__(
        self, log: PowerLog, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__("", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._log = log
        self._name = Path(path or "temporary").name

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._log.full:
            raise apsw.FullError("no space left")
        self._log.operations.append(Write(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._log.operations.append(Truncate(self._name, size))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._log.operations.append(Sync(self._name))


def _apply(files: dict[str, bytearray], operation: Write | Truncate) -> None:
    content = files.setdefault(operation.file, bytearray())
    if isinstance(operation, Truncate):
        del content[operation.size :]
        return
    end = operation.offset + len(operation.data)
    content.extend(bytes(max(0, end - len(content))))
    content[operation.offset : end] = operation.data


def _apply_by_chance(
    files: dict[str, bytearray], operation: Write | Truncate, chance: random.Random
) -> None:
    if isinstance(operation, Truncate):
        if chance.random() < 0.5:
            _apply(files, operation)
        return
    for start in range(0, len(operation.data), SECTOR):
        sector = operation.data[start : start + SECTOR]
        fate = chance.choice(("written", "missing", "garbage"))
        if fate != "missing":
            content = sector if fate == "written" else chance.randbytes(len(sector))
            _apply(files, Write(operation.file, operation.offset + start, content))
