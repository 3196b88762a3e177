"""Tasks as blocks, decorators, loops and bars, and what becomes of them when they fail."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.progress import Progress

from agent_task_tracker import Task, TaskHandler, Tracker, current_task
from agent_task_tracker.handover import Flush
from agent_task_tracker.reports import Reports
from agent_task_tracker.sender import Delivery
from agent_task_tracker.spool import Spool
from tests.support.platforms import needs_posix
from tests.support.reporting import NAMES, all_events, found, reporter
from tests.support.server import Server


def told(server: Server, tracker: Tracker) -> list[tuple[str, str]]:
    """Of each event: its title, and what it tells."""
    assert tracker.flush(20)
    return [
        (event["data"]["title"], event["data"].get("message") or event["type"])
        for event in all_events(server, tracker.project)
    ]


def only_task(server: Server, tracker: Tracker, title: str | None = None) -> dict[str, Any]:
    assert tracker.flush(20)
    found = {
        event["data"]["task_id"]
        for event in all_events(server, tracker.project)
        if title is None or event["data"]["title"] == title
    }
    assert len(found) == 1, found
    return server.task(tracker.project, found.pop())


def test_a_block_is_a_task(shared_server: Server, tracker: Tracker) -> None:
    with tracker.task("Evaluate", metadata={"priority": "high"}, session="s1") as task:
        assert current_task() is task
        task.progress(40, "half")
        task.result = "12 of 12"
    assert current_task() is None
    found = only_task(shared_server, tracker)
    assert (found["status"], found["progress"], found["result"]) == ("completed", 100, "12 of 12")
    assert (found["agent"], found["title"], found["session"]) == ("job", "Evaluate", "s1")
    assert found["metadata"] == {"priority": "high"}
    assert found["task_id"] == task.task_id
    assert found["task_id"].startswith("evaluate-")
    assert told(shared_server, tracker) == [
        ("Evaluate", "task_started"),
        ("Evaluate", "half"),
        ("Evaluate", "task_finished"),
    ]


def test_runs_are_tasks_of_their_own_unless_they_have_an_id(
    shared_server: Server, tracker: Tracker
) -> None:
    for _ in range(2):
        with tracker.task("Own"):
            pass
        with tracker.task("Same", task_id="same"):
            pass
    assert tracker.flush(20)
    ids = [event["data"]["task_id"] for event in all_events(shared_server, tracker.project)]
    assert len(set(ids)) == 3
    assert shared_server.task(tracker.project, "same")["attempt"] == 2


def test_without_a_block_the_end_is_said(shared_server: Server, tracker: Tracker) -> None:
    task = tracker.task("Notebook").start()
    task.message("the first cell")
    task.finish("done")
    other = tracker.task("Other").start()
    other.fail("there is no data", error_type="NoData")
    assert only_task(shared_server, tracker, "Notebook")["result"] == "done"
    failed = only_task(shared_server, tracker, "Other")
    assert (failed["status"], failed["error_type"]) == ("failed", "NoData")
    assert failed["error_message"] == "there is no data"


def raise_deeply(levels: int) -> None:
    if levels == 0:
        raise RuntimeError("no " + "x" * 200_000)
    try:
        raise_deeply(levels - 1)
    except RuntimeError as error:
        if levels % 10 == 0:
            raise ValueError(f"level {levels}") from error
        raise


def test_an_exception_is_told_and_goes_on(shared_server: Server, tracker: Tracker) -> None:
    with pytest.raises(ZeroDivisionError), tracker.task("Divide"):
        _ = 1 / 0
    found = only_task(shared_server, tracker)
    assert (found["status"], found["error_type"]) == ("failed", "ZeroDivisionError")
    assert found["error_message"] == "division by zero"
    assert "_ = 1 / 0" in found["stack_trace"]


def test_a_long_stack_trace_keeps_its_head_and_tail(
    shared_server: Server, tracker: Tracker
) -> None:
    with pytest.raises(ValueError, match="level 10"), tracker.task("Deep"):
        raise_deeply(50)
    trace = only_task(shared_server, tracker)["stack_trace"]
    assert len(trace.encode()) <= 10_240
    assert trace.startswith("Traceback (most recent call last)")
    assert trace.rstrip().endswith("ValueError: level 10")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "status", "type_", "message"),
    [
        (KeyboardInterrupt(), "failed", "Interrupted", "interrupted by Ctrl-C"),
        (SystemExit(3), "failed", "SystemExit", "exit code 3"),
        (SystemExit("no"), "failed", "SystemExit", "exit code no"),
        (SystemExit(0), "completed", None, None),
        (SystemExit(), "completed", None, None),
        (asyncio.CancelledError(), "failed", "CancelledError", ""),
        (Unspeakable(), "failed", "Unspeakable", "<Unspeakable>"),
    ],
)
def test_how_a_block_may_end(
    shared_server: Server,
    tracker: Tracker,
    error: BaseException,
    status: str,
    type_: str | None,
    message: str | None,
) -> None:
    with pytest.raises(type(error)) as raised, tracker.task("Ends"):
        raise error
    assert raised.value is error
    found = only_task(shared_server, tracker)
    assert (found["status"], found["error_type"], found["error_message"]) == (
        status,
        type_,
        message,
    )


def test_tasks_inside_are_of_the_same_project(shared_server: Server, tracker: Tracker) -> None:
    with tracker.task("Outer", project="theirs") as outer:
        with tracker.task("Inner") as inner, tracker.task("Innermost") as innermost:
            pass
        with tracker.task("Elsewhere", project="another") as elsewhere:
            pass
    assert (inner.project, innermost.project, elsewhere.project) == ("theirs", "theirs", "another")
    assert tracker.flush(20)
    told = shared_server.task("theirs", innermost.task_id)
    assert told["parent_task_id"] == inner.task_id
    assert shared_server.task("theirs", inner.task_id)["parent_task_id"] == outer.task_id
    assert shared_server.task("another", elsewhere.task_id)["parent_task_id"] is None


def test_tasks_inside_are_children(shared_server: Server, tracker: Tracker) -> None:
    with tracker.task("Outer") as outer:
        with tracker.task("Inner") as inner, tracker.task("Innermost"):
            pass
        with tracker.task("Elsewhere", project=f"{tracker.project}!"[-255:]):
            pass
        with tracker.task("Given", parent_task_id="another"):
            pass
    with tracker.task("After"):
        pass
    assert tracker.flush(20)
    parents = {
        event["data"]["title"]: shared_server.task(tracker.project, event["data"]["task_id"])[
            "parent_task_id"
        ]
        for event in all_events(shared_server, tracker.project)
    }
    assert parents == {
        "Outer": None,
        "Inner": outer.task_id,
        "Innermost": inner.task_id,
        "Given": "another",
        "After": None,
    }


def test_functions_keep_what_they_are(shared_server: Server, tracker: Tracker) -> None:
    @tracker.task("Add")
    def add(first: int, *, second: int = 2) -> int:
        """Sum."""
        assert current_task() is not None
        return first + second

    @tracker.task
    def named_by_itself() -> None:
        raise LookupError("no")

    assert (add(1), add(1, second=5)) == (3, 6)
    assert (add.__name__, add.__doc__) == ("add", "Sum.")
    with pytest.raises(LookupError):
        named_by_itself()
    events = told(shared_server, tracker)
    assert events[:4] == [("Add", "task_started"), ("Add", "task_finished")] * 2
    assert [kind for _, kind in events[4:]] == ["task_started", "task_error"]
    assert events[4][0].endswith("named_by_itself")


class Worker:
    def __init__(self, seen: list[object]) -> None:
        self.seen = seen

    def work(self, item: object) -> None:
        self.seen.append(item)


def test_methods_too(shared_server: Server, tracker: Tracker) -> None:
    class Traced(Worker):
        work = tracker.task("Method")(Worker.work)

    traced = Traced([])
    traced.work(1)
    assert traced.seen == [1]
    assert len(told(shared_server, tracker)) == 2


def test_coroutines_run_side_by_side(shared_server: Server, tracker: Tracker) -> None:
    @tracker.task("Fetch")
    async def fetch(number: int) -> int:
        task = current_task()
        await asyncio.sleep(0)
        async with tracker.task(f"Part {number}") as part:
            assert current_task() is part
            await asyncio.sleep(0)
        assert current_task() is task
        if number == 2:
            raise LookupError("no")
        return number

    async def main() -> list[Any]:
        async with tracker.task("All"):
            return await asyncio.gather(*map(fetch, range(4)), return_exceptions=True)

    results = asyncio.run(main())
    assert [result for result in results if isinstance(result, int)] == [0, 1, 3]
    events = told(shared_server, tracker)
    assert events.count(("Fetch", "task_finished")) == 3
    assert events.count(("Fetch", "task_error")) == 1
    assert events[-1] == ("All", "task_finished")
    data = [event["data"] for event in all_events(shared_server, tracker.project)]
    outer = next(item["task_id"] for item in data if item["title"] == "All")
    fetches = {item["task_id"] for item in data if item["title"] == "Fetch"}
    parents = {
        shared_server.task(tracker.project, item["task_id"])["parent_task_id"]
        for item in data
        if item["title"].startswith("Part")
    }
    assert parents == fetches
    assert {
        shared_server.task(tracker.project, task_id)["parent_task_id"] for task_id in fetches
    } == {outer}


def test_generators_are_tasks_from_their_first_step_to_their_last(
    shared_server: Server, tracker: Tracker
) -> None:
    @tracker.task("Rows")
    def rows(count: int) -> Iterator[Any]:
        got = None
        for number in range(count):
            try:
                assert current_task() is not None
                got = yield number if got is None else got
            except LookupError:
                got = "thrown"
        return "the end"

    whole = rows(3)
    assert told(shared_server, tracker) == []
    assert list(whole) == [0, 1, 2]
    assert current_task() is None
    talking: Any = rows(4)
    assert (next(talking), talking.send("sent"), talking.throw(LookupError())) == (
        *(0, "sent", "thrown"),
    )
    assert current_task() is None
    talking.close()
    with pytest.raises(StopIteration, match="the end"):
        next(rows(0))
    assert [kind for _, kind in told(shared_server, tracker)] == [
        *("task_started", "task_finished") * 3
    ]

    @tracker.task("Fails")
    def fails() -> Iterator[int]:
        yield 1
        raise LookupError("no")

    with pytest.raises(LookupError):
        list(fails())
    assert told(shared_server, tracker)[-1] == ("Fails", "task_error")


def test_asynchronous_generators_too(shared_server: Server, tracker: Tracker) -> None:
    @tracker.task("Stream")
    async def stream(count: int) -> AsyncIterator[Any]:
        got = None
        for number in range(count):
            try:
                assert current_task() is not None
                got = yield number if got is None else got
            except LookupError:
                got = "thrown"
        if count == 9:
            raise RuntimeError("no")

    async def main() -> None:
        assert [item async for item in stream(3)] == [0, 1, 2]
        talking: Any = stream(4)
        assert await talking.__anext__() == 0
        assert await talking.asend("sent") == "sent"
        assert await talking.athrow(LookupError()) == "thrown"
        assert current_task() is None
        await talking.aclose()
        with pytest.raises(RuntimeError):
            _ = [item async for item in stream(9)]

    asyncio.run(main())
    assert [kind for _, kind in told(shared_server, tracker)] == [
        *("task_started", "task_finished") * 2,
        *("task_started", "task_error"),
    ]


def test_a_loop_reports_its_progress(shared_server: Server, tracker: Tracker) -> None:
    seen = []
    with tracker.task("Loop") as task:
        for row in task.iterate([10, 20, 30, 40], every=0):
            seen.append(row)
        for row in task.iterate(iter("ab"), total=2, every=1000):
            seen.append(row)
        for row in task.iterate((number for number in range(3)), every=0):
            seen.append(row)
            break
        assert len(task.iterate([1, 2])) == 2
    assert seen == [10, 20, 30, 40, "a", "b", 0]
    assert tracker.flush(20)
    events = all_events(shared_server, tracker.project)[1:-1]
    assert [(event["data"]["progress"], event["data"]["message"]) for event in events] == [
        *((25, "1/4"), (50, "2/4"), (75, "3/4"), (100, "4/4")),
        (100, "2/2"),
    ]


def test_an_asynchronous_loop_too(shared_server: Server, tracker: Tracker) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def main() -> list[int]:
        async with tracker.task("Loop") as task:
            return [number async for number in task.iterate(numbers(), 3, every=0)]

    assert asyncio.run(main()) == [0, 1, 2]
    assert [words for _, words in told(shared_server, tracker)[1:-1]] == ["1/3", "2/3", "3/3"]


def test_an_error_in_a_loop_is_the_loop_s(shared_server: Server, tracker: Tracker) -> None:
    def rows() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError), tracker.task("Loop") as task:
        for _ in task.iterate(rows(), every=1000):
            pass
    assert [words for _, words in told(shared_server, tracker)] == [
        *("task_started", "1", "task_error")
    ]


def test_bars_of_tqdm_are_followed(shared_server: Server, tracker: Tracker) -> None:
    """By what its class has; the loop over a bar takes its total."""

    class Bar(list[int]):
        def __init__(self) -> None:
            super().__init__([1, 2])
            self.n, self.total, self.desc = 0, 4, "Rows: "

    bar = Bar()
    with tracker.task("Bar") as task:
        assert task.follow(bar, every=1000) is bar
        bar.n = 3
        for _ in task.iterate(bar, every=1000):
            pass
    assert [words for _, words in told(shared_server, tracker)[1:-1]] == ["2/4", "Rows: 3/4"]


def test_bars_of_rich_are_followed(shared_server: Server, tracker: Tracker) -> None:
    progress = Progress(disable=True)
    first = progress.add_task("Download", total=4)
    second = progress.add_task("Unpack", total=4)
    with tracker.task("Bars") as task:
        task.follow(progress, every=0.01)
        progress.update(first, completed=4)
        progress.update(second, completed=2)
    assert tracker.flush(20)
    last = all_events(shared_server, tracker.project)[-2]["data"]
    assert (last["progress"], last["message"]) == (75, "Unpack")


def test_what_is_no_bar_is_left_alone(shared_server: Server, tracker: Tracker) -> None:
    with tracker.task("Bar") as task:
        for odd in (None, SimpleNamespace(n="x", total=object()), SimpleNamespace(tasks=3)):
            task.follow(odd, every=0.01)
    assert len(told(shared_server, tracker)) == 2


def test_what_is_logged_is_told_as_messages(shared_server: Server, tracker: Tracker) -> None:
    logger = logging.getLogger("a job of this test")
    logger.setLevel(logging.DEBUG)
    handler = TaskHandler(logging.INFO)
    logger.addHandler(handler)
    logger.info("before")
    with tracker.task("Logs") as task:
        logger.info("row %s", 7)
        logger.debug("too little")
        handler.handle(logger.makeRecord("x", 20, "", 1, "%d", ("what does not fit",), None))
        logging.getLogger("agent_task_tracker.x").addHandler(handler)
        logging.getLogger("agent_task_tracker.x").error("our own")
        given = TaskHandler(task=task)
        thread = threading.Thread(
            target=lambda: given.handle(logger.makeRecord("x", 20, "", 1, "elsewhere", (), None))
        )
        thread.start()
        thread.join()
    logger.removeHandler(handler)
    assert [words for _, words in told(shared_server, tracker)] == [
        *("task_started", "row 7", "elsewhere", "task_finished")
    ]


def test_a_person_is_needed_and_tokens_are_used(shared_server: Server, tracker: Tracker) -> None:
    with tracker.task("Agent", stale_after_seconds=60) as task:
        task.usage(input_tokens=5, output_tokens=7, cost_usd=0.25, model="m")
        task.attention("Allow Bash?", "1")
        assert tracker.flush(20)
        waiting = shared_server.task(tracker.project, task.task_id)
        assert (waiting["attention"], waiting["stale_after_seconds"]) == ("Allow Bash?", 60)
        task.attended("1")
        task.tell(metadata={"a": 1})
    found = only_task(shared_server, tracker)
    assert (found["attention"], found["metadata"]) == (None, {"a": 1})


def test_nothing_that_is_told_raises(shared_server: Server, tracker: Tracker) -> None:
    odd: Any = object()
    nan = float("nan")
    with tracker.task("x" * 5000, metadata={"a": odd, 1: {2, 3}}) as task:
        task.progress(nan, "m" * 50_000)
        task.progress(odd, b"bytes")  # type: ignore[arg-type]
        task.message(Unspeakable())  # type: ignore[arg-type]
        task.tell(metadata=odd, session="s" * 999)
        task.usage(input_tokens=-5, cost_usd=nan)
        task.result = odd
    with contextlib.suppress(Unspeakable), tracker.task(odd, project=odd, task_id=odd):
        raise Unspeakable
    found = only_task(shared_server, tracker)
    assert (len(found["title"]), found["status"]) == (1000, "completed")
    assert len(found["events"]) == 7


def test_threads_report_in_their_own_order(shared_server: Server, tracker: Tracker) -> None:
    def work(number: int) -> None:
        with tracker.task(f"Thread {number}") as task:
            for row in range(50):
                task.message(f"{row}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = told(shared_server, tracker)
    for number in range(8):
        rows = [words for title, words in events if title == f"Thread {number}"]
        assert rows == ["task_started", *map(str, range(50)), "task_finished"]


@needs_posix
def test_a_forked_child_reports_and_does_not_end_its_parent_s_task(
    shared_server: Server, tracker: Tracker
) -> None:
    with tracker.task("Parent") as task:
        task.message("before")
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                task.message("from the child")
                with tracker.task("Child"):
                    pass
                task.__exit__(None, None, None)
            os._exit(0)
        os.waitpid(child, 0)
        task.message("after")
    tracker.task("Recovers").start().finish()
    events = told(shared_server, tracker)
    assert [words for title, words in events if title == "Parent"].count("task_finished") == 1
    assert tracker.close(20).spooled == 0


def test_a_task_goes_to_a_spawned_process_without_the_key(tracker: Tracker) -> None:
    with tracker.task("Parent") as task:
        carried = pickle.dumps(task)
        copied: Task = pickle.loads(carried)
    assert copied.task_id == task.task_id
    assert b"test-key" not in carried
    copied.end_with(None)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "repository" / ".git" / "worktrees" / "w").mkdir(parents=True)
    (tmp_path / "repository" / "inner").mkdir()
    (tmp_path / "w" / "inner").mkdir(parents=True)
    (tmp_path / "w" / ".git").write_text(f"gitdir: {tmp_path}/repository/.git/worktrees/w\n")
    for name in ("TRACKER_PROJECT", "TRACKER_AGENT", "TRACKER_SESSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRACKER_SPOOL", str(tmp_path / "spool"))
    for folder in ("repository", "repository/inner", "w", "w/inner"):
        monkeypatch.chdir(tmp_path / folder)
        assert Tracker().project == "repository"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKER_AGENT", "a")
    monkeypatch.setenv("TRACKER_SESSION", "s")
    told_by_it = Tracker()
    assert (told_by_it.project, told_by_it.agent, told_by_it.session) == (tmp_path.name, "a", "s")
    monkeypatch.setenv("TRACKER_PROJECT", "p")
    assert Tracker().project == "p"


def test_what_cannot_be_right_raises_nothing(tmp_path: Any, caplog: Any) -> None:
    odd: Any
    for number, odd in enumerate(("rubbish", "http://", 7, "http://h:99999999", "unix:")):
        folder = tmp_path / f"spool{number}"
        tracker = Tracker(odd, "key with \n break", project="p", spool=folder)
        with tracker.task("T"):
            pass
        assert tracker.close(5).spooled == 2
    assert "reports are kept" in caplog.text
    assert "key with" not in caplog.text


def test_fields_of_the_webhooks_that_are_given_anyway_raise_nothing(
    shared_server: Server, tracker: Tracker
) -> None:
    given: Any = {"kind": "nightly", "duration_seconds": 3, "error_message": "no"}
    tracker.task("Nightly", **given).start().finish("done", **given)
    tracker.task("Daily", **given).start().fail("no reason", **given)
    assert told(shared_server, tracker)
    assert only_task(shared_server, tracker, "Nightly")["duration_seconds"] == 3
    assert only_task(shared_server, tracker, "Daily")["error_message"] == "no"


def test_a_flush_that_is_asked_for_during_a_delivery_is_answered(
    shared_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = reporter(shared_server.url, tmp_path)
    asked: list[Flush] = []
    step = Delivery.step

    def asking(delivery: Delivery) -> bool:
        may_go_on = step(delivery)
        if not asked:
            asked.append(reports._handover.ask())
        return may_go_on

    monkeypatch.setattr(Delivery, "step", asking)
    fields = {"project": "flushed", "task_id": "t", **NAMES}
    here = found(shared_server.url).destinations()[0]
    Spool(tmp_path).put(Reports().make("status", fields, lambda _: None), here)
    reports.report("status", fields)
    while not asked:
        time.sleep(0.01)
    assert asked[0].answered.wait(10)
    assert asked[0].is_done
    reports.close()
