"""What can happen in a session of any agent. Each agent's file translates its payloads into these;
what they do to tasks is worked out by `tracker.agents.session`."""

from __future__ import annotations

from typing import NamedTuple


class SessionBegan(NamedTuple):
    """It starts, or goes on after it had ended. `is_new`: nothing can have run in it before."""

    model: str = ""
    is_new: bool = False


class SessionEnded(NamedTuple):
    """Nothing more comes of it, and what still ran of it was cut short."""


class Prompted(NamedTuple):
    """Its user asks for something: a turn begins. `text`: all of it, empty if it is left out."""

    text: str


class Woken(NamedTuple):
    """What a turn has left running in the background is done, and the agent goes on: with that
    turn, if it is still open."""

    text: str


class TurnEnded(NamedTuple):
    """The agent is done. `in_background`: something that it started still runs. `title`: of the
    turn, if it was not heard of; `begins`: it is one then, and else nothing has ended."""

    result: str = ""
    in_background: str = ""
    title: str = ""
    begins: bool = True


class TurnFailed(NamedTuple):
    """The agent gave up."""

    error_type: str
    message: str


class TurnInterrupted(NamedTuple):
    """Its user stopped it."""

    message: str = ""


class Idle(NamedTuple):
    """The agent waits for its user's next prompt: a turn that has not ended was interrupted."""


class ToolBegan(NamedTuple):
    """A tool is called. `line`: the call as a person reads it. `signature`: of the tool and its
    input, by which what comes later is recognised. `starts`: the type and the title of the
    sub-agent that it starts, if it does."""

    call: str
    signature: str
    line: str
    starts: tuple[str, str] | None = None


class ToolEnded(NamedTuple):
    """It is through. `error`: how it failed."""

    call: str
    signature: str
    line: str = ""
    error: str = ""


class Asked(NamedTuple):
    """A person is needed. `id`: of the request; empty: it has none but its tool's `signature`, and
    if that is empty too, anything that comes next answers it."""

    text: str
    id: str = ""
    signature: str = ""


class Answered(NamedTuple):
    """A request is answered, or withdrawn."""

    id: str = ""
    signature: str = ""


class SubagentBegan(NamedTuple):
    """A sub-agent starts. `title`: what it is to do, if that is known."""

    name: str
    type: str
    title: str = ""


class SubagentEnded(NamedTuple):
    """It is done."""

    name: str
    type: str
    result: str = ""


class Replied(NamedTuple):
    """What the agent answers: the result of a turn, or a sub-agent, that ends without any."""

    text: str


class Said(NamedTuple):
    """Something that a person may want to read, of a turn that runs."""

    text: str


Step = (
    SessionBegan
    | SessionEnded
    | Prompted
    | Woken
    | TurnEnded
    | TurnFailed
    | TurnInterrupted
    | Idle
    | ToolBegan
    | ToolEnded
    | Asked
    | Answered
    | SubagentBegan
    | SubagentEnded
    | Replied
    | Said
)


class Reading(NamedTuple):
    """A payload as its agent's file has read it.

    `turn`: the prompt that it is of, where the agent names them; `subagent`: the name and the type
    of the sub-agent that it is of. `at`: when it happened, by the payload itself, in milliseconds.
    `cwd`: the working directory. `parent`: the session that has started this one, if it says so.

    `session` may be empty: then it is of the one session of the agent's process if
    `is_of_process`, and else of none; what ends then are all sessions of the process. `is_of_host`:
    the agent counts its sessions, so that another host has one of the same name.
    """

    session: str
    event: str
    steps: tuple[Step, ...]
    is_known: bool = True
    turn: str = ""
    subagent: tuple[str, str] = ("", "")
    parent: str = ""
    at: int | None = None
    cwd: str = ""
    model: str = ""
    is_of_process: bool = False
    is_of_host: bool = False
