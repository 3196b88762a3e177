"""Brings a database to the newest version, one committed step after the other.

Step N is the file `000N_….sql` beside this one. A step and the record that it ran (SQLite's
`user_version`) commit together. A database that is upgraded, rather than made, is copied first.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import apsw

from tracker.errors import ConfigError

# "ATT1" in ASCII: tells our files from other programs' databases.
APPLICATION_ID = 0x41545431


def steps() -> list[str]:
    """The SQL of every step, in order."""
    files = (f for f in resources.files(__name__).iterdir() if f.name.endswith(".sql"))
    return [f.read_text(encoding="utf-8") for f in sorted(files, key=lambda f: f.name)]


def newest() -> int:
    """The version that this tracker brings a database to."""
    return len(steps())


def check(connection: apsw.Connection, name: str) -> int:
    """The version of the database; writes nothing.

    Raises:
        ConfigError: another program's database, or one made by a newer tracker.
    """
    version = int(connection.pragma("user_version"))
    application = connection.pragma("application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application != APPLICATION_ID and (tables or application or version):
        raise ConfigError(f"{name}: the database of another program; choose another --db")
    if version > newest():
        raise ConfigError(
            f"{name}: made by a newer tracker (schema {version}, this one knows {newest()}); "
            "upgrade the tracker or choose another --db"
        )
    return version


def migrate(connection: apsw.Connection, path: Path | None, version: int) -> None:
    """Run the steps that `connection`, at `version`, has not seen. `path` None: in memory."""
    todo = steps()[version:]
    if todo and version and path is not None:
        backup = path.with_name(f"{path.name}.v{version}.backup")
        backup.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(backup),))
    for number, sql in enumerate(todo, start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(sql)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
