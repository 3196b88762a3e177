"""What the steps of a session do to its tasks: the same for all agents (docs/contract.md, "Agents
that are plugged in"). A prompt is a task, and so is a sub-agent. Pure: state in, reports and state
out.

Hooks are processes of their own, so their payloads may overtake each other; each says when it
happened. What is late fills what is empty and opens nothing again.
"""

from __future__ import annotations

from functools import singledispatchmethod
from typing import Any, Final, NamedTuple

from tracker.agents.state import Memory, OpenTask
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
from tracker.agents.texts import as_name, first_line, shorten, without_nul
from tracker.domain.attention import Attention
from tracker.domain.hooks import PROCESS_ENDED, Interpreted, State
from tracker.domain.limits import MAX_ATTENTION, MAX_CLOCK_AHEAD, MAX_MESSAGE, MAX_NAME
from tracker.domain.tasks import Kind, Report

INTERRUPTED: Final = "Interrupted"
"""The `error_type` of a turn that its user stopped, or that ended with its session."""

# Milliseconds between two messages of a task.
_MESSAGE_INTERVAL: Final = 1000

# Milliseconds by which hooks that start at the same time may be out of order.
_JITTER: Final = 2000

# Sub-agents at once; more are an agent gone wild.
_MOST_OPEN: Final = 500

_MAX_PROMPT: Final = 4000  # characters, in the metadata
_MAX_REPLY: Final = 4000  # characters, kept until the end


class Context(NamedTuple):
    """Whose session it is. `at`: when what is told happened, if that is known. `metadata`: what
    the tasks of turns are shown with."""

    agent: str
    session: str
    project: str
    at: int | None
    metadata: dict[str, Any]


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


