"""What counts of the variables that are given: a `.env` may be a stranger's, a name may be wrong.

Whoever clones a repository and works in it has its author's `.env` in the working directory. It may
set keys and limits, but neither open the user's own server to others nor point it at other data:
the rest counts only for a database of its own, inside its own folder.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from tracker.config.paths import MEMORY
from tracker.config.settings import SETTINGS, Setting, load

# Variables of client commands, which are no settings of the server.
_OF_CLIENTS: Final = ("TRACKER_URL", "TRACKER_PROJECT", "TRACKER_AGENT")

# Those of this project's own tests and scripts: whoever develops it may have them exported.
_OF_TESTS: Final = ("TRACKER_CHROMIUM", "TRACKER_COMMAND", "TRACKER_REQUIRE_BROWSER")

_PREFIX: Final = "TRACKER_"

# A stranger's `.env` may hold thousands.
_MOST_WARNINGS: Final = 10


class DotEnv(NamedTuple):
    """What the `.env` of a folder sets."""

    folder: Path
    values: Mapping[str, str] = {}

    @property
    def own_database(self) -> Path | None:
        """The database that it sets, if that is inside its own folder, whatever links there are.

        Neither is one whose companions are links: SQLite would write through `tracker.db-wal`, and
        a key might be another database's.
        """
        name = self.values.get("TRACKER_DB")
        if not name or name == MEMORY or not self.contains(name):
            return None
        path = self.folder.resolve() / name
        try:
            beside = path.parent.iterdir() if path.parent.is_dir() else ()
            linked = any(
                _plain(other.name).startswith(_plain(path.name)) and other.is_symlink()
                for other in beside
            )
        except OSError:
            return None
        return None if linked else path

    def contains(self, name: str) -> bool:
        """Whether a file of that name is inside the folder, whatever links there are."""
        try:
            folder = self.folder.resolve()
            return folder in (folder / name).resolve().parents
        except (OSError, ValueError, RuntimeError):  # a NUL in it, links in a circle
            return False


def heed(
    dotenv: DotEnv, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> tuple[Mapping[str, str], list[str]]:
    """What of a `.env` counts for the server, and the variables in it that do not, although
    nothing overrides them.

    Raises:
        ConfigError: a variable's value is not what its setting takes.
    """
    told = load(flags, environment, {})
    given = dotenv.values
    own = not told.ephemeral and _is_own(dotenv, told.db)
    doubtful = {
        setting.variable: setting.name
        for setting in SETTINGS
        if setting.variable in given and not _counts(setting, dotenv, own=own)
    }
    # An ephemeral server has neither the port nor the database of one that stays.
    overridden = {"port", "db"} if told.ephemeral else set()
    ignored = [
        variable
        for variable, name in doubtful.items()
        if variable not in environment and flags.get(name) is None and name not in overridden
    ]
    return {name: text for name, text in given.items() if name not in doubtful}, ignored


def unknown(names: Iterable[str]) -> Iterator[str]:
    """A line for each variable that looks like a setting and is none."""
    known = [*(setting.variable for setting in SETTINGS), *_OF_CLIENTS]
    wrong = sorted(set(names).difference(known, _OF_TESTS))
    for name in islice((name for name in wrong if name.startswith(_PREFIX)), _MOST_WARNINGS):
        nearest = get_close_matches(name, known, n=1, cutoff=0)[0]
        yield f"{name[:60]}: there is no such setting; the nearest is {nearest}"


def _counts(setting: Setting, dotenv: DotEnv, *, own: bool) -> bool:
    """Whether what the `.env` says of the setting does; `own`: its own database is in force."""
    text = dotenv.values[setting.variable]
    if setting.name == "db" and text == MEMORY:
        return True
    if setting.name == "ready_file":  # the server replaces what is there, and removes it
        return own and dotenv.contains(text)
    return own or setting.in_any_dotenv


def _plain(name: str) -> str:
    """A name as far as file systems tell names apart: some take these for the same."""
    return unicodedata.normalize("NFC", name).casefold()


def _is_own(dotenv: DotEnv, told: str | None) -> bool:
    """Whether the database in force is the one that the `.env` may set; `told`: by a flag or the
    environment."""
    own = dotenv.own_database
    if own is None or told is None:
        return own is not None
    try:
        return Path(told).resolve() == own.resolve()
    except (OSError, ValueError, RuntimeError):
        return False
