"""Fixtures: agents that were plugged in, by the command that a user plugs them in with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.real_agents.driving import Agent
from tests.support.real_agents.programs import PROGRAMS, find
from tests.support.real_agents.turns import Script

MakeAgent = Callable[..., Agent]


@pytest.fixture
def make_agent(tmp_path: Path) -> Iterator[MakeAgent]:
    """Make agents with a model each, whose script is given. They are in no way connected."""
    with ExitStack() as stack:
        count = 0

        def make(kind: type[Agent], script: Script) -> Agent:
            nonlocal count
            program = find(kind.name)
            if program is None:
                wanted = f"{PROGRAMS[kind.name].package} {PROGRAMS[kind.name].version}"
                pytest.skip(
                    f"no {wanted}; python -m tests.support.real_agents.programs installs it"
                )
            model = stack.enter_context(kind.model_type(script))
            count += 1
            return kind(program, tmp_path / f"{kind.name}{count}", model)

        yield make
