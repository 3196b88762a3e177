"""What the steps of a session do to its tasks: the same for all agents (docs/contract.md, "Agents
that are plugged in"). A prompt is a task, and so is a sub-agent. Pure: state in, reports and state
out.

Hooks are processes of their own, so their payloads may overtake each other; each says when it
happened. What is late fills what is empty and opens nothing again.
"""

from __future__ import annotations

from functools import singledispatchmethod
from typing import Final

from tracker.agents.session_tasks import INTERRUPTED, Context
from tracker.agents.session_usage import Usage
from tracker.agents.state import OpenTask
from tracker.agents.steps import (
    Answered,
    Asked,
    Idle,
    Prompted,
    Reading,
    Replied,
    Said,
    SessionBegan,
    SessionEnded,
    Step,
    SubagentBegan,
    SubagentEnded,
    ToolBegan,
    ToolEnded,
    TurnEnded,
    TurnFailed,
    TurnInterrupted,
    Woken,
)
from tracker.agents.telling import Telling
from tracker.agents.texts import as_name, first_line, shorten
from tracker.domain.attention import Attention
from tracker.domain.hooks import PROCESS_ENDED, Interpreted, State
from tracker.domain.limits import MAX_ATTENTION, MAX_NAME
from tracker.domain.tasks import Kind

# Milliseconds by which hooks that start at the same time may be out of order.
_JITTER: Final = 2000

_MAX_PROMPT: Final = 4000  # characters, in the metadata
_MAX_REPLY: Final = 10_000  # characters, kept until the end: hooks cut longer texts


def interpret(
    context: Context, reading: Reading, subagent: str, known: State | None, now: int
) -> Interpreted:
    """What a payload comes to. `subagent`: whose own session it is of; empty: of none."""
    session = _Session(context, known, now)
    session.play(reading, subagent)
    return session.interpreted()


def end_process(context: Context, known: State, now: int) -> Interpreted:
    """What it comes to that the session's process is gone."""
    session = _Session(context, known, now)
    session.end_all(PROCESS_ENDED, "The agent's process is gone.")
    return session.interpreted()


def hear(context: Context, told: list[Telling], known: State | None, now: int) -> Interpreted:
    """What it comes to that telemetry tells this of the session."""
    session = _Session(context, known, now)
    session.hear(told, is_known=known is not None)
    return session.interpreted()


def settle(context: Context, known: State, now: int) -> Interpreted:
    """What it comes to that telemetry has waited for long enough."""
    session = _Session(context, known, now)
    session.settle(now_or_never=True)
    return session.interpreted()


