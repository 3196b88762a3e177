"""The file `.env` of the working directory, and what is said about the variables that are given."""

from __future__ import annotations

import io
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from tracker.cli.output import say
from tracker.config.settings import Settings, load
from tracker.config.variables import DotEnv, filter_dotenv, unknown_variables
from tracker.errors import ConfigError
from tracker.files import read_regular
from tracker.text import printable

_FILE: Final = ".env"
_MAX_BYTES: Final = 64 * 1024

# Where a command remembers what it has said: some ask for the server again and again.
_SAID: Final = "tracker.said"


def read() -> DotEnv:
    """Its variables; none if there is no such file, or a folder of that name: some call a virtual
    environment so. Raises ConfigError: it cannot be read."""
    path = Path(_FILE)
    try:
        if path.is_dir():
            return DotEnv(path)
        text = read_regular(path, _MAX_BYTES).decode("utf-8")
        folder = Path.cwd()
    except FileNotFoundError:
        return DotEnv(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    from dotenv.parser import parse_stream

    # Parsed, and no more: ${SECRET} in a stranger's address would be sent to them.
    bindings = list(parse_stream(io.StringIO(text)))
    wrong = [binding.original.line for binding in bindings if binding.error]
    if wrong:
        warn([f"{path}: line {wrong[0]} cannot be understood"])
    values = {binding.key: binding.value for binding in bindings if binding.key is not None}
    return DotEnv(folder, {name: text for name, text in values.items() if text is not None})


class InForce(NamedTuple):
    """The settings in force, what of `.env` counts for them, and what there is to say."""

    settings: Settings
    dotenv: Mapping[str, str]
    warnings: list[str]


def in_force(flags: Mapping[str, Any], *, of_interest: Container[str] | None = None) -> InForce:
    """The settings in force. `of_interest`: the variables of which it is worth saying that they
    were left out of account; None: all.

    Raises:
        ConfigError: `.env` cannot be read, or a variable's value is not what its setting takes.
    """
    dotenv = read()
    trusted, ignored = filter_dotenv(dotenv, os.environ, flags)
    if of_interest is not None:
        ignored = [variable for variable in ignored if variable in of_interest]
    warnings = [*_ignored(ignored), *misspelt(dotenv)]
    return InForce(load(flags, os.environ, trusted), trusted, warnings)


def misspelt(dotenv: DotEnv) -> list[str]:
    """What there is to say about variables that are no settings."""
    return [printable(line) for line in unknown_variables([*os.environ, *dotenv.values])]


def address_ignored(variables: Sequence[str]) -> list[str]:
    """What there is to say about an address that was left out of account."""
    if not variables:
        return []
    return [
        f"{_FILE}: {', '.join(variables)} ignored: it may be a stranger's, so an address in it "
        "counts only with a key in it, or kept beside a database in its own folder; give what you "
        "mean by --url or in the environment"
    ]


def warn(lines: Iterable[str]) -> None:
    """Say each on standard error, once in a command's run."""
    said = click.get_current_context().find_root().meta.setdefault(_SAID, set())
    for line in lines:
        if line not in said:
            said.add(line)
            say(f"tracker: warning: {line}", err=True)


def _ignored(variables: Sequence[str]) -> list[str]:
    if not variables:
        return []
    return [
        f"{_FILE}: {', '.join(variables)} ignored: it may be a stranger's, so these count only "
        "together with a TRACKER_DB inside its folder, and files only inside it; give what you "
        "mean as flags or in the environment"
    ]
