"""The runs of agents in a trace, joined from its spans. Pure: state in, reports and state out.

A span is exported when it has ended, so what a run consists of comes before the run, often in an
export of its own: it waits under the id of the span that it is within until that one is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from agent_task_tracker.trimming import trim_stack_trace
from tracker.agents.otlp import genai
from tracker.agents.otlp.genai import Part, Work
from tracker.agents.texts import as_name, first_line, shorten, without_nul
from tracker.domain.hooks import Interpreted, State
from tracker.domain.limits import (
    MAX_AGE_OF_REPORT,
    MAX_CLOCK_AHEAD,
    MAX_MESSAGE,
    MAX_MODELS,
    MAX_NAME,
)
from tracker.domain.tasks import Kind, Report
from tracker.domain.usage import ModelTold, Source, Told

# Of a trace, and of a span that is not known yet. What is older is not looked for any longer.
_MOST_SPANS: Final = 2000
_MOST_WAITING: Final = 300
_MOST_MESSAGES: Final = 50


@dataclass
class Waiting:
    """What is within a span, as far as no run in between has it: ids of runs, what models have
    used, messages with their times. Also of runs in between: what was asked first, what was
    answered last."""

    runs: list[str] = field(default_factory=list)
    used: dict[str, Told] = field(default_factory=dict)
    messages: list[tuple[int, str]] = field(default_factory=list)
    asked: str = ""
    answered: str = ""

    def add(self, other: Waiting) -> None:
        """What is within a span within this one, too."""
        self.runs += other.runs
        self.messages = sorted([*self.messages, *other.messages])[-_MOST_MESSAGES:]
        for model, used in other.used.items():
            self.use(model, used)
        self.asked = self.asked or other.asked
        self.answered = other.answered or self.answered

    def use(self, model: str, used: Told) -> None:
        """So much more."""
        known = self.used.get(model)
        if known is not None or len(self.used) < MAX_MODELS:
            self.used[model] = used if known is None else known.plus(used)


@dataclass
class Memory:
    """Of a trace. `spans`: of each that is known the one that it is within, and the agent whose run
    it is (empty: of none). `waiting`: under the ids of those that are not known. `told`: those
    within which a span has told its usage, whose own would count it again."""

    spans: dict[str, tuple[str, str]] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    told: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def load(cls, state: State) -> Memory:
        """From what `dump` made."""
        waiting = {
            id_: Waiting(
                one["runs"],
                {model: Told(*used) for model, used in one["used"].items()},
                [(at, text) for at, text in one["messages"]],
                one["asked"],
                one["answered"],
            )
            for id_, one in state["waiting"].items()
        }
        spans = {id_: (parent, agent) for id_, (parent, agent) in state["spans"].items()}
        return cls(spans, waiting, state["told"])

    def dump(self) -> State:
        """As JSON, bounded."""
        for entries, most in (
            (self.spans, _MOST_SPANS),
            (self.told, _MOST_SPANS),
            (self.waiting, _MOST_WAITING),
        ):
            for id_ in list(entries)[: max(0, len(entries) - most)]:
                del entries[id_]
        state = asdict(self)
        for waiting in state["waiting"].values():
            waiting["used"] = {model: list(used) for model, used in waiting["used"].items()}
        return state


def interpret(project: str, works: Iterable[Work], known: State | None, now: int) -> Interpreted:
    """What it comes to that these spans of a trace have ended."""
    trace = _Trace(project, Memory() if not known else Memory.load(known), now)
    trace.take([one for one in works if one.span.id])
    # Not shown as a session: tasks are of the conversation that they name, if any.
    return Interpreted(trace.reports, trace.memory.dump(), lives=False, busy=[], is_untold=True)


class _Trace:
    def __init__(self, project: str, memory: Memory, now: int) -> None:
        self.reports: list[Report] = []
        self.memory = memory
        self._project = project
        self._now = now
        # Runs that have ended now, with what is within them; and whose runs started which.
        self._ended: dict[str, tuple[Work, Waiting]] = {}
        self._parents: dict[str, str] = {}

    def take(self, works: list[Work]) -> None:
        """Each span once, what is within another before it; then tell of the runs."""
        for work in sorted(works, key=lambda one: (one.span.ended, -one.span.began)):
            if work.span.id not in self.memory.spans:
                self._take(work)
        for id_ in sorted(self._ended, key=lambda id_: self._ended[id_][0].span.began):
            self._tell_run(id_, *self._ended[id_])
        for id_ in self._parents.keys() - self._ended.keys():  # it ended before its parent
            self._report(Kind.STATUS, id_, None)

    def _take(self, work: Work) -> None:
        id_, up = work.span.id, work.span.parent
        agent = as_name(work.name) if work.part is Part.RUN else ""
        self.memory.spans[id_] = (up, agent)
        within = self.memory.waiting.pop(id_, None) or Waiting()
        has_told = self.memory.told.pop(id_, False)
        if work.used is not None and not has_told:
            within.use(work.model, work.used)
            has_told = True
        if has_told and up:
            self.memory.told[up] = True
        if work.part in (Part.CALL, Part.RUN):
            within.asked = within.asked or first_line(work.asked)
            within.answered = work.answered or within.answered
        if agent:
            self._ended[id_] = (work, within)
            self._parents.update(dict.fromkeys(within.runs, id_))
            within = Waiting([id_], asked=within.asked, answered=within.answered)
        else:
            text = work.asked if work.part is Part.TOOL else work.answered
            if text:
                message = (work.span.ended, shorten(text, MAX_MESSAGE))
                within.add(Waiting(messages=[message]))
        self._hand_up(up, within)

    def _hand_up(self, up: str, within: Waiting) -> None:
        """To the run that it is of, if that is known; else it waits for the next span above. What
        is within no run at all is no agent's work."""
        for above in self._above(up):
            if above not in self.memory.spans:
                self.memory.waiting.setdefault(above, Waiting()).add(within)
                return
            if self.memory.spans[above][1]:
                self._parents.update(dict.fromkeys(within.runs, above))
                if above in self._ended:
                    self._ended[above][1].add(within)
                else:
                    self._tell_within(above, within)
                return

    def _above(self, id_: str) -> Iterator[str]:
        seen: set[str] = set()
        while id_ and id_ not in seen:
            seen.add(id_)
            yield id_
            id_ = self.memory.spans.get(id_, ("", ""))[0]

    def _tell_run(self, id_: str, work: Work, within: Waiting) -> None:
        span = work.span
        metadata = {"trace_id": span.trace, "framework": span.scope}
        metadata = {name: shorten(value, MAX_NAME) for name, value in metadata.items() if value}
        title = first_line(work.asked) or within.asked or first_line(work.name)
        self._report(Kind.START, id_, span.began, title=title, metadata=metadata)
        self._tell_within(id_, within)
        at = max([span.ended, *(at for at, _ in within.messages)])
        failure = genai.failure_of(span)
        if failure is None:
            self._report(Kind.FINISH, id_, at, result=without_nul(within.answered) or None)
            return
        self._report(
            *(Kind.ERROR, id_, at),
            error_type=failure.kind,
            error_message=failure.message,
            stack_trace=trim_stack_trace(without_nul(failure.stack)) or None,
        )

    def _tell_within(self, id_: str, within: Waiting) -> None:
        for at, message in within.messages:
            self._report(Kind.STATUS, id_, at, message=message)
        if within.used:
            usage = tuple(ModelTold(model, told) for model, told in within.used.items())
            self._report(Kind.STATUS, id_, None, usage=usage, usage_of=Source.OTLP)

    def _report(self, kind: Kind, id_: str, at: int | None, **told: Any) -> None:
        """`at` None: it has ended by now, or is to end."""
        parent = self._parents.get(id_)
        work, _ = self._ended.get(id_, (None, None))
        began = work.span.began if work is not None else self._now
        of: dict[str, Any] = {
            "kind": kind,
            "project": self._project,
            "task_id": id_,
            "title": "",
            "agent": self.memory.spans[id_][1],
            "session": as_name(genai.session_of(work.span)) or None if work is not None else None,
            "parent_task_id": parent,
            "occurred_at": self._taken(began if at is None else at),
        }
        self.reports.append(Report(**{**of, **told}))

    def _taken(self, at: int) -> int:
        """A time as the store takes it (tracker.domain.rules.moment)."""
        return min(max(at, self._now - MAX_AGE_OF_REPORT), self._now + MAX_CLOCK_AHEAD)
