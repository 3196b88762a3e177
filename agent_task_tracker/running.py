"""`Task`: one task while it runs."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
import traceback
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Final, ParamSpec, Protocol, Self, TypeVar, Unpack, overload

from agent_task_tracker.bars import Follower
from agent_task_tracker.decorating import decorate
from agent_task_tracker.fields import text_of
from agent_task_tracker.further import Further
from agent_task_tracker.iterating import AsyncIteration, Iteration

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")

# Of a title, in a task's id.
_MAX_SLUG: Final = 60

_running: ContextVar[Task | None] = ContextVar("agent_task_tracker.task", default=None)


def current_task() -> Task | None:
    """The task that runs here: the innermost `with` of this thread or asyncio task."""
    return _running.get()


class Reporting(Protocol):
    """What a task reports by: see `Tracker`."""

    project: str

    def report(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Take one report. Never raises, nor waits."""


class Task:
    """One task: it starts with the block, finishes with it, and fails if the block raises; the
    exception goes on.

    A task inside the block of another is of its project, unless another is named, and its child.
    What is reported is sent in the background; no call here raises or waits.

    >>> import agent_task_tracker
    >>> with agent_task_tracker.task("Evaluate", project="demo") as task:
    ...     task.progress(40, "half")
    ...     task.result = "12 of 12"

    As a decorator, of functions, coroutines and generators, each call is a task:

    >>> @agent_task_tracker.task("Square", project="demo")
    ... def square(number: int) -> int:
    ...     return number * number
    >>> square(7)
    49
    """

    def __init__(
        self,
        tracker: Reporting,
        title: str | None = None,
        *,
        project: str | None = None,
        task_id: str | None = None,
        agent: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **further: Unpack[Further],
    ) -> None:
        """See `Tracker.task`."""
        self._tracker = tracker
        self._title = title
        self._metadata = metadata
        self._further: dict[str, Any] = dict(further)
        self._given_id = task_id
        self._given_project = project
        self.project = text_of(project or tracker.project)
        self.agent = agent
        self.task_id = text_of(task_id or "")
        """Names it within its project, from the start on."""
        self.result: str | None = None
        """What came of it, told when it finishes."""
        self._process = 0
        self._began = 0.0
        self._is_running = False
        self._tokens: list[Token[Task | None]] = []
        self._followers: list[Follower] = []

    def start(self) -> Self:
        """Begin, where there is no block: then `finish` or `fail` ends it."""
        parent = _running.get()
        further = self._further
        if parent is not None and parent is not self:
            if not self._given_project and parent._tracker is self._tracker:
                self.project = parent.project
            if parent.project == self.project:
                further = {"parent_task_id": parent.task_id, **further}
        self.task_id = text_of(self._given_id or _new_id(self.title))
        self._process = os.getpid()
        self._began = time.monotonic()
        self._is_running = True
        self._report("start", metadata=self._metadata, **further)
        return self

    @property
    def title(self) -> str:
        """As it was given."""
        return text_of(self._title or self._given_id or "task")

    def progress(
        self, percent: float | None, message: str | None = None, **further: Unpack[Further]
    ) -> None:
        """How far it is, in percent, and what it is doing."""
        self._report("status", progress=percent, message=message, **further)

    def message(self, text: str, **further: Unpack[Further]) -> None:
        """What it is doing."""
        self._report("status", message=text, **further)

    def tell(
        self, *, metadata: Mapping[str, Any] | None = None, **further: Unpack[Further]
    ) -> None:
        """Something else of it: `metadata`, or what `Further` lists."""
        self._report("status", metadata=metadata, **further)

    def usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        cost_usd: float | None = None,
        model: str | None = None,
    ) -> None:
        """What it has used so far, of one model: totals, each of which replaces the last."""
        given = {
            **{"input_tokens": input_tokens, "output_tokens": output_tokens},
            **{"cache_read_tokens": cache_read_tokens, "cache_write_tokens": cache_write_tokens},
            **{"cost_usd": cost_usd, "model": model},
        }
        used = {name: value for name, value in given.items() if value is not None}
        self._report("status", usage=used)

    def attention(self, text: str, request_id: str | None = None) -> None:
        """It needs a person, and for what; until the next report, or, with an id, until
        `attended`."""
        self._report("status", attention=text, attention_id=request_id)

    def attended(self, request_id: str) -> None:
        """What it needed a person for is settled."""
        self._report("status", attention=None, attention_id=request_id)

    @overload
    def iterate(
        self, rows: AsyncIterable[_T], total: int | None = None, *, every: float = 1.0
    ) -> AsyncIteration[_T]: ...

    @overload
    def iterate(
        self, rows: Iterable[_T], total: int | None = None, *, every: float = 1.0
    ) -> Iteration[_T]: ...

    def iterate(
        self,
        rows: Iterable[_T] | AsyncIterable[_T],
        total: int | None = None,
        *,
        every: float = 1.0,
    ) -> Iteration[_T] | AsyncIteration[_T]:
        """The same rows, for a loop whose progress is reported, at most every so many seconds.
        `total`: how many there are, if they do not tell themselves; a bar of tqdm does."""
        if isinstance(rows, AsyncIterable):
            return AsyncIteration(rows, total, every, self._count)
        return Iteration(rows, total, every, self._count)

    def follow(self, bar: _T, *, every: float = 1.0) -> _T:
        """Report what a progress bar of tqdm or rich shows, until the task ends. Returns the bar,
        which is only looked at."""
        follower = Follower(bar, every, self._count)
        self._followers.append(follower)
        follower.start()
        return bar

    def finish(self, result: str | None = None, **further: Unpack[Further]) -> None:
        """It is done."""
        self._end()
        told = self.result if result is None else result
        known = {"result": told, "duration_seconds": self._seconds()}
        self._report("finish", **{**known, **further})

    def fail(
        self,
        error: BaseException | str,
        *,
        error_type: str | None = None,
        stack_trace: str | None = None,
        **further: Unpack[Further],
    ) -> None:
        """It failed: by an exception, or for a reason in words."""
        self._end()
        if isinstance(error, BaseException):
            error_type = error_type or _type_of(error)
            stack_trace = stack_trace or _trace_of(error)
        known = {"error_type": error_type or "Error", "error_message": _words_of(error)}
        self._report("error", **{**known, "stack_trace": stack_trace, **further})

    def __enter__(self) -> Self:
        self.start()
        self.step_in()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.step_out()
        self.end_with(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback_: TracebackType | None,
    ) -> None:
        self.__exit__(type_, error, traceback_)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Make a task of each call."""
        return decorate(function, self._for_call)

    def end_with(self, error: BaseException | None) -> None:
        """Finish, or fail by that exception. Not twice, and not in a forked child of the process
        that it began in."""
        if not self._is_running or os.getpid() != self._process:
            return
        if (
            error is None
            or isinstance(error, GeneratorExit)
            or (isinstance(error, SystemExit) and error.code in (None, 0))
        ):
            self.finish()
        else:
            self.fail(error)

    def step_in(self) -> None:
        """Tasks that begin here from now on are its children."""
        self._tokens.append(_running.set(self))

    def step_out(self) -> None:
        """No longer."""
        if self._tokens:
            with contextlib.suppress(ValueError):  # a generator's block, left in another context
                _running.reset(self._tokens.pop())

    def __getstate__(self) -> dict[str, Any]:
        """For a process that is spawned: it may report, the end stays with this one."""
        own = {"_tokens": [], "_followers": [], "_process": 0, "_is_running": False}
        return {**self.__dict__, **own}

    def _for_call(self, name: str) -> Task:
        task = Task.__new__(type(self))
        task.__dict__.update(self.__dict__, _tokens=[], _followers=[], _is_running=False)
        task._title = self._title or name
        return task

    def _count(self, done: float | None, total: float | None, words: str | None) -> None:
        """What a loop or a bar has come to."""
        percent = None if done is None or not total else 100 * done / total
        self._report("status", progress=percent, message=words)

    def _end(self) -> None:
        self._is_running = False
        for follower in self._followers:
            follower.stop()
        self._followers = []

    def _seconds(self) -> float | None:
        return round(time.monotonic() - self._began, 3) if self._began else None

    def _report(self, kind: str, /, **fields: Any) -> None:
        names = {"project": self.project, "task": self.title, "task_id": self.task_id}
        self._tracker.report(kind, {**fields, **names, "agent": self.agent})


def _new_id(title: str) -> str:
    """A readable one that no other run has."""
    slug = re.sub(r"\W+", "-", title.lower()[: 2 * _MAX_SLUG]).strip("-")[:_MAX_SLUG]
    return f"{slug or 'task'}-{secrets.token_hex(4)}"


def _type_of(error: BaseException) -> str:
    return "Interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__qualname__


def _words_of(error: BaseException | str) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted by Ctrl-C"
    if isinstance(error, SystemExit):
        return f"exit code {error.code}"
    return text_of(error)


def _trace_of(error: BaseException) -> str | None:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - a property of theirs that raises
        return None
