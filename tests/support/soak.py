"""A soak test: load, kills, subscribers, broken clients, backups and pruning at once, after the
tests that are marked `soak`. Prints a report, and exits with 1 if anything failed or was lost.
Started by scripts/soak.py."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import apsw

from tests.support.cli import run
from tests.support.load import Load, examine
from tests.support.raw import PING, TEXT, connect, exchange, frame, open_websocket, request, webhook
from tests.support.server import Server, wait_for
from tests.support.subscribers import Crowd, Subscriber, never_reading

PUBLISHERS = 8
PAUSE = 0.01  # seconds between two reports of one publisher: readers have to keep up
STEADY, RECONNECTING, NEVER_READING = 100, 50, 50
PROJECTS = (None, "project 0", "project 1", "project 2")
# What is older is pruned, by command and by every other server. Subscribers that are further behind
# begin afresh.
KEPT_SECONDS = 30
TURNS = 5
FLAGS = ("--ws-per-project", "0")
RETENTION = ("--retain-days", f"{KEPT_SECONDS / 86_400:.6f}")


class Soak:
    """One run, in a folder of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.database = folder / "tracker.db"
        self.chance = random.Random(seed)
        self.load = Load(PUBLISHERS, seed=seed, pause=PAUSE)
        self.crowd = Crowd([
            Subscriber(PROJECTS[n % 4], random.Random(n) if n >= STEADY else None)
            for n in range(STEADY + RECONNECTING)
        ])  # fmt: skip
        self.server: Server | None = None
        self.counts: Counter[str] = Counter()
        self.losses: list[str] = []
        self.largest = 0  # resident bytes of any server
        self.stopped = threading.Event()

    def run(self, seconds: float) -> None:
        """Run many servers after each other, then check what is left."""
        end = time.monotonic() + seconds
        self.load.start()
        self.crowd.start()
        helpers = [
            threading.Thread(target=self._repeat, args=(work, pause), daemon=True)
            for work, pause in ((self._misbehave, 0.05), (self._back_up, 5.0), (self._prune, 3.0))
        ]
        for helper in helpers:
            helper.start()
        try:
            while time.monotonic() < end:
                self._run_server(min(self.chance.uniform(2, 12), max(1.0, end - time.monotonic())))
        finally:
            self.stopped.set()
            for helper in helpers:
                helper.join(60)
            self.load.stop()
        self._settle()

    def _run_server(self, seconds: float) -> None:
        retention = RETENTION if self.chance.random() < 0.5 else ()
        server = Server.start(self.folder, *FLAGS, *retention)
        kill = self.chance.random() < 0.8
        try:
            with never_reading(server, NEVER_READING):
                self.load.url = self.crowd.url = server.url
                self.server = server
                time.sleep(seconds)
                self.largest = max(self.largest, server.memory)
        finally:
            self.server = self.load.url = self.crowd.url = None
            ended = server.stop(signal.SIGKILL if kill else signal.SIGTERM, 30)
        self.counts["kills" if kill else "stops"] += 1
        if not kill and ended != 0:
            self.losses.append(f"a server that was told to stop ended with {ended}")

    def _settle(self) -> None:
        """Have every reader read to the end; compare what all of them have."""
        server = Server.start(self.folder, *FLAGS)
        for subscriber in self.crowd.subscribers:
            subscriber.settle()
        self.crowd.url = server.url
        ids, pruned = log(self.database)
        try:
            with suppress(AssertionError):  # subscribers that are behind are found below
                wait_for(lambda: not self.crowd.behind(ids), 120, "the end of the log")
        finally:
            self.crowd.stop()
            ended = server.stop(seconds=30)
        if ended != 0:
            self.losses.append(f"the last server ended with {ended}")
        if "Traceback" in server.log:
            self.losses.append(f"in the log: {server.log.split('Traceback', 1)[1][-3000:]}")
        self.losses += self.load.surprises
        self.losses += examine(self.database, self.load, pruned_upto=pruned).losses
        for subscriber in self.crowd.subscribers:
            self.losses += self._missed(subscriber, ids[subscriber.project], pruned)

    def _missed(self, subscriber: Subscriber, log: list[int], pruned: int) -> Iterator[str]:
        """Losses: of the log each event, and no other; of what was pruned, all that was
        acknowledged."""
        got = subscriber.ids
        name = f"a subscriber of {subscriber.project or 'everything'}"
        if any(later <= earlier for earlier, later in itertools.pairwise(got)):
            yield f"{name} was sent events twice or out of order"
        have = set(got)
        acknowledged = (
            ack.event_id for ack in self.load.acks if subscriber.project in (None, ack.project)
        )
        # One that has begun afresh has only what is left of the log.
        wanted = log if subscriber.resyncs else acknowledged
        lost = [id_ for id_ in wanted if id_ not in have]
        if lost:
            yield f"{name} missed {len(lost)} events, {lost[0]} the first"
        if [id_ for id_ in got if id_ > pruned] != [id_ for id_ in log if id_ > pruned]:
            yield f"{name} was not sent exactly what the log holds"
        if subscriber.surprises:
            yield f"{name} was sent {subscriber.surprises[0]}"

    def _repeat(self, work: Callable[[Server], None], pause: float) -> None:
        while not self.stopped.wait(pause):
            server = self.server
            if server is not None:
                with suppress(OSError, AssertionError, EOFError):  # it may be killed meanwhile
                    work(server)

    def _back_up(self, _server: Server) -> None:
        done = run(
            *("backup", "copy.db", "--force", "--json", "--db", str(self.database)),
            home=self.folder,
        )
        self.counts["backups"] += 1
        if done.returncode != 0:
            self.losses.append(f"a backup failed: {done.stderr.decode()}")

    def _prune(self, _server: Server) -> None:
        done = run(
            *("prune", "--older-than", f"{KEPT_SECONDS}s", "--json", "--db", str(self.database)),
            home=self.folder,
        )
        if done.returncode != 0:
            self.losses.append(f"pruning failed: {done.stderr.decode()}")
            return
        self.counts["rounds of pruning"] += 1
        self.counts["tasks pruned"] += json.loads(done.stdout)["tasks"]

    def _misbehave(self, server: Server) -> None:
        self.counts["broken clients"] += 1
        match self.chance.randrange(8):
            case 0:
                self.chance.choice(self._abandon(server)).sendall(b"POST /webhook/st")
            case 1:
                exchange(server, self.chance.randbytes(300))
            case 2:
                exchange(server, b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
            case 3:
                exchange(server, webhook("start", b" " * 1_100_000))
            case 4:
                exchange(server, webhook("start", b"[" * 200_000))
            case 5:
                with closing(open_websocket(server)) as socket:
                    socket.sendall(frame(TEXT, b"x" * 70_000))
            case 6:
                with closing(open_websocket(server)) as socket:
                    socket.sendall(frame(PING, b"x" * 125) * 500)
            case _:
                exchange(server, request("GET", "/api/projects/%00/tasks?limit=%FF&q=%22"))

    def _abandon(self, server: Server) -> list[object]:
        """A connection that is left half-open."""
        return [connect(server)]


def log(database: Path) -> tuple[dict[str | None, list[int]], int]:
    """The ids in the log, of each project and (None) of all; up to which id some are pruned."""
    ids: dict[str | None, list[int]] = {project: [] for project in PROJECTS}
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        for id_, project in connection.execute(
            "SELECT id, data ->> 'project' FROM events ORDER BY id"
        ):
            ids[None].append(id_)
            ids[project].append(id_)
        return ids, int(connection.execute("SELECT pruned FROM marks").get)


def p99(folder: Path, seconds: float) -> tuple[float, float]:
    """The 99th percentile of a publisher's latency in milliseconds: alone, and beside subscribers
    that do not read. Medians of alternating turns, since the machine's other load changes."""
    server = Server.start(folder, *FLAGS)
    for number in range(200):  # more than the machine buffers for one that does not read
        server.report("start", "long", f"task {number}", metadata={"text": "x" * 100_000})
    found: dict[int, list[float]] = {0: [], NEVER_READING: []}
    try:
        for turn in range(TURNS):
            for stalled, percentiles in found.items():
                load = Load(PUBLISHERS, server.url, seed=turn, pause=0.002)
                with never_reading(server, stalled):
                    wait_for(lambda: nothing_is_sent(server), 60, "all of them stalled")
                    load.start()
                    time.sleep(seconds / TURNS / 2)
                    load.stop()
                waits = sorted(ack.seconds for ack in load.acks)
                percentiles.append(1000 * waits[len(waits) * 99 // 100])
    finally:
        server.stop(seconds=30)
    return statistics.median(found[0]), statistics.median(found[NEVER_READING])


def nothing_is_sent(server: Server) -> bool:
    """Whether no subscriber takes anything for a while."""

    def sent() -> int:
        return int(server.http.get("/api/websocket/stats").json()["messages_sent"])

    before = sent()
    time.sleep(0.5)
    return sent() == before


def main() -> int:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(prog="soak.py", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="default: 10")
    parser.add_argument("--seed", type=int, default=None, help="of what happens by chance")
    arguments = parser.parse_args()
    os.environ["TRACKER_TEST_EXEC"] = "1"  # servers as users start them
    marked = subprocess.run([sys.executable, "-m", "pytest", "-m", "soak"], check=False)
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)
    seconds = arguments.minutes * 60
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        alone, beside = p99(folder / "waits", seconds * 0.1)
        soak = Soak(folder / "soak", seed)
        soak.run(seconds * 0.9)
        size = soak.database.stat().st_size
    load, crowd = soak.load, soak.crowd
    lines = {
        "seed": seed,
        "reports acknowledged": load.count,
        "reports refused with 503": sum(publisher.refused for publisher in load.publishers),
        **soak.counts,
        "subscribers who read": len(crowd.subscribers),
        "connections they made": sum(one.connections for one in crowd.subscribers),
        "times they began afresh": sum(one.resyncs for one in crowd.subscribers),
        "events they were sent": sum(len(one.ids) for one in crowd.subscribers),
        "subscribers who never read": NEVER_READING,
        "largest server, MiB": soak.largest // 2**20,
        "database in the end, KiB": size // 1024,
        "p99 of a report, ms": f"{alone:.1f} alone, {beside:.1f} beside {NEVER_READING} stalled",
        "lost or wrong": len(soak.losses),
    }
    for name, value in lines.items():
        print(f"{name:<28} {value}")
    for loss in soak.losses[:50]:
        print(f"  {loss}")
    return 1 if soak.losses or marked.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
