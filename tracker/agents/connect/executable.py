"""The command that an agent's hooks run: absolute, and the same for as long as we are installed.

Codex trusts a hook by the hash of its definition, and a path that moves is a hook that fails at
each event. So: no temporary folder, no cache, no version that an upgrade changes.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tracker.errors import ConfigError
from tracker.text import is_unicode

_NAME: Final = "tracker"

# Characters that no quoting carries through all of cmd, PowerShell and Git's bash.
_UNQUOTABLE: Final = re.compile(r"[\"$`%!^&|<>']")


def find_executable(environment: Mapping[str, str], *, anyway: bool = False) -> Path:
    """The program that runs now, under the name that lasts. `anyway`: even if that does not last,
    or starts slowly. Raises ConfigError, which says what to do."""
    path = _frozen(anyway=anyway) if getattr(sys, "frozen", False) else _installed(environment)
    unstable = None if anyway else _why_unstable(path, environment)
    if unstable:
        raise ConfigError(
            f"{path}: is in {unstable}, and the agent's hooks would fail once that is gone. "
            "Install the tracker to stay (`uv tool install agent-task-tracker`, `pipx install "
            "agent-task-tracker`, or the executable in a folder of your own) and connect from "
            "there; or give --anyway"
        )
    if not is_unicode(str(path)):
        raise ConfigError(f"{path}: is no text, as configuration has to be; move it elsewhere")
    return path


def shell_command(executable: Path, *arguments: str) -> str:
    """As an agent's shell takes it. Raises ConfigError: no quoting is safe."""
    if os.name != "nt":
        return shlex.join([str(executable), *arguments])
    # Git's bash, PowerShell and cmd all take slashes; backslashes, bash would drop.
    text = str(executable).replace("\\", "/")
    if _UNQUOTABLE.search(text):
        raise ConfigError(f"{executable}: has characters that shells obey; move it elsewhere")
    return " ".join([f'"{text}"' if " " in text else text, *arguments])


def _frozen(*, anyway: bool) -> Path:
    path = Path(os.path.abspath(sys.executable))  # noqa: PTH100 - a link stays one
    unpacked = Path(getattr(sys, "_MEIPASS", path.parent)).resolve()
    is_one_file = path.resolve().parent not in (unpacked, *unpacked.parents)
    if is_one_file and not anyway:
        raise ConfigError(
            f"{path}: is the executable in one file, which unpacks itself at every start: each of "
            "the agent's steps would take a third of a second longer. Connect with the folder "
            "(tracker-dir), which starts at once; or give --anyway"
        )
    return path


def _installed(environment: Mapping[str, str]) -> Path:
    """The console script; by the name in ~/.local/bin if that leads to it, as of `uv tool` and
    pipx, which put another environment behind it."""
    script = next((path for path in _scripts() if path.is_file()), None)
    if script is None:
        raise ConfigError(
            "there is no command `tracker` in this Python's environment for hooks to run; install "
            "the package (`uv tool install agent-task-tracker`) and connect by its command"
        )
    bin_folder = environment.get("UV_TOOL_BIN_DIR") or environment.get("PIPX_BIN_DIR")
    try:
        shim = (Path(bin_folder) if bin_folder else Path.home() / ".local" / "bin") / script.name
        if shim.is_absolute() and shim.exists() and shim.samefile(script):
            return shim
    except (OSError, RuntimeError):
        pass  # the user has no home, or there is no such command in it
    return script


def _scripts() -> Iterator[Path]:
    suffix = ".exe" if os.name == "nt" else ""
    yield Path(sysconfig.get_path("scripts")) / f"{_NAME}{suffix}"
    started = Path(os.path.abspath(sys.argv[0]))  # noqa: PTH100 - pip install --user, --target
    if started.stem in (_NAME, "agent-task-tracker"):
        yield started


def _why_unstable(path: Path, environment: Mapping[str, str]) -> str | None:
    """What kind of folder it is in that others empty."""
    try:
        home: Path | None = Path.home()
    except RuntimeError:
        home = None
    temporary = [tempfile.gettempdir(), "/tmp", "/var/tmp", environment.get("TMPDIR")]  # noqa: S108
    caches = [environment.get(name) for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR")]
    if home is not None:
        caches += map(str, (home / ".cache", home / "Library" / "Caches", home / ".npm"))
        caches.append(str(home / ".local" / "pipx" / ".cache"))
    for kind, folders in (("a temporary folder", temporary), ("a cache", caches)):
        for folder in folders:
            if folder and any(
                Path(folder) in place.parents or Path(os.path.realpath(folder)) in place.parents
                for place in (path, path.resolve())
            ):
                return kind
    if home is not None and home / "Downloads" in path.parents:
        return "the folder of downloads"
    return None
