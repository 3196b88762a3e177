"""One file of somebody else's configuration: read whole, replaced atomically, or left alone.

Links are followed and kept (dotfile managers), as are mode, owner and extended attributes. Nothing
is ever written into the file itself: whoever reads it sees it whole, before or after.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from agent_task_tracker.files import read_regular
from tracker.agents.connect.errors import CannotEdit, ChangedMeanwhile
from tracker.files import put_new, sync, sync_folder, translate_errors

# A thousand times what people have.
_MAX_BYTES: Final = 4 * 1024 * 1024

_NEW_FILE: Final = 0o600
_NEW_FOLDER: Final = 0o755


class Loaded(NamedTuple):
    """A file as it was read. `content` None: there is none. `real`: where it is once links are
    followed; `mode`: its permissions."""

    content: bytes | None
    real: Path
    mode: int = 0


class ConfigFile:
    """The file under one name."""

    def __init__(self, path: Path, mode: int = _NEW_FILE, backups: Path | None = None) -> None:
        """`mode`: if it has to be made; `backups`: the folder for them; None: beside it."""
        self.path = path
        self._mode = mode
        self._backups = backups

    def load(self) -> Loaded:
        """Read it. Raises CannotEdit."""
        try:
            real = self.path.resolve(strict=True)
        except FileNotFoundError:
            return Loaded(None, self._free_name())
        except (OSError, RuntimeError) as error:
            raise self._unreadable(error) from None
        try:
            found = real.stat()
            if stat.S_ISDIR(found.st_mode):
                raise CannotEdit(f"{self.path}: a folder is where a file should be")
            content = read_regular(real, _MAX_BYTES)
        except OSError as error:
            raise self._unreadable(error) from None
        return Loaded(content, real, stat.S_IMODE(found.st_mode))

    def _unreadable(self, error: Exception) -> CannotEdit:
        reason = getattr(error, "strerror", None) or error
        return CannotEdit(f"{self.path}: cannot be read, so it is not touched: {reason}")

    def _free_name(self) -> Path:
        """Where a new file goes. Raises CannotEdit: the name is a link to nothing."""
        if self.path.is_symlink():
            raise CannotEdit(
                f"{self.path}: a link to {os.readlink(self.path)}, which is not there; "  # noqa: PTH115
                "mend or remove the link"
            )
        try:
            for ancestor in self.path.parents:
                if os.path.lexists(ancestor):
                    return ancestor.resolve(strict=True) / self.path.relative_to(ancestor)
        except (OSError, RuntimeError) as error:
            raise self._unreadable(error) from None
        return self.path

    def check_writable(self, loaded: Loaded) -> None:
        """Raises CannotEdit: it has been made read-only, or has other names, which an atomic
        replacement would leave behind."""
        if loaded.content is None:
            return
        if not loaded.mode & 0o222:
            raise CannotEdit(
                f"{self.path}: is read-only; something else may be keeping it (a dotfile manager). "
                "Make it writable, or add this there"
            )
        if loaded.real.stat().st_nlink > 1:
            raise CannotEdit(
                f"{self.path}: has another name (a hard link), which would not see the change; "
                "add this by hand"
            )

    def missing_folders(self, loaded: Loaded) -> list[Path]:
        """The folders to be made for it, the outermost first."""
        missing = [folder for folder in loaded.real.parents if not os.path.lexists(folder)]
        return missing[::-1]

    def replace(self, loaded: Loaded, content: bytes) -> None:
        """Put `content` in its place.

        Raises:
            ChangedMeanwhile: it is not any more as it was `loaded`.
            ConfigError, NoRoom: it cannot be written.
        """
        with translate_errors(self.path):
            for folder in self.missing_folders(loaded):
                with contextlib.suppress(FileExistsError):
                    folder.mkdir(mode=_NEW_FOLDER)
            # One name, so that the next command removes what a killed one left.
            part = loaded.real.with_name(f".{loaded.real.name}.tracker-unfinished")
            part.unlink(missing_ok=True)
            try:
                self._write(part, loaded, content)
                if self.load() != loaded:
                    raise ChangedMeanwhile
                if loaded.content is None:
                    put_new(part, loaded.real)
                else:
                    part.replace(loaded.real)
            except FileExistsError:
                raise ChangedMeanwhile from None
            finally:
                part.unlink(missing_ok=True)
            sync_folder(loaded.real.parent)

    def _write(self, part: Path, loaded: Loaded, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            file.write(content)
        if loaded.content is None:
            part.chmod(self._mode)
        else:
            self._copy_owner(loaded.real, part)
            shutil.copystat(loaded.real, part)
            os.utime(part)
            part.chmod(loaded.mode)
        sync(part)

    @staticmethod
    def _copy_owner(real: Path, part: Path) -> None:
        found, new = real.stat(), part.stat()
        if hasattr(os, "chown") and (found.st_uid, found.st_gid) != (new.st_uid, new.st_gid):
            with contextlib.suppress(PermissionError):  # only root may give files away
                os.chown(part, found.st_uid, found.st_gid)

    def remove(self, loaded: Loaded) -> None:
        """Remove it. Raises ChangedMeanwhile, ConfigError."""
        with translate_errors(self.path):
            if self.load() != loaded:
                raise ChangedMeanwhile
            loaded.real.unlink(missing_ok=True)
            sync_folder(loaded.real.parent)

    def back_up(self, loaded: Loaded, today: date) -> Path | None:
        """Keep what it was in another file, once a day; None: that is there already. Raises
        ConfigError, NoRoom."""
        assert loaded.content is not None  # noqa: S101
        backup = self.backup_name(loaded, today)
        if os.path.lexists(backup):
            return None
        part = backup.with_name(f".{backup.name}.unfinished")
        with translate_errors(backup):
            backup.parent.mkdir(mode=0o700, exist_ok=True)
            part.unlink(missing_ok=True)
            try:
                self._write(part, loaded, loaded.content)
                part.replace(backup)
            finally:
                part.unlink(missing_ok=True)
        return backup

    def backup_name(self, loaded: Loaded, day: date) -> Path:
        """What the file that it was is called. Agents that read all `*.json` do not read it."""
        name = f"{loaded.real.name}.before-tracker-{day.isoformat()}"
        if self._backups is None:
            return loaded.real.with_name(name)
        return self._backups / f"{hashlib.sha256(os.fsencode(loaded.real)).hexdigest()[:8]}-{name}"
