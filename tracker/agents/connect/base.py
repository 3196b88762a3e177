"""What is known of an agent: where its configuration is, and what goes into it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.executable import shell_command
from tracker.agents.connect.telemetry import Telemetry

Entries = dict[str, dict[str, Any]]

# Seconds until an agent gives up on a hook, which takes milliseconds.
TIMEOUT: Final = 10


class Place(NamedTuple):
    """Whose configuration. `project`: the working tree of which; None: the user's own."""

    environment: Mapping[str, str]
    home: Path
    project: Path | None = None

    def folder(self, variable: str, name: str) -> Path:
        """The user's folder of an agent: as the variable says, else under the home folder."""
        given = self.environment.get(variable)
        return Path(given).expanduser() if given else self.home / name

    @property
    def config_home(self) -> Path:
        """The user's folder of configuration (XDG Base Directory Specification), which some agents
        use on every system."""
        return self.folder("XDG_CONFIG_HOME", ".config")


class HookCommand(NamedTuple):
    """What an agent's hooks run."""

    executable: Path
    agent: str
    telemetry: Telemetry | None = None
    """Where the agent's own is to go."""

    @property
    def arguments(self) -> list[str]:
        """Without a shell."""
        return [str(self.executable), "hook", self.agent]

    @property
    def line(self) -> str:
        """For a shell. Raises ConfigError: see `shell_command`."""
        return shell_command(self.executable, "hook", self.agent)


class Agent(ABC):
    """One agent that can be connected."""

    name: ClassVar[str]
    """As in `tracker connect NAME`."""

    title: ClassVar[str]
    """As its makers call it."""

    programs: ClassVar[Sequence[str]]
    """Names of its executable."""

    was_driven: ClassVar[bool] = False
    """Whether the program itself was run with these hooks; else its documentation was read."""

    mode: ClassVar[int] = 0o600
    """Of files that have to be made."""

    next_step: ClassVar[str | None] = None
    """What its user has to do once it is connected."""

    oldest: ClassVar[tuple[int, ...] | None] = None
    """The version that the hooks are for, at least; with older ones they would do harm."""

    @abstractmethod
    def folder(self, place: Place) -> Path:
        """Where the user's configuration is; the agent has been used if that is there."""

    @abstractmethod
    def paths(self, place: Place) -> list[Path]:
        """The files to edit, in this order. Raises ConfigError: that cannot be done here."""

    @abstractmethod
    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:
        """What edits that file."""

    def all_paths(self, place: Place) -> list[Path]:
        """All the files in which our hooks may be."""
        return self.paths(place)

    def telemetry_paths(self, place: Place) -> list[Path]:  # noqa: ARG002
        """The files that say where its telemetry goes, if the hooks are in others."""
        return []

    def others_telemetry(self, place: Place) -> str | None:  # noqa: ARG002
        """Where the agent's telemetry goes by its user's own settings, or why it cannot come to the
        tracker; None: it does, or the agent has none that is read."""
        return None

    def problems(self, place: Place) -> list[str]:  # noqa: ARG002
        """Why its hooks may not run although they are there."""
        return []