class _Session(Usage):
    def play(self, reading: Reading, subagent: str) -> None:
        memory = self._memory
        memory.is_untold = False
        self._reading = reading
        name = as_name(subagent or reading.subagent[0])
        self._subagent = (name, reading.subagent[1] if name else "")
        self._is_own_session = bool(subagent)
        if reading.model:
            memory.model = shorten(reading.model, MAX_NAME)
        begins = any(isinstance(step, SessionBegan | Prompted) for step in reading.steps)
        if self._at > memory.ended + (0 if begins else _JITTER):
            memory.ended = 0
        for step in reading.steps:
            self._here = self._subagent[0] or self._turn()
            self._play(step)

    @singledispatchmethod
    def _play(self, step: Step) -> None:
        raise NotImplementedError(step)

    @_play.register
    def _(self, step: SessionBegan) -> None:
        memory = self._memory
        if self._is_own_session:
            self._open(self._here)
            return
        memory.model = shorten(step.model, MAX_NAME) or memory.model
        if step.is_new:
            return
        for name, task in list(memory.open.items()):  # its process had died, and it is resumed
            if task.latest + _JITTER < self._at:
                self._fail(name, task, INTERRUPTED, "The session began anew.")

    @_play.register
    def _(self, _: SessionEnded) -> None:
        message = "The session ended before this was done."
        if not self._is_own_session:
            self.end_all(INTERRUPTED, message)
            return
        task = self._memory.open.get(self._here)
        if task is not None:
            self._fail(self._here, task, INTERRUPTED, message)

    @_play.register
    def _(self, step: Prompted) -> None:
        memory = self._memory
        if self._subagent[0]:
            if self._here not in memory.open:  # else it has the title that its parent gave it
                self._begin(self._here, title=first_line(step.text))
            return
        named = as_name(self._reading.turn)
        name = named or str(memory.turns + 1)
        if name not in memory.open and name not in memory.done:
            memory.turns += 1
        is_past = name != memory.turn and self._at < memory.turn_began
        if not is_past:
            for other, task in list(memory.open.items()):
                if other != name and not task.parent and task.began <= self._at:
                    self._go_on(other, task)
            memory.turn, memory.turn_began = name, self._at
        title = first_line(step.text) or f"Prompt {memory.turns}"
        text = shorten(step.text.strip(), _MAX_PROMPT)
        prompt = {} if text in ("", title) else {"prompt": text}
        begun = self._begin(name, title=title, metadata={**self._metadata(), **prompt})
        if is_past and begun is not None:
            self._go_on(name, begun)

    @_play.register
    def _(self, step: Woken) -> None:
        memory, named = self._memory, as_name(self._reading.turn)
        waiting = [
            (name, task)
            for name, task in memory.open.items()
            if task.result is not None and not task.parent
        ]
        if not named or not waiting or named in memory.open or named in memory.done:
            self._play(Prompted(step.text))
            return
        name, task = waiting[-1]
        memory.joined[named] = memory.turn = name
        task.result = None
        self._say(name, task, step.text, at_once=True)

    @_play.register
    def _(self, step: TurnEnded) -> None:
        if self._subagent[0]:
            self._end_here(step.result)
            return
        memory, here = self._memory, self._here
        if not (step.begins or here in memory.open or here in memory.guessed):
            return
        task = self._ending(first_line(step.title))
        if step.in_background:
            if task is not None:
                task.result = shorten(step.result, _MAX_REPLY)
                self._say(self._here, task, step.in_background, at_once=True)
            return
        if task is not None:
            self._finish(self._here, task, step.result)
            self._end_earlier(task)
        for name, other in list(self._memory.open.items()):
            if other.result is not None:
                self._finish(name, other, other.result)

    @_play.register
    def _(self, step: TurnFailed) -> None:
        task = self._ending()
        if task is not None:
            self._fail(self._here, task, step.error_type, step.message)
            self._end_earlier(task)

    @_play.register
    def _(self, step: TurnInterrupted) -> None:
        task = self._ending()
        if task is not None:
            self._interrupt(self._here, task, step.message or "The user interrupted it.")

    @_play.register
    def _(self, _: Idle) -> None:
        for name, task in self._turns_before(self._at):
            if task.is_queued and not task.calls:  # it went into the turn before it
                self._finish(name, task, "")
            else:
                self._interrupt(name, task, "The agent waits for the next prompt.")

    @_play.register
    def _(self, step: ToolBegan) -> None:
        ended = self._memory.done.get(self._here)
        if ended is not None and self._told_at is not None and ended < self._at:
            # It goes on: a hook of others has kept it from ending, or it was not interrupted.
            self._begin(self._here)
        task = self._open(self._here)
        if task is None:
            return
        task.is_queued = False
        if not self._subagent[0]:
            self._end_earlier(task, only_at_work=True)
        task.worked = max(task.worked, self._at)
        if self._memory.answered.get(step.signature, -1) < self._at:
            task.calls[as_name(step.call) or step.signature] = step.signature
        if step.starts is not None and not self._name_subagent(*step.starts):
            kind, title = step.starts
            task.starting.append((as_name(kind), first_line(title)))
        self._say(self._here, task, step.line)

    @_play.register
    def _(self, step: ToolEnded) -> None:
        self._memory.answered.pop(step.signature, None)  # the newest is kept longest
        self._memory.answered[step.signature] = self._at
        call = as_name(step.call) or step.signature
        for turn in self._memory.open.values():  # it may come when the next prompt has begun
            turn.calls.pop(call, None)
        task = self._open(self._here)
        if task is None:
            return
        self._answer(task, step.call, step.signature)
        if step.error:
            self._say(self._here, task, f"{step.line} failed: {step.error}".lstrip())

    @_play.register
    def _(self, step: Asked) -> None:
        task = self._open(self._here)
        if task is None or self._memory.answered.get(step.signature, -1) >= self._at:
            return
        by_call = (call for call, signature in task.calls.items() if signature == step.signature)
        id_ = as_name(step.id or next(by_call, step.signature))
        if id_ in task.asked and task.asked[id_][1] >= self._at:
            return
        if not id_ and (task.asked or task.is_asking):
            return
        if id_:
            task.asked[id_] = (step.signature, self._at)
        task.is_asking = task.is_asking or not id_
        self._tell(self._here, task, attention=Attention(id_, shorten(step.text, MAX_ATTENTION)))

    @_play.register
    def _(self, step: Answered) -> None:
        if step.signature:
            self._memory.answered[step.signature] = self._at
        task = self._open(self._here)
        if task is not None:
            self._answer(task, step.id, step.signature)

    @_play.register
    def _(self, step: SubagentBegan) -> None:
        if not step.name:
            return
        turn = self._turn()
        parent = self._memory.open.get(turn)
        starting = parent.starting if parent is not None else []
        found = next((one for one in starting if one[0] == as_name(step.type)), None)
        if found is not None:
            starting.remove(found)
        title = step.title or (found[1] if found is not None else "")
        name = as_name(step.name)
        task = self._begin(name, title=first_line(title or step.type), of=step.type, parent=turn)
        if task is not None and not title:
            task.is_nameless = True

    @_play.register
    def _(self, step: SubagentEnded) -> None:
        name = as_name(step.name)
        self._here, self._subagent = name, (name, step.type)
        if (
            name and step.type
        ) or name in self._memory.open:  # else the agent's own, for what it does itself
            self._end_here(step.result)

    @_play.register
    def _(self, step: Replied) -> None:
        task, reply = self._memory.open.get(self._here), shorten(step.text, _MAX_REPLY)
        ended = self._memory.done.get(self._here)
        if task is not None:
            task.reply = reply
        elif ended is not None and self._told_at is not None and self._at <= ended:
            self._report(Kind.FINISH, self._here, OpenTask(self._context.agent), result=reply)

    @_play.register
    def _(self, step: Said) -> None:
        task = self._memory.open.get(self._here)
        if task is not None:
            self._say(self._here, task, step.text)
