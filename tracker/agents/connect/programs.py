"""The agents' own programs on this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tracker.agents.connect.base import Agent, Place
from tracker.errors import ConfigError

_SECONDS: Final = 10.0
_VERSION: Final = re.compile(rb"\d+(?:\.\d+)+")


def find_program(agent: Agent, place: Place) -> str | None:
    """The program's path; None: it is not on PATH."""
    found = (shutil.which(name, path=place.environment.get("PATH")) for name in agent.programs)
    return next((path for path in found if path), None)


def is_installed(agent: Agent, place: Place) -> bool:
    """Whether its program or its folder is there."""
    return find_program(agent, place) is not None or agent.folder(place).is_dir()


def check_version(agent: Agent, place: Place) -> None:
    """Raises ConfigError: it is too old for the hooks. What cannot be found out is no obstacle."""
    program = find_program(agent, place) if agent.oldest else None
    if program is None or agent.oldest is None:
        return
    version = _version(program)
    if version and version < agent.oldest:
        told, needed = (".".join(map(str, numbers)) for numbers in (version, agent.oldest))
        raise ConfigError(
            f"{program}: is {agent.title} {told}, which ignores all its settings because of hooks "
            f"that it does not know; upgrade it to {needed} or newer"
        )


def _version(program: str) -> tuple[int, ...] | None:
    try:
        done = subprocess.run(  # noqa: S603 - what the user starts by that name
            [str(Path(program)), "--version"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stdout)
    return tuple(map(int, found[0].split(b"."))) if found else None
