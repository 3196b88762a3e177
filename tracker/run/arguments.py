"""The options of `tracker run`, and the quick way of reading them: the command line's library takes
longer to load than all that has to happen before the command runs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple


class Option(NamedTuple):
    """`variable` gives the value where the flag does not. `metavar` None: it takes no value."""

    name: str
    metavar: str | None
    help: str
    variable: str | None = None
    default: str | None = None

    @property
    def flag(self) -> str:
        """As it is written."""
        return f"--{self.name.replace('_', '-')}"


OPTIONS: Final = (
    Option(
        "project",
        "TEXT",
        "[default: the name of the repository's folder, else of the working directory]",
        "TRACKER_PROJECT",
    ),
    Option("task", "TEXT", "The task's title.  [default: the command line, its secrets masked]"),
    Option("task_id", "TEXT", "Names the task within its project.  [default: the title]"),
    Option("agent", "TEXT", "Who does it.", "TRACKER_AGENT", "shell"),
    Option("session", "TEXT", "The run that the task belongs to.", "TRACKER_SESSION"),
    Option("parent", "TASK-ID", "The task that this one is a part of."),
    Option("stale_after", "SECONDS", "How long no output is nothing unusual."),
    Option(
        "progress_pattern",
        "REGEX",
        "Takes the progress from lines of output. One group: percent; two: done and total.",
    ),
    Option("private", None, "Tell neither the command line nor anything of its output."),
)

# Where the server is: these go on to whoever looks for it.
SERVER: Final = ("url", "ready_file", "api_key", "ca_file")

_MAX_STALE_AFTER: Final = 30 * 86_400.0

_TAKE_VALUES: Final = {
    **{option.flag: option.name for option in OPTIONS if option.metavar},
    **{f"--{name.replace('_', '-')}": name for name in SERVER},
}
_FLAGS: Final = {option.flag: option.name for option in OPTIONS if not option.metavar}


class Job(NamedTuple):
    """A command with its arguments, and what is said of it. `progress`: see `--progress-pattern`;
    `stale_after` in seconds."""

    command: list[str]
    project: str | None
    task: str | None
    task_id: str | None
    agent: str | None
    session: str | None
    parent: str | None
    stale_after: float | None
    progress: re.Pattern[str] | None
    is_private: bool


def job(command: list[str], given: Mapping[str, str], environment: Mapping[str, str]) -> Job:
    """The job by its options: a flag's value, else its variable's, else the default. What is empty
    counts as not given.

    Raises:
        ValueError: a value is not what its option takes.
    """
    values = {
        option.name: given.get(option.name)
        or (option.variable and environment.get(option.variable))
        or option.default
        for option in OPTIONS
    }
    return Job(
        command,
        project=values["project"],
        task=values["task"],
        task_id=values["task_id"],
        agent=values["agent"],
        session=values["session"],
        parent=values["parent"],
        stale_after=_seconds(values["stale_after"]),
        progress=_pattern(values["progress_pattern"]),
        is_private=bool(values["private"]),
    )


class Arguments(NamedTuple):
    """Options that were given, and the command with its arguments."""

    options: dict[str, str]
    command: list[str]


def parse(words: Sequence[str]) -> Arguments | None:
    """None: that is not plainly right, and the slow way has to say why (or show the help)."""
    options: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word == "--":
            break
        if word in _FLAGS:
            options[_FLAGS[word]] = "1"
        elif name in _TAKE_VALUES and (equals or (rest and not rest[0].startswith("-"))):
            options[_TAKE_VALUES[name]] = value if equals else rest.pop(0)
        else:
            return None
    if not rest or "_TRACKER_COMPLETE" in os.environ:
        return None
    return Arguments(options, rest)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MAX_STALE_AFTER:
        raise ValueError(f"--stale-after: {text} is no number of seconds up to 30 days")
    return seconds


def _pattern(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"--progress-pattern: {error}") from None
    if pattern.groups not in (1, 2):
        raise ValueError(
            "--progress-pattern: one group has to be the percentage, or two what is done and how "
            r"much there is, as in '(\d+)%' or '(\d+)/(\d+)'"
        )
    return pattern
