"""What is remembered of a session: as JSON in the store, as objects here. Times are milliseconds
since the epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tracker.domain.hooks import State

# So much is remembered of a session at once, all its tasks together: more than any needs. All of it
# is read and written with each of its payloads.
_MOST_CALLS: Final = 200
_MOST_DONE: Final = 100
_MOST_TEXT: Final = 100_000  # characters of replies and results


@dataclass(slots=True)
class OpenTask:
    """A turn or a sub-agent that runs.

    `parent`: of a sub-agent, the turn that started it. `said_at`: when its last message was sent.
    `calls`: open tool calls, with their signatures; `asked`: open requests, with those of the tools
    that they are for, and when they came. `is_asking`: there is one without a name. `starting`:
    type and title of sub-agents that it has called and that have not begun. `result`: of a turn
    that has ended, but for what still runs in the background. `is_queued`: its prompt came while
    another turn ran, and no tool was called for it yet. `reply`: what the agent has answered last.
    `is_nameless`: of a sub-agent, its title is not known yet. `is_again`: it had ended before.
    `latest`: the time of the newest that was reported of it; `worked`: of its newest tool call.
    """

    agent: str
    parent: str = ""
    began: int = 0
    said_at: int = 0
    calls: dict[str, str] = field(default_factory=dict)
    asked: dict[str, tuple[str, int]] = field(default_factory=dict)
    is_asking: bool = False
    starting: list[tuple[str, str]] = field(default_factory=list)
    result: str | None = None
    is_queued: bool = False
    reply: str = ""
    is_nameless: bool = False
    is_again: bool = False
    latest: int = 0
    worked: int = 0


@dataclass(slots=True)
class Memory:
    """A session. `turn`: the present or last one, of so many, and when it began. `done`: turns and
    sub-agents that have ended, and when; `answered`: signatures of tool calls, and when they were
    through. `ended`: when the session has; 0: it lives. `guessed`: those of `done` that no event
    has told the end of, and their agents; `reply`: which of them ended last, and what its agent had
    said by then; `joined`: turns that go on with another one's task.

    Of telemetry (tracker.agents.session_usage): when turns `began`, and when it has told of
    `prompts`; what of it is `held`, and since when; `totals` that it has told. `is_untold`: no hook
    has told of the session. `has_events`: its metrics are not needed.
    """

    turn: str = ""
    turns: int = 0
    turn_began: int = 0
    model: str = ""
    ended: int = 0
    open: dict[str, OpenTask] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    guessed: dict[str, str] = field(default_factory=dict)
    reply: list[str] = field(default_factory=list)
    joined: dict[str, str] = field(default_factory=dict)
    began: dict[str, int] = field(default_factory=dict)
    prompts: list[int] = field(default_factory=list)
    held: list[tuple[int, list[Any]]] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    is_untold: bool = False
    has_events: bool = False

    @classmethod
    def load(cls, state: State | None) -> Memory:
        """From what `dump` made; None: of a session never heard of."""
        if state is None:
            return cls()
        opened = {name: OpenTask(**task) for name, task in state["open"].items()}
        return cls(**{**state, "open": opened})

    def dump(self) -> State:
        """As JSON, bounded."""
        keep_newest(self.done)
        keep_newest(self.answered)
        keep_newest(self.guessed)
        keep_newest(self.joined)
        keep_newest(self.began)
        keep_newest(self.totals)
        calls = asked = starting = _MOST_CALLS
        text = _MOST_TEXT
        for task in reversed(self.open.values()):
            keep_newest(task.calls, calls)
            keep_newest(task.asked, asked)
            del task.starting[: max(0, len(task.starting) - starting)]
            task.reply = task.reply[:text]
            text -= len(task.reply)
            if task.result is not None:
                task.result = task.result[:text]
                text -= len(task.result)
            calls -= len(task.calls)
            asked -= len(task.asked)
            starting -= len(task.starting)
        return asdict(self)


def keep_newest(entries: dict[str, Any], most: int = _MOST_DONE) -> None:
    """Forget those that were added first."""
    for name in list(entries)[: max(0, len(entries) - most)]:
        del entries[name]
