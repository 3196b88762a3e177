"""The file `.env` of the working directory, and warnings about variables."""

from __future__ import annotations

import io
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent_task_tracker.files import read_regular
from tracker.cli.output import print_text
from tracker.config.settings import Settings, faults, load
from tracker.config.variables import DotEnv, filter_dotenv, unknown_variables
from tracker.errors import ConfigError
from tracker.text import printable

_FILE: Final = ".env"
_MAX_BYTES: Final = 64 * 1024

# Where a command keeps the warnings it has printed: some look for the server again and again.
_WARNED: Final = "tracker.warned"


def read() -> DotEnv:
    """Its variables; none if there is no such file, or if it is a folder, as some name a virtual
    environment. Raises ConfigError: it cannot be read."""
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

    # Without interpolation: ${SECRET} in a stranger's address would be sent to them.
    bindings = list(parse_stream(io.StringIO(text)))
    invalid = [binding.original.line for binding in bindings if binding.error]
    values = {binding.key: binding.value for binding in bindings if binding.key is not None}
    return DotEnv(
        folder,
        {name: text for name, text in values.items() if text is not None},
        [f"{path}: line {line} cannot be understood" for line in invalid[:1]],
    )


class LoadedSettings(NamedTuple):
    """The settings in force, the variables of `.env` that are trusted, and warnings."""

    settings: Settings
    dotenv: Mapping[str, str]
    warnings: list[str]


def load_settings(
    flags: Mapping[str, Any], *, relevant: Container[str] | None = None
) -> LoadedSettings:
    """The settings in force. `relevant`: the variables to warn of if they are ignored; None: all.

    Raises:
        ConfigError: `.env` cannot be read, or a variable's value is not what its setting takes.
    """
    return _load(flags, os.environ, read(), relevant)


class Examined(NamedTuple):
    """The settings as they would be without what is wrong; `problems` says what that is."""

    loaded: LoadedSettings
    environment: Mapping[str, str]
    dotenv: DotEnv
    problems: list[str]


def examine(flags: Mapping[str, Any]) -> Examined:
    """All that is wrong with the settings, instead of the first of it."""
    problems = []
    try:
        dotenv = read()
    except ConfigError as error:
        problems.append(str(error))
        dotenv = DotEnv(Path())
    wrong = faults(os.environ, {})
    environment = {name: text for name, text in os.environ.items() if name not in wrong}
    dotenv = _without(dotenv, wrong)
    trusted, _ = filter_dotenv(dotenv, environment, flags)
    wrong_here = faults({}, {n: text for n, text in trusted.items() if n not in environment})
    dotenv = _without(dotenv, wrong_here)
    problems += [*wrong.values(), *wrong_here.values()]
    return Examined(_load(flags, environment, dotenv), environment, dotenv, problems)


def _without(dotenv: DotEnv, names: Container[str]) -> DotEnv:
    values = {name: text for name, text in dotenv.values.items() if name not in names}
    return dotenv._replace(values=values)


def _load(
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    dotenv: DotEnv,
    relevant: Container[str] | None = None,
) -> LoadedSettings:
    trusted, ignored = filter_dotenv(dotenv, environment, flags)
    if relevant is not None:
        ignored = [variable for variable in ignored if variable in relevant]
    warnings = [*_variables_ignored(ignored), *not_understood(dotenv)]
    return LoadedSettings(load(flags, environment, trusted), trusted, warnings)


def not_understood(dotenv: DotEnv) -> list[str]:
    """A warning about variables that are no settings, and about the file."""
    found = [*dotenv.problems, *unknown_variables([*os.environ, *dotenv.values])]
    return [printable("; ".join(found))] if found else []


def address_ignored(variables: Sequence[str]) -> list[str]:
    """A warning about an address that is ignored."""
    if not variables:
        return []
    return [
        f"{_FILE}: {', '.join(variables)} ignored: it may be a stranger's, so an address in it "
        "counts only with a key in it, or kept beside a database in its own folder; give what you "
        "mean by --url or in the environment"
    ]


def warn(lines: Iterable[str]) -> None:
    """Print each on standard error, once in a command's run; under `tracker run`, whose standard
    error is another command's, not at all."""
    import click

    context = click.get_current_context(silent=True)
    if context is None:
        return
    warned = context.find_root().meta.setdefault(_WARNED, set())
    for line in lines:
        if line not in warned:
            warned.add(line)
            print_text(f"tracker: warning: {line}", err=True)


def _variables_ignored(variables: Sequence[str]) -> list[str]:
    if not variables:
        return []
    return [
        f"{_FILE}: {', '.join(variables)} ignored: it may be a stranger's, so these count only "
        "together with a TRACKER_DB inside its folder, and files only inside it; give what you "
        "mean as flags or in the environment"
    ]
