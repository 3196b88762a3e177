"""Measure the dashboard in a real browser: how soon the first task is painted where there are many,
and what 1,000 events a second leave of the frames and of the main thread.

The method is in docs/performance.md.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final, NamedTuple

import _venv  # noqa: F401 - goes on in .venv
import httpx
import test
from _chromium import Chromium, chromium
from _environment import Environment, run_script
from _history import build
from _load import KEY
from _machine import cores, pinned, workspace
from _report import Report, Table, Target, progress, run, spread
from _servers import Server, tracker

PROJECT: Final = "busy"
VIEWS: Final = {
    "Now": "/",
    "Events": "/events",
    "Timeline": "/timeline",
    "Board": f"/projects/{PROJECT}/board",
}
EMPTY: Final = "an empty page"
# Reports that the load sends together, as our own clients do.
AT_ONCE: Final = 20
MOST_PAINT_MS: Final = 180
LEAST_FRAMES: Final = 0.85
MOST_MAIN_THREAD: Final = 0.5

LIVE: Final = "document.querySelector('.state[data-state=live]') !== null"
# What is there when a frame begins is painted in it.
MARK_PAINTED: Final = """{
    const look = () => document.querySelector("main [data-row], pre")
        ? setTimeout(() => performance.mark("painted")) : requestAnimationFrame(look);
    requestAnimationFrame(look);
}"""
PAINTED: Final = "performance.getEntriesByName('painted')[0]?.startTime"
# Some text, shown as it is.
FLOOR: Final = "/manifest.json"
COUNT_FRAMES: Final = """seconds => new Promise((done) => {
    let frames = 0;
    const begin = performance.now();
    const next = (now) => {
        if (now - begin >= seconds * 1000) return done(frames / (now - begin) * 1000);
        frames++;
        requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
})"""


class Frames(NamedTuple):
    """Frames a second, and the share of the time that the main thread was at work."""

    rate: float
    busy: float


def arguments() -> argparse.ArgumentParser:
    """What it takes on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000, help="in the database")
    parser.add_argument("--paints", type=int, default=15, help="of each page")
    parser.add_argument("--rounds", type=int, default=5, help="of counting frames")
    parser.add_argument("--seconds", type=float, default=4, help="that frames are counted for")
    parser.add_argument("--events", type=int, default=1000, help="a second")
    parser.add_argument("--active", type=int, default=200, help="tasks under way")
    return parser


def measure(options: argparse.Namespace) -> Report:
    """First paints, then frames; views and the empty page take turns."""
    report = Report()
    environment = Environment()
    environment.ensure("test")  # which knows of a Chromium
    program = test.provide_chromium(environment)
    core = cores()
    with workspace() as folder:
        progress(f"writing {options.tasks:,} tasks")
        build(folder / "tracker.db", options.tasks)
        # The parts of a browser work side by side when a page is opened: on one core they wait.
        with tracker(folder, None, "--api-key", KEY) as server, chromium(program) as browser:
            sign_in(browser, server)
            _report_paints(report, options, browser, server)
    with (
        workspace() as folder,
        tracker(folder, core.server, "--api-key", KEY) as server,
        pinned(core.load),
        chromium(program) as browser,
    ):
        sign_in(browser, server)
        begin_tasks(server, options.active)
        with pinned(core.server), load(server, options.events, options.active):
            _report_frames(report, options, browser, server)
    return report


def sign_in(browser: Chromium, server: Server) -> None:
    """As everybody has after the first time."""
    with browser.page() as page:
        page.go(f"{server.url}/#key={KEY}")
        page.wait_for(LIVE)


def first_paint(browser: Chromium, server: Server, path: str) -> float:
    """Milliseconds from the navigation to the end of the frame that shows a task, or of the floor
    its text."""
    server.settle()  # what the page before has asked for
    with browser.page() as page:
        page.before_all_else(MARK_PAINTED)
        page.go(server.url + path)
        return float(page.wait_for(PAINTED))


