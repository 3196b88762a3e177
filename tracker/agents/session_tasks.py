"""The tasks of a session that is told of: how each begins, is reported on, and ends. What the steps
of the session do to them is in `tracker.agents.session`."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tracker.agents.state import Memory, OpenTask
from tracker.agents.steps import Reading
from tracker.agents.texts import as_name, first_line, shorten, without_nul
from tracker.domain.attention import Attention
from tracker.domain.hooks import Interpreted, State
from tracker.domain.limits import MAX_AGE_OF_REPORT, MAX_CLOCK_AHEAD, MAX_MESSAGE, MAX_NAME
from tracker.domain.tasks import Kind, Report

INTERRUPTED: Final = "Interrupted"
"""The `error_type` of a turn that its user stopped, or that ended with its session."""

# Milliseconds between two messages of a task.
_MESSAGE_INTERVAL: Final = 1000

# Sub-agents at once; more are an agent gone wild.
_MOST_OPEN: Final = 500


class Context(NamedTuple):
    """Whose session it is. `at`: when what is told happened, if that is known. `metadata`: what
    the tasks of turns are shown with."""

    agent: str
    session: str
    project: str
    at: int | None
    metadata: dict[str, Any]


class Tasks:
    """Of a session, as far as they are remembered, and what is reported of them now."""

    def __init__(self, context: Context, known: State | None, now: int) -> None:
        self._context = context
        self._memory = Memory.load(known)
        self._now = now
        self._told_at = None if context.at is None else self.taken(context.at)
        self._at = now if self._told_at is None else self._told_at
        self._reports: list[Report] = []
        self._reading: Reading
        self._subagent = ("", "")  # the name and the type, if the payload is of one
        self._here = ""  # what the steps are of: a turn or a sub-agent
        self._queued = False  # the prompt has come while a turn runs on

    def taken(self, at: int) -> int:
        """A time as the store takes it (tracker.domain.rules.moment)."""
        return min(max(at, self._now - MAX_AGE_OF_REPORT), self._now + MAX_CLOCK_AHEAD)

    def interpreted(self) -> Interpreted:
        memory = self._memory
        busy = [self._task_id(name) for name, task in memory.open.items() if task.calls]
        return Interpreted(self._reports, memory.dump(), not memory.ended, busy)

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
        memory = self._memory
        agent = memory.guessed.get(name)
        if agent is None:
            return None
        reply = memory.reply[1] if memory.reply[:1] == [name] else ""
        return OpenTask(agent, latest=memory.done[name], reply=reply)

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
        if not is_subagent:
            memory.began[name] = min(memory.began.get(name, self._at), self._at)
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
        if task.reply:
            memory.reply = [name, task.reply]

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
