"""What telemetry tells of a session, joined to the tasks of which its hooks tell. Either may come
first, and some agents' telemetry does not name the turn that it is of."""

from __future__ import annotations

from typing import Final

from tracker.agents.session_tasks import Context, Tasks
from tracker.agents.state import OpenTask
from tracker.agents.telling import Telling, Tells
from tracker.agents.texts import as_name
from tracker.domain.hooks import Interpreted, State
from tracker.domain.limits import MAX_MODELS
from tracker.domain.tasks import Kind
from tracker.domain.usage import ModelTold, Source, Told

HELD_MS: Final = 60_000
"""So long what telemetry tells waits for the hooks that tell whose it is."""

# By which a turn's hook and its telemetry may differ, in milliseconds.
_APART: Final = 3000

# Of a session; what is older does not wait any longer.
_MOST_HELD: Final = 200
_MOST_PROMPTS: Final = 100


class Usage(Tasks):
    """A session with what its models have used."""

    def __init__(self, context: Context, known: State | None, now: int) -> None:
        super().__init__(context, known, now)
        # By task: when it was used last, whose it is, and how much of which model.
        self._used: dict[str, tuple[int, OpenTask, dict[str, Told]]] = {}

    def hear(self, tellings: list[Telling], *, is_known: bool) -> None:
        """What telemetry tells, to be counted now or once it is known whose it is. `is_known`: the
        session was heard of before."""
        memory = self._memory
        memory.is_untold = memory.is_untold or not is_known
        memory.has_events = memory.has_events or any(one.tells is Tells.CALL for one in tellings)
        memory.held += [(self._now, self._increase(one).dump()) for one in tellings]

    def interpreted(self) -> Interpreted:
        self.settle()
        memory = self._memory
        found = super().interpreted()
        waits = [heard_at for heard_at, _ in memory.held]
        if memory.is_untold and memory.open:
            waits.append(self._now)
        return found._replace(
            is_untold=memory.is_untold, look_at=min(waits) + HELD_MS if waits else None
        )

    def settle(self, *, now_or_never: bool = False) -> None:
        """Count what is held of which it is known whose it is; `now_or_never`: all of it."""
        memory = self._memory
        if memory.is_untold:
            if now_or_never or len(memory.held) > _MOST_HELD:
                self._tell_alone()
            return
        held, memory.held = memory.held, []
        too_many = len(held) - _MOST_HELD
        for number, (heard_at, told) in enumerate(held):
            telling = Telling.load(told)
            is_old = self._now - heard_at >= HELD_MS or number < too_many
            has_waited = now_or_never or is_old
            if telling.tells is Tells.PROMPT:
                memory.prompts = sorted([*memory.prompts, telling.at])[-_MOST_PROMPTS:]
            elif telling.tells is Tells.CALL or (has_waited and not memory.has_events):
                name = self._task_of(telling, has_waited=has_waited)
                if name is not None:
                    self._count(name, telling)
                elif not now_or_never:
                    memory.held.append((heard_at, told))
            elif not memory.has_events:
                memory.held.append((heard_at, told))
        del memory.held[: max(0, len(memory.held) - _MOST_HELD)]
        self._report_usage()

    def _tell_alone(self) -> None:
        """No hook tells of the session: its tasks are as telemetry alone tells them, and end when
        nothing more was told of them for long."""
        memory = self._memory
        held, memory.held = [Telling.load(told) for _, told in memory.held], []
        for telling in sorted(held, key=lambda one: one.at):
            if telling.tells is Tells.METRIC and memory.has_events:
                continue
            self._be_at(telling.at)
            turn = as_name(telling.turn)
            is_prompt = telling.tells is Tells.PROMPT
            if is_prompt or not memory.turn:
                turn = turn or str(memory.turns + 1)
            turn = turn or memory.turn
            if turn != memory.turn and not self._is_known(turn):
                memory.turns += 1
                memory.turn, memory.turn_began = turn, self._at
                self._begin(turn, title=telling.text)
            name = as_name(telling.subagent) or turn
            if not is_prompt:
                if not self._is_known(name):
                    self._begin(name, title=telling.kind, of=telling.kind or "agent", parent=turn)
                self._count(name, telling)
        self._report_usage()
        self._be_at(self._now)
        for name, task in list(memory.open.items()):
            if self._now - task.latest >= HELD_MS or (name != memory.turn and not task.parent):
                self._be_at(task.latest)
                self._finish(name, task, "")

    def _be_at(self, at: int) -> None:
        self._at = self._told_at = self.taken(at)

    def _is_known(self, name: str) -> bool:
        memory = self._memory
        return name in memory.open or name in memory.done or name in memory.began

    def _task_of(self, telling: Telling, *, has_waited: bool) -> str | None:
        """The turn or the sub-agent; None: it is not known yet."""
        memory = self._memory
        subagent, turn = as_name(telling.subagent), as_name(telling.turn)
        if subagent and (self._is_known(subagent) or not has_waited):
            return subagent if self._is_known(subagent) else None
        turn = memory.joined.get(turn, turn)
        if turn and (self._is_known(turn) or not has_waited):
            return turn if self._is_known(turn) else None
        begun = [(at, name) for name, at in memory.began.items() if at <= telling.at + _APART]
        at, name = max(begun, default=(0, ""))
        prompt = max((at for at in memory.prompts if at <= telling.at), default=0)
        if not has_waited and (not name or prompt > at + _APART):  # its prompt's hook is to come
            return None
        return name or next(iter(memory.began), None)

    def _increase(self, telling: Telling) -> Telling:
        """Of totals, what has come to them."""
        if not telling.total:
            return telling
        totals = self._memory.totals
        now = next((one for one in telling.used if one is not None), 0)
        before = totals.pop(telling.total, 0)
        totals[telling.total] = now
        more = now - before if now >= before else now  # the program was started again
        used = Told._make(None if one is None else more for one in telling.used)
        return telling._replace(used=used, total="")

    def _count(self, name: str, telling: Telling) -> None:
        task = self._memory.open.get(name)
        if task is None:
            kind = f"/{telling.kind}" if telling.subagent == name and telling.kind else ""
            task = OpenTask(as_name(f"{self._context.agent}{kind}"))
        at, task, models = self._used.get(name, (0, task, {}))
        known = models.get(telling.model)
        if known is not None or len(models) < MAX_MODELS:
            models[telling.model] = telling.used if known is None else known.plus(telling.used)
        self._used[name] = (max(at, self.taken(telling.at)), task, models)

    def _report_usage(self) -> None:
        used, self._used = self._used, {}
        moment = self._at, self._told_at
        for name, (at, task, models) in used.items():
            usage = tuple(ModelTold(model, told) for model, told in models.items())
            self._be_at(at)
            self._report(Kind.STATUS, name, task, usage=usage, usage_of=Source.OTLP)
        self._at, self._told_at = moment