class _Session:
    def __init__(self, context: Context, known: State | None, now: int) -> None:
        self._context = context
        self._memory = Memory.load(known)
        self._told_at = context.at
        if context.at is not None:  # no later than the store takes it to be
            self._told_at = min(context.at, now + MAX_CLOCK_AHEAD)
        self._at = now if self._told_at is None else self._told_at
        self._reports: list[Report] = []
        self._reading: Reading
        self._here = ""  # what the steps are of: a turn or a sub-agent
        self._queued = False  # the prompt has come while a turn runs on

    def interpreted(self) -> Interpreted:
        memory = self._memory
        busy = [self._task_id(name) for name, task in memory.open.items() if task.calls]
        return Interpreted(self._reports, memory.dump(), not memory.ended, busy)

    def play(self, reading: Reading, subagent: str) -> None:
        memory = self._memory
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

    def end_all(self, error_type: str, message: str) -> None:
        """The session ends, and what runs of it; but not what has begun after it, as it is known to
        have if this comes late."""
        memory = self._memory
        for name, task in list(memory.open.items()):
            if task.began > self._at:
                continue
            if task.result is not None:
                self._finish(name, task, task.result)
            else:
                self._fail(name, task, error_type, message)
                memory.guessed[name] = task.agent
        if not any(task.began > self._at for task in memory.open.values()):
            memory.ended = max(memory.ended, self._at)

    def _turn(self) -> str:
        """The turn that the payload is of: the present one if it does not say."""
        memory = self._memory
        named = as_name(self._reading.turn)
        return memory.joined.get(named, named) or memory.turn or str(memory.turns + 1)

    # The steps.

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
        if not step.begins and self._here not in self._memory.open:
            return
        task = self._ending(first_line(step.title))
        if step.in_background:
            if task is not None:
                task.result = step.result
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
            task.calls[step.call or step.signature] = step.signature
        if step.starts is not None and not self._name_subagent(*step.starts):
            task.starting.append(step.starts)
        self._say(self._here, task, step.line)

    @_play.register
    def _(self, step: ToolEnded) -> None:
        self._memory.answered.pop(step.signature, None)  # the newest is kept longest
        self._memory.answered[step.signature] = self._at
        call = step.call or step.signature
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
        found = next((one for one in starting if one[0] == step.type), None)
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
        task = self._memory.open.get(self._here)
        if task is not None:
            task.reply = shorten(step.text, _MAX_REPLY)

    @_play.register
    def _(self, step: Said) -> None:
        task = self._memory.open.get(self._here)
        if task is not None:
            self._say(self._here, task, step.text)

    # What they have in common.

    def _open(self, name: str, title: str = "") -> OpenTask | None:
        """The task, which begins if it was not heard of; None: it has ended."""
        task = self._memory.open.get(name)
        if task is None and name not in self._memory.done:
            metadata = {} if self._subagent[0] else self._metadata()
            task = self._begin(name, title=title, metadata=metadata)
        return task

    def _ending(self, title: str = "") -> OpenTask | None:
        """The task whose end has come; None: it has ended, or this is the end before it went on."""
        task = self._open(self._here, title) or self._recall(self._here)
        if task is None:
            return None
        is_named = bool(self._subagent[0] or self._reading.turn)
        went_on = max(task.worked, 0 if is_named and not task.is_again else task.began)
        return None if self._at < went_on else task

    def _recall(self, name: str) -> OpenTask | None:
        """A task that was only taken to be interrupted, and of whose end there is word."""
        agent = self._memory.guessed.get(name)
        return None if agent is None else OpenTask(agent, latest=self._memory.done[name])

    def _go_on(self, name: str, task: OpenTask) -> None:
        """The next prompt has come. Either its user has interrupted this turn, of which no event
        tells, or the prompt waits until the turn is done, or goes into it. A tool that is at work
        tells later: it comes to an end, or the next turn goes on without it."""
        if task.calls and not task.asked and not task.is_asking and task.result is None:
            self._queued = True
        else:
            self._guess_interrupted(name, task)

    def _guess_interrupted(self, name: str, task: OpenTask) -> None:
        of_turn = [(name, task)]
        of_turn += [one for one in self._memory.open.items() if one[1].parent == name]
        was_done = task.result is not None
        self._interrupt(name, task, "The next prompt came before this was done.")
        if not was_done:
            self._memory.guessed.update((one, of.agent) for one, of in of_turn)

    def _turns_before(self, at: int) -> list[tuple[str, OpenTask]]:
        """Turns that run, and began before then."""
        return [
            (name, task)
            for name, task in self._memory.open.items()
            if not task.parent and task.began < at and task.result is None
        ]

    def _end_earlier(self, task: OpenTask, *, only_at_work: bool = False) -> None:
        """A later turn is at work, or over: one before it whose tool has not come to an end, or
        that still asks, was interrupted. If it is over, so are the others: it answered them too."""
        for name, other in self._turns_before(task.began):
            if other.calls or other.asked or other.is_asking:
                self._guess_interrupted(name, other)
            elif not only_at_work:
                self._finish(name, other, "")
                self._memory.guessed[name] = other.agent

    def _begin(
        self,
        name: str,
        *,
        title: str = "",
        metadata: dict[str, Any] | None = None,
        of: str = "",
        parent: str = "",
    ) -> OpenTask | None:
        """Report its start; None: it has ended already. `of`: the type of a sub-agent."""
        memory = self._memory
        is_subagent = bool(of or parent or self._subagent[0])
        task = memory.open.get(name)
        if task is None:
            kind = of or self._subagent[1]
            agent = self._context.agent + (f"/{kind}" if kind else "")
            up = parent or (self._turn() if is_subagent else "")
            task = OpenTask(
                as_name(agent), up if up != name else "", self._at, is_queued=self._queued
            )
            ended = memory.done.get(name)
            if ended is not None and (ended >= self._at or self._told_at is None):
                late = {
                    "title": title,
                    "metadata": metadata,
                    "occurred_at": min(ended - 1, self._at),
                }
                self._report(Kind.START, name, task, **late)
                return None
            task.is_again = memory.done.pop(name, None) is not None
            memory.guessed.pop(name, None)
            if not is_subagent and not memory.turn:
                memory.turn, memory.turns = name, max(memory.turns, 1)
                memory.turn_began = self._at
            self._make_room()
            memory.open[name] = task
        self._report(Kind.START, name, task, title=title, metadata=metadata)
        if self._at <= memory.ended:
            task.latest = memory.ended
            self._fail(name, task, INTERRUPTED, "The session ended before this was done.")
            memory.guessed[name] = task.agent
            return None
        return task

    def _name_subagent(self, kind: str, title: str) -> bool:
        """Whether it has begun before word came of the call that starts it."""
        for name, task in self._memory.open.items():
            if task.is_nameless and task.parent == self._here and task.agent.endswith(f"/{kind}"):
                task.is_nameless = False
                at = max(self._at, task.latest)
                self._report(Kind.START, name, task, title=first_line(title), occurred_at=at)
                return True
        return False

    def _make_room(self) -> None:
        memory = self._memory
        while len(memory.open) >= _MOST_OPEN:
            name, task = next(iter(memory.open.items()))
            self._fail(name, task, INTERRUPTED, "Too many sub-agents run at once.")

    def _end_here(self, result: str) -> None:
        task = self._ending()
        if task is not None:
            self._finish(self._here, task, result)

    def _finish(self, name: str, task: OpenTask, result: str) -> None:
        self._close(name, task)
        told = without_nul(result or task.reply)
        at = self._end_of(task)
        self._report(Kind.FINISH, name, task, result=told or None, occurred_at=at)

    def _fail(self, name: str, task: OpenTask, error_type: str, message: str) -> None:
        self._close(name, task)
        told = {"error_type": shorten(error_type, MAX_NAME), "error_message": without_nul(message)}
        self._report(Kind.ERROR, name, task, occurred_at=self._end_of(task), **told)

    def _end_of(self, task: OpenTask) -> int | None:
        """When it ends: not before what was reported of it."""
        return None if self._told_at is None else max(self._told_at, task.latest)

    def _close(self, name: str, task: OpenTask) -> None:
        memory = self._memory
        memory.open.pop(name, None)
        memory.guessed.pop(name, None)
        memory.done.pop(name, None)  # the newest is kept longest
        memory.done[name] = max(self._at, task.latest)

    def _interrupt(self, name: str, task: OpenTask, message: str) -> None:
        """A turn is over, with the sub-agents that it waited for; one that had ended but for what
        it left running is done."""
        if task.result is not None:
            self._finish(name, task, task.result)
            return
        self._fail(name, task, INTERRUPTED, message)
        for other, child in list(self._memory.open.items()):
            if child.parent == name:
                self._fail(other, child, INTERRUPTED, message)

    def _answer(self, task: OpenTask, id_: str, signature: str) -> None:
        for request, (of, asked_at) in list(task.asked.items()):
            is_it = request == as_name(id_) or (signature and of == signature)
            if is_it and asked_at <= self._at:
                del task.asked[request]
                self._tell(self._here, task, attention=Attention(request, None))

    def _say(self, name: str, task: OpenTask, text: str, *, at_once: bool = False) -> None:
        if at_once or task.is_asking or self._at - task.said_at >= _MESSAGE_INTERVAL:
            task.said_at = max(task.said_at, self._at)
            task.is_asking = False  # whatever comes next answers a request without name
            self._tell(name, task, message=shorten(text, MAX_MESSAGE))

    def _tell(self, name: str, task: OpenTask, **told: Any) -> None:
        self._report(Kind.STATUS, name, task, **told)

    def _report(self, kind: Kind, name: str, task: OpenTask, **told: Any) -> None:
        of: dict[str, Any] = {
            "kind": kind,
            "project": self._context.project,
            "task_id": self._task_id(name),
            "title": "",
            "agent": task.agent,
            "session": self._context.session,
            "parent_task_id": self._task_id(task.parent) if task.parent else None,
            "occurred_at": self._told_at,
        }
        task.latest = max(task.latest, self._at)
        self._reports.append(Report(**{**of, **told}))

    def _task_id(self, name: str) -> str:
        return as_name(f"{self._context.session}/{name}")

    def _metadata(self) -> dict[str, Any]:
        model = {"model": self._memory.model} if self._memory.model else {}
        return {**self._context.metadata, **model}
