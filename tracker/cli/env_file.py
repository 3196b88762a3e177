"""The file `.env` of the working directory."""

from __future__ import annotations

from pathlib import Path

from tracker.errors import ConfigError


def read() -> dict[str, str | None]:
    """Its variables; none if there is no such file. Raises ConfigError: it cannot be read."""
    from dotenv import dotenv_values

    path = Path(".env")
    try:
        return dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