def _report_paints(
    report: Report, options: argparse.Namespace, browser: Chromium, server: Server
) -> None:
    table = Table("", ("First paint", "ms"))
    paints: dict[str, list[float]] = {FLOOR: [], VIEWS["Now"]: []}
    for number in range(options.paints + 2):
        progress(f"first paint {number} of {options.paints + 1}")
        for path, took in paints.items():
            took.append(first_paint(browser, server, path))
    # The first two fill the browser's caches: of files, and of compiled scripts.
    cached = {path: took[2:] for path, took in paints.items()}
    table.rows.append(("some text, without a script", spread(cached[FLOOR])))
    table.rows.append((f"Now, {options.tasks:,} tasks", spread(cached[VIEWS["Now"]])))
    report.tables.append(table)
    median = statistics.median(cached[VIEWS["Now"]])
    report.targets.append(Target("first paint of Now, ms", median, MOST_PAINT_MS, at_least=False))
    report.measured.append({"paints": paints})


def _report_frames(
    report: Report, options: argparse.Namespace, browser: Chromium, server: Server
) -> None:
    found: dict[str, list[Frames]] = {name: [] for name in (EMPTY, *VIEWS)}
    for number in range(options.rounds):
        progress(f"frames {number + 1} of {options.rounds}")
        for name, rounds in found.items():
            rounds.append(frames(browser, server, VIEWS.get(name), options.seconds))
    table = Table(
        f"{options.events:,} events a second, {options.active} tasks under way",
        ("Page", "frames/s", "of the empty page", "main thread at work"),
    )
    for name, rounds in found.items():
        shares = [one.rate / of.rate for one, of in zip(rounds, found[EMPTY], strict=True)]
        busy = [100 * one.busy for one in rounds]
        rates = spread([one.rate for one in rounds])
        table.rows.append((name, rates, spread(shares, 2), f"{spread(busy)} %"))
        if name != EMPTY:
            share, at_work = statistics.median(shares), statistics.median(busy) / 100
            report.targets.append(Target(f"{name}: frames, of the empty page", share, LEAST_FRAMES))
            report.targets.append(
                Target(f"{name}: main thread", at_work, MOST_MAIN_THREAD, at_least=False)
            )
        report.measured.append({"view": name, "frames": [each._asdict() for each in rounds]})
    report.tables.append(table)


def frames(browser: Chromium, server: Server, path: str | None, seconds: float) -> Frames:
    """Of a page that is the only one; without a path: an empty one."""
    with browser.page() as page:
        if path is not None:
            page.go(server.url + path)
            page.wait_for(LIVE)
            time.sleep(1)  # what it does once
        before, begun = page.seconds_at_work(), time.perf_counter()
        rate = float(page.evaluate(f"({COUNT_FRAMES})({seconds})"))
        return Frames(rate, (page.seconds_at_work() - before) / (time.perf_counter() - begun))


def begin_tasks(server: Server, active: int) -> None:
    """The tasks that the load goes on to tell about."""
    with httpx.Client(base_url=server.url, headers={"X-API-Key": KEY}) as client:
        _send(client, [_report("start", number) for number in range(active)])


@contextmanager
def load(server: Server, per_second: int, active: int) -> Iterator[None]:
    """Send so many reports a second, from a process of its own."""
    sender = multiprocessing.Process(
        target=send_for_ever, args=(server.url, per_second, active), daemon=True
    )
    sender.start()
    try:
        yield
    finally:
        sender.terminate()
        sender.join()


def send_for_ever(url: str, per_second: int, active: int) -> None:
    """At this pace, however long the answers take."""
    with httpx.Client(base_url=url, headers={"X-API-Key": KEY}) as client:
        begun = time.perf_counter()
        for first in count(0, AT_ONCE):
            _send(client, [_report("status", n % active) for n in range(first, first + AT_ONCE)])
            time.sleep(max(0, begun + first / per_second - time.perf_counter()))


def _report(kind: str, number: int) -> dict[str, object]:
    """One report of the load."""
    said = {"progress": time.time_ns() // 10**8 % 100, "message": f"step {time.time_ns()}"}
    return {
        **{"kind": kind, "project": PROJECT, "task_id": f"task {number}", "task": f"Job {number}"},
        **{"agent": f"agent {number % 12}", **(said if kind == "status" else {})},
    }


def _send(client: httpx.Client, reports: list[dict[str, object]]) -> None:
    answer = client.post("/webhook/batch", json={"reports": reports})
    answer.raise_for_status()
    assert all(one["status"] < 300 for one in answer.json()["results"]), answer.text


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
