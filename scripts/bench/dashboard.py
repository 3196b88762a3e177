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
from typing import NamedTuple

import _history
import _venv  # noqa: F401 - goes on in .venv
import httpx
import test
from _environment import run_script
from _load import KEY
from _machine import cores, pinned, workspace
from _report import Report, Table, Target, progress, run, spread
from _servers import Server, tracker
from playwright.sync_api import Browser, BrowserContext

from tests.support.browser import launch

PROJECT = "busy"
VIEWS = {
    "Now": "/",
    "Timeline": "/timeline",
    "Board": f"/projects/{PROJECT}/board",
    "Events": "/events",
}
EMPTY = "an empty page"
# Reports that the load sends together, as our own clients do.
AT_ONCE = 20
MOST_PAINT_MS = 180
LEAST_FRAMES = 0.85
MOST_MAIN_THREAD = 0.5

COUNT_FRAMES = """seconds => new Promise((done) => {
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000, help="in the database")
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement")
    parser.add_argument("--seconds", type=float, default=4, help="that frames are counted for")
    parser.add_argument("--events", type=int, default=1000, help="a second")
    parser.add_argument("--active", type=int, default=200, help="tasks under way")
    return parser


def measure(options: argparse.Namespace) -> Report:
    """First paints, then frames; views and the empty page take turns."""
    report = Report()
    environment = test.Environment()
    chromium = test.provide_chromium(environment)
    with workspace() as folder:
        progress(f"writing {options.tasks:,} tasks")
        _history.build(folder / "tracker.db", options.tasks)
        core = cores()
        with tracker(folder, core.server, "--api-key", KEY) as server, pinned(core.load):
            server.settle()
            with launch(chromium) as browser:
                context = signed_in(browser, server)
                _report_paints(report, options, context, server)
                _report_frames(report, options, context, server)
    return report


def signed_in(browser: Browser, server: Server) -> BrowserContext:
    """A browser whose user has signed in, as everybody's is after the first time."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, service_workers="block")
    page = context.new_page()
    page.goto(f"{server.url}/#key={KEY}")
    page.locator(".state[data-state=live]").wait_for()
    page.close()
    return context


def first_paint(context: BrowserContext, server: Server) -> float:
    """Milliseconds from the navigation to what Now shows first."""
    page = context.new_page()
    page.goto(f"{server.url}/")
    page.locator("main h2").first.wait_for()
    shown = "performance.getEntriesByName('shown')[0]?.startTime ?? 0"
    while not (painted := float(page.evaluate(shown))):
        page.wait_for_timeout(10)
    page.close()
    return painted


def _report_paints(
    report: Report, options: argparse.Namespace, context: BrowserContext, server: Server
) -> None:
    paints = []
    for number in range(options.rounds + 1):
        progress(f"first paint {number} of {options.rounds}")
        paints.append(first_paint(context, server))
    cached = paints[1:]  # the first fills the browser's cache
    table = Table("", ("First paint of Now", "ms"))
    table.rows.append((f"{options.tasks:,} tasks", spread(cached)))
    report.tables.append(table)
    report.targets.append(
        Target("first paint, ms", statistics.median(cached), MOST_PAINT_MS, at_least=False)
    )
    report.measured.append({"paints": paints})


def _report_frames(
    report: Report, options: argparse.Namespace, context: BrowserContext, server: Server
) -> None:
    begin_tasks(server, options.active)
    found: dict[str, list[Frames]] = {name: [] for name in (EMPTY, *VIEWS)}
    with load(server, options.events, options.active):
        for number in range(options.rounds):
            progress(f"frames {number + 1} of {options.rounds}")
            for name, rounds in found.items():
                rounds.append(frames(context, server, VIEWS.get(name), options.seconds))
    table = Table(
        "", (f"{options.events:,} events/s", "frames/s", "of the empty page", "main thread")
    )
    floor = statistics.median(each.rate for each in found[EMPTY])
    for name, rounds in found.items():
        rate = statistics.median(each.rate for each in rounds)
        busy = statistics.median(each.busy for each in rounds)
        table.rows.append((name, f"{rate:.1f}", f"{rate / floor:.2f}", f"{busy:.0%}"))
        if name != EMPTY:
            report.targets.append(Target(f"{name}: frames", rate / floor, LEAST_FRAMES))
            report.targets.append(
                Target(f"{name}: main thread", busy, MOST_MAIN_THREAD, at_least=False)
            )
        report.measured.append({"view": name, "frames": [each._asdict() for each in rounds]})
    report.tables.append(table)


def frames(context: BrowserContext, server: Server, path: str | None, seconds: float) -> Frames:
    """Of a page that is the only one; without a path: an empty one."""
    page = context.new_page()
    if path is not None:
        page.goto(server.url + path)
        page.locator(".state[data-state=live]").wait_for()
        page.wait_for_timeout(1000)
    session = context.new_cdp_session(page)
    session.send("Performance.enable")

    def at_work() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")

    before, begun = at_work(), time.perf_counter()
    rate = page.evaluate(COUNT_FRAMES, seconds)
    busy = (at_work() - before) / (time.perf_counter() - begun)
    page.close()
    return Frames(rate, busy)


def begin_tasks(server: Server, active: int) -> None:
    """The tasks that the load goes on to tell about."""
    reports = [_report("start", number) for number in range(active)]
    _send(httpx.Client(base_url=server.url, headers={"X-API-Key": KEY}), reports)


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
