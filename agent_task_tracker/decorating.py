"""Makes a task of each call of a function, a coroutine or a generator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, ParamSpec, Protocol, TypeVar, cast

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Run(Protocol):
    """A task, see `Task`."""

    def start(self) -> Any:
        """Begin."""

    def step_in(self) -> None:
        """Tasks that begin from now on are its children."""

    def step_out(self) -> None:
        """No longer."""

    def end_with(self, error: BaseException | None) -> None:
        """Finish, or fail."""


def decorate(function: Callable[_P, _R], new: Callable[[str], Run]) -> Callable[_P, _R]:
    """The function, each call of which is the task that `new` makes by the function's name."""
    name = str(getattr(function, "__qualname__", None) or type(function).__name__)
    if inspect.isasyncgenfunction(function):
        wrapped: Any = _async_generator(function, name, new)
    elif inspect.iscoroutinefunction(function):
        wrapped = _coroutine(function, name, new)
    elif inspect.isgeneratorfunction(function):
        wrapped = _generator(function, name, new)
    else:
        wrapped = _function(function, name, new)
    return cast("Callable[_P, _R]", functools.wraps(function)(wrapped))


class _Inside:
    """Inside the block, what begins is a child of the task; an exception ends it."""

    def __init__(self, run: Run, *ends: type[Exception]) -> None:
        """`ends`: what a generator raises when it is exhausted."""
        self._run = run
        self._ends = ends

    def __enter__(self) -> None:
        self._run.step_in()

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        self._run.step_out()
        if error is not None:
            self._run.end_with(None if isinstance(error, self._ends) else error)


def _function(function: Any, name: str, new: Callable[[str], Run]) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        run = new(name)
        run.start()
        with _Inside(run):
            result = function(*arguments, **named)
        run.end_with(None)
        return result

    return call


def _coroutine(function: Any, name: str, new: Callable[[str], Run]) -> Any:
    async def call(*arguments: Any, **named: Any) -> Any:
        run = new(name)
        run.start()
        with _Inside(run):
            result = await function(*arguments, **named)
        run.end_with(None)
        return result

    return call


def _generator(function: Any, name: str, new: Callable[[str], Run]) -> Any:
    def call(*arguments: Any, **named: Any) -> Generator[Any, Any, Any]:
        run = new(name)
        run.start()
        generator = function(*arguments, **named)
        # Between its steps it is the caller's code that runs, which is no part of the task.
        step: Callable[[], Any] = functools.partial(next, generator)
        try:
            while True:
                try:
                    with _Inside(run, StopIteration):
                        item = step()
                except StopIteration as end:
                    return end.value
                try:
                    sent = yield item
                except GeneratorExit:
                    with _Inside(run):
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - it is handed in
                    step = functools.partial(generator.throw, error)
                else:
                    step = functools.partial(generator.send, sent)
        finally:
            run.end_with(None)

    return call


def _async_generator(function: Any, name: str, new: Callable[[str], Run]) -> Any:
    async def call(*arguments: Any, **named: Any) -> AsyncGenerator[Any, Any]:
        run = new(name)
        run.start()
        generator = function(*arguments, **named)
        step: Callable[[], Any] = generator.__anext__
        try:
            while True:
                try:
                    with _Inside(run, StopAsyncIteration):
                        item = await step()
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    with _Inside(run):
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - it is handed in
                    step = functools.partial(generator.athrow, error)
                else:
                    step = functools.partial(generator.asend, sent)
        finally:
            run.end_with(None)

    return call
