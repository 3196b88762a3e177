"""Which of the given variables count: a `.env` may be a stranger's, a name may be misspelt.

In a cloned repository the working directory has its author's `.env`. It may set keys and limits,
but neither open the user's own server to others nor point it at other data: the rest counts only
for a database of its own, inside its own folder.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent_task_tracker.folders import MEMORY
from tracker.config.settings import NOT_EPHEMERAL, SETTINGS, Setting, load

# Variables of client commands, not settings of the server.
CLIENT_VARIABLES: Final = (
    *("TRACKER_URL", "TRACKER_CA_FILE", "TRACKER_SPOOL", "TRACKER_CONNECTIONS"),
    *("TRACKER_PROJECT", "TRACKER_AGENT", "TRACKER_SESSION", "TRACKER_QUIET"),
    "TRACKER_TRACEBACK",
)

# Those of this project's own tests and scripts, which a developer may have exported.
_TEST_VARIABLES: Final = (
    *("TRACKER_CHROMIUM", "TRACKER_COMMAND", "TRACKER_INSTALL_AGENTS"),
    *("TRACKER_REQUIRE_BROWSER", "TRACKER_TEST_EXEC"),
)

# The server replaces and removes the first two, and reads the others.
_FILES: Final = ("ready_file", "unix_socket", "tls_cert", "tls_key", "prices")

_PREFIX: Final = "TRACKER_"

# A stranger's `.env` may hold thousands.
_MAX_WARNINGS: Final = 10


class DotEnv(NamedTuple):
    """What the `.env` of a folder sets, and what is wrong with it."""

    folder: Path
    values: Mapping[str, str] = {}
    problems: Sequence[str] = ()

    @property
    def own_database(self) -> Path | None:
        """The database that it sets, if that is inside its own folder once links are resolved.

        None also if files beside it are links: SQLite would write through `tracker.db-wal`, and a
        key might be another database's.
        """
        name = self.values.get("TRACKER_DB")
        if not name or name == MEMORY or not self.contains(name):
            return None
        path = self.folder.resolve() / name
        try:
            beside = path.parent.iterdir() if path.parent.is_dir() else ()
            linked = any(
                _normalized(other.name).startswith(_normalized(path.name)) and other.is_symlink()
                for other in beside
            )
        except OSError:
            return None
        return None if linked else path

    def contains(self, name: str) -> bool:
        """Whether a file of that name is inside the folder once links are resolved."""
        try:
            folder = self.folder.resolve()
            return folder in (folder / name).resolve().parents
        except (OSError, ValueError, RuntimeError):  # a NUL in it, circular links
            return False


def filter_dotenv(
    dotenv: DotEnv, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> tuple[Mapping[str, str], list[str]]:
    """The variables of a `.env` that count for the server, and the names of those that are ignored
    although nothing overrides them.

    Raises:
        ConfigError: a variable's value is not what its setting takes.
    """
    settings = load(flags, environment, {})
    values = dotenv.values
    own = not settings.ephemeral and _is_own(dotenv, settings.db)
    untrusted = {
        setting.variable: setting.name
        for setting in SETTINGS
        if setting.variable in values and not _is_trusted(setting, dotenv, own=own)
    }
    overridden = NOT_EPHEMERAL if settings.ephemeral else ()
    ignored = [
        variable
        for variable, name in untrusted.items()
        if variable not in environment and flags.get(name) is None and name not in overridden
    ]
    return {name: text for name, text in values.items() if name not in untrusted}, ignored


def unknown_variables(names: Iterable[str]) -> Iterator[str]:
    """A line for each variable that looks like a setting but is none."""
    known = [*(setting.variable for setting in SETTINGS), *CLIENT_VARIABLES]
    wrong = sorted(set(names).difference(known, _TEST_VARIABLES))
    for name in islice((name for name in wrong if name.startswith(_PREFIX)), _MAX_WARNINGS):
        nearest = get_close_matches(name, known, n=1, cutoff=0)[0]
        yield f"{name[:60]}: there is no such setting; the nearest is {nearest}"


def _is_trusted(setting: Setting, dotenv: DotEnv, *, own: bool) -> bool:
    """Whether the `.env` may set this; `own`: its own database is in force."""
    text = dotenv.values[setting.variable]
    if setting.name == "db" and text == MEMORY:
        return True
    if setting.name in _FILES:
        return own and dotenv.contains(text)
    return own or setting.in_any_dotenv


def _normalized(name: str) -> str:
    """A name for comparison: some file systems ignore case and Unicode normalization."""
    return unicodedata.normalize("NFC", name).casefold()


def _is_own(dotenv: DotEnv, db: str | None) -> bool:
    """Whether the database in force is the one that the `.env` may set; `db`: as set by a flag or
    the environment."""
    own = dotenv.own_database
    if own is None or db is None:
        return own is not None
    try:
        return Path(db).resolve() == own.resolve()
    except (OSError, ValueError, RuntimeError):
        return False
