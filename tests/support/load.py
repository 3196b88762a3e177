"""Publishers that record what was acknowledged, and a check that nothing of it is missing."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import apsw

from tests.support.server import KEY
from tracker.store.sqlite.admin.counter_check import recount

KINDS = ("start", "status", "status", "status", "finish", "error")


# Reports per publisher after which all continue with new tasks.
ROUND = 100


class Ack(NamedTuple):
    """One report that was answered with a 2xx. `marker` is in the event that it became."""

    event_id: int
    marker: str
    project: str
    seconds: float  # from sending it to its answer


class Publisher(threading.Thread):
    """One connection that reports as fast as it is answered, whatever happens to the server;
    with a `pause`, it waits so many seconds after each answer."""

    def __init__(
        self, name: str, url: Callable[[], str | None], seed: int, pause: float = 0
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.acks: list[Ack] = []
        self.refused = 0  # answered 503: not recorded
        self.surprises: list[str] = []  # any other answer
        self._url = url
        self._random = random.Random(seed)
        self._pause = pause
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Send no more after the present report."""
        self._stopped.set()

    def run(self) -> None:
        numbers = itertools.count()
        while not self._stopped.is_set():
            url = self._url()
            if url is None:  # no server at the moment
                self._stopped.wait(0.01)
                continue
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
            try:
                while not self._stopped.is_set():
                    self._report(connection, next(numbers))
                    if self._pause:
                        self._stopped.wait(self._pause)
            except (OSError, http.client.HTTPException):
                self._stopped.wait(0.01)  # killed or restarted: what was in flight may be lost
            finally:
                connection.close()

    def _report(self, connection: http.client.HTTPConnection, number: int) -> None:
        marker = f"{self.name} {number}"
        kind = self._random.choice(KINDS)
        task = self._random.randrange(50)
        body = {
            "project": f"project {task % 3}",
            "task": "Title",
            "task_id": f"task {task} of {number // ROUND}",
            "agent": f"agent {self._random.randrange(4)}",
            "metadata": {"marker": marker},
            **({"error_type": "E", "error_message": "failed"} if kind == "error" else {}),
        }
        headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
        started = time.monotonic()
        connection.request("POST", f"/webhook/{kind}", json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status in (200, 201):
            took = time.monotonic() - started
            number = json.loads(content)["event_id"]
            self.acks.append(Ack(number, marker, str(body["project"]), took))
        elif answer.status == 503:
            self.refused += 1
        else:
            self.surprises.append(f"{answer.status} {content[:200]!r}")


class Load:
    """Several publishers on a server that may come and go: set `url` to where it is now."""

    def __init__(
        self, publishers: int, url: str | None = None, seed: int = 0, pause: float = 0
    ) -> None:
        self.url = url
        self.publishers = [
            Publisher(f"publisher {seed}.{number}", lambda: self.url, seed * 1000 + number, pause)
            for number in range(publishers)
        ]

    def start(self) -> None:
        """Begin to report."""
        for publisher in self.publishers:
            publisher.start()

    def stop(self) -> None:
        """Let every publisher finish its report."""
        for publisher in self.publishers:
            publisher.stop()
        for publisher in self.publishers:
            publisher.join(30)
            assert not publisher.is_alive(), f"{publisher.name} hangs"

    @property
    def acks(self) -> list[Ack]:
        """Everything that was acknowledged so far."""
        return [ack for publisher in self.publishers for ack in list(publisher.acks)]

    @property
    def count(self) -> int:
        """How many reports were acknowledged so far."""
        return sum(len(publisher.acks) for publisher in self.publishers)

    @property
    def surprises(self) -> list[str]:
        """Answers that are neither a 2xx nor 503."""
        return [text for publisher in self.publishers for text in publisher.surprises]


@dataclass
class Findings:
    """What is wrong with a database; all empty: nothing."""

    missing: list[Ack]
    repeated: list[int]
    out_of_order: list[str]
    miscounted: list[str]
    integrity: list[str]

    @property
    def losses(self) -> list[str]:
        """One line for each thing that is wrong."""
        return [
            *(f"acknowledged but missing: {ack}" for ack in self.missing),
            *(f"number given twice: {number}" for number in self.repeated),
            *self.out_of_order,
            *(f"miscounted: {text}" for text in self.miscounted),
            *(f"integrity: {text}" for text in self.integrity),
        ]


def examine(
    database: Path, load: Load, *, pruned_upto: int = 0, marker: str = "$.metadata.marker"
) -> Findings:
    """Compare the database with what was acknowledged. Events up to `pruned_upto` may be gone."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(10_000)
    try:
        with connection:
            recorded = dict(connection.execute("SELECT id, data ->> ? FROM events", (marker,)))
            miscounted = [str(mismatch) for mismatch in recount(connection)]
            integrity = problems(connection)
    finally:
        connection.close()
    acks = load.acks
    return Findings(
        missing=[
            ack
            for ack in acks
            if recorded.get(ack.event_id) != ack.marker
            and not (ack.event_id <= pruned_upto and ack.event_id not in recorded)
        ],
        repeated=_repeated(ack.event_id for ack in acks),
        out_of_order=[
            f"{publisher.name}: the number {later.event_id} came after {earlier.event_id}"
            for publisher in load.publishers
            for earlier, later in itertools.pairwise(publisher.acks)
            if later.event_id <= earlier.event_id
        ],
        miscounted=miscounted,
        integrity=integrity,
    )


def problems(connection: apsw.Connection) -> list[str]:
    """What SQLite itself finds wrong."""
    found = [text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
    return found + [f"no parent: {row}" for row in connection.execute("PRAGMA foreign_key_check")]


def _repeated(numbers: Iterable[int]) -> list[int]:
    seen: set[int] = set()
    return [number for number in numbers if number in seen or seen.add(number)]  # type: ignore[func-returns-value]
