"""A user's file: it passes `mypy --strict` and pyright (strict), and runs."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import agent_task_tracker
from agent_task_tracker import Task, TaskHandler, Tracker, current_task

tracker = Tracker(project="typed", agent="a", session="s")


@agent_task_tracker.task("Square", project="p")
def square(number: int, *, twice: bool = False) -> int:
    return number * number


@agent_task_tracker.task
def bare(text: str) -> list[str]:
    return [text]


@tracker.task("Fetch", stale_after_seconds=60)
async def fetch(url: str) -> bytes:
    return url.encode()


@tracker.task("Rows")
def rows(count: int) -> Iterator[int]:
    yield from range(count)


@tracker.task("Stream")
async def stream() -> AsyncIterator[str]:
    yield "x"


def use(task: Task) -> None:
    for row in task.iterate([1, 2, 3], every=0.5):
        row.bit_length()
    task.progress(40, "half", attention="Allow?", attention_id="1")
    task.usage(input_tokens=5, cost_usd=0.5, model="m")
    task.attended("1")


number: int = square(3, twice=True)
texts: list[str] = bare("x")


async def main() -> None:
    async with tracker.task("Async", parent_task_id="x") as task:
        use(task)
        data: bytes = await fetch("x")
        async for text in task.iterate(stream()):
            text.upper()
        assert data
    with agent_task_tracker.task("Evaluate", project="p") as t:
        t.result = "done"
        found: Task | None = current_task()
        assert found is t


asyncio.run(main())
handler = TaskHandler()
print(tracker.flush(20))
