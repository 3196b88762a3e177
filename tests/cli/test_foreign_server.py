"""Every command that speaks to a server, against something else that answers at its address."""

from __future__ import annotations

import itertools
import json
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_task_tracker import bounded, shapes
from agent_task_tracker.client import Client
from agent_task_tracker.errors import ClientError, TooLarge
from tests.support.cli import Done, run_here
from tests.support.foreign import (
    ALL_UNSAFE,
    SAMPLE,
    Answer,
    as_json,
    listening,
    ok,
    unsafe_characters,
)
from tests.support.server import KEY

NAMES = ("--project", "p", "--task", "t")
COMMANDS = (
    *(("ls",), ("ls", "p"), ("ls", "--json"), ("show", "p", "t"), ("show", "p", "t", "--json")),
    *(("stats",), ("stats", "p"), ("stats", "--json"), ("tail",), ("tail", "--json")),
    *(("tail", "-f"), ("tail", "-n", "0", "-f", "--json")),
    *(("report",), ("report", "--format", "junit"), ("report", "--format", "json")),
    *(("start", *NAMES), ("status", *NAMES), ("finish", *NAMES), ("start", *NAMES, "--json")),
    ("error", *NAMES, "--message", "m"),
    ("demo", "--seconds", "1"),
    *(("key", "list"), ("key", "list", "--json"), ("key", "create", "ci", "--role", "report")),
    *(("key", "rotate", "ci", "--json"), ("audit",), ("audit", "--json")),
    ("wait", "--ready", "--timeout", "0"),
    ("wait", "--all-finished", "--timeout", "0"),
    ("wait", "--all-finished", "--project", "p", "--timeout", "0"),
    *(("doctor",), ("doctor", "--json"), ("rm", "p", "--yes"), ("rm", "p", "t", "--yes")),
)
named = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)

# In place of what may be an answer, a value in it, or a value in that.
ODD = [
    *(
        None,
        True,
        0,
        -1,
        2**63,
        10**400,
        1.5,
        1e300,
        "",
        "x",
        SAMPLE,
        [],
        [[]],
        {},
        [None],
        {"a": 1},
    ),
    *({"error": []}, {"total": "1"}, {"total": 10**400, "projects": [{}], "tasks": [{}]}),
    {"events": [{}], "last_id": 1, "has_more": True},
    {"events": [], "last_id": "x", "has_more": 1},
    {"overview": [], "performance": None, "agents": {}},
]


def run(command: tuple[str, ...], url: str, home: Path) -> Done:
    """Run a command against what listens at `url`: never a traceback, nothing that is obeyed."""
    done = run_here(*command, "--url", url, home=home, API_KEY=KEY)
    assert unsafe_characters(done.stdout) <= {"\t"}  # of traces
    assert unsafe_characters(done.stderr) == set()
    return done


def turned_away(done: Done, command: tuple[str, ...]) -> None:
    """One clear line and exit code 1; `doctor` tells what it found in its own way."""
    if command[0] == "doctor":
        assert done.code == 69
        return
    assert (done.code, done.stderr.count("\n")) == (1, 1), done
    assert "what answers there is no tracker; check the address" in done.stderr


@named
def test_odd_json(command: tuple[str, ...], tmp_path: Path) -> None:
    for odd in ODD:
        with listening(lambda _method, _target, odd=odd: as_json(odd)) as url:
            turned_away(run(command, url, tmp_path), command)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"\x1b[2J", b"\xff\xfe\x00", b"{", b'{"a": NaN}', b"[" * 100_000),
        *(b'{"progress": 1e999}', b'{"a": ' + b"1" * 5_000 + b"}", b"\x00" * 100, b"null\n"),
    ],
    ids=range(11),
)
@named
def test_what_is_no_json(command: tuple[str, ...], body: bytes, tmp_path: Path) -> None:
    with listening(lambda _method, _target: ok(body)) as url:
        turned_away(run(command, url, tmp_path), command)


TIME = "2026-01-01T00:00:00.000Z"
ANSWERS = {
    "/health": shapes.HEALTH,
    "/api/projects": shapes.PROJECTS,
    "/api/projects/p": shapes.PROJECT,
    "/api/projects/p/tasks": shapes.TASKS,
    "/api/tasks": shapes.ALL_TASKS,
    "/api/stats": shapes.STATS,
    "/api/stats/projects/p": shapes.PROJECT_STATS,
    "/api/events": shapes.EVENTS,
    "/webhook": {**shapes.REPORTED, **shapes.BATCH},
    "/api/keys": {**shapes.NEW_KEY, **shapes.KEYS},  # POST's and GET's
    "/api/keys/ci/rotate": shapes.NEW_KEY,
    "/api/audit": shapes.AUDIT,
    "task": shapes.TASK,
}


def pretending(content: dict[str, Any]) -> Callable[[str, str], Answer]:
    """A server with these answers by their paths. Its stream has the events, and ends
    with what is none."""

    def answer(_method: str, target: str) -> Answer:
        path = urlsplit(target).path
        if path == "/api/events/stream":
            events = content["/api/events"]
            messages = events.get("events") if isinstance(events, dict) else events
            lines = [*(messages if isinstance(messages, list) else []), []]
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            return head + b"".join(b"data: %b\n\n" % json.dumps(line).encode() for line in lines)
        name = re.sub("^/webhook/.*", "/webhook", re.sub("(?<=projects/)[^/]+", "p", path))
        return as_json(content[name if name in content else "task"])

    return answer


def filled(shape: shapes.Shape, text: str) -> Any:
    """An answer of this shape in which all that may be text is `text`."""
    if isinstance(shape, dict):
        fields = {name.removesuffix("?"): filled(inner, text) for name, inner in shape.items()}
        return {**fields, "message": text, "result": text, text: text}
    if isinstance(shape, list):
        item = filled(shape[0], text)
        return [{**item, "status": status} for status in (text, "running", "completed", "failed")]
    candidates: tuple[Any, ...] = (text, 1, TIME, False, {text: [text]}, [text])
    fitting = [value for value in candidates if shape(value)]
    return fitting[0] if fitting else filled(shapes.USAGE, text)


@pytest.mark.parametrize(
    "text", [SAMPLE, ALL_UNSAFE, "\ud800\udfff\0", "a\u200d" * 50], ids=range(4)
)
@named
def test_texts_are_not_obeyed(command: tuple[str, ...], text: str, tmp_path: Path) -> None:
    content = {name: filled(shape, text) for name, shape in ANSWERS.items()}
    error = {"error_type": text, "error_message": text}
    for event in (*content["/api/events"]["events"], *content["task"]["events"]):
        event["data"] |= error
    with listening(pretending(content)) as url:
        done = run(command, url, tmp_path)
    assert done.code in ((69, 1) if command[0] == "doctor" or "-f" in command else (0, 75, 1))
    assert "no tracker" not in done.stderr or "-f" in command


junk = st.sampled_from(ODD) | st.floats() | st.integers() | st.text()


def answers(shape: shapes.Shape) -> st.SearchStrategy[Any]:
    """Answers that have the shape, or nearly."""
    if isinstance(shape, dict):
        inner = {name: answers(inner) for name, inner in shape.items()}
        needed = {name: value for name, value in inner.items() if not name.endswith("?")}
        rest = {name[:-1]: value for name, value in inner.items() if name.endswith("?")}
        good = st.fixed_dictionaries(needed, optional=rest)
    elif isinstance(shape, list):
        good = st.lists(answers(shape[0]), max_size=2)
    else:
        texts = st.text(max_size=8) | st.sampled_from([SAMPLE, "running", "failed", "completed"])
        kinds: list[tuple[Any, st.SearchStrategy[Any]]] = [
            *((SAMPLE, texts), ([SAMPLE], st.lists(texts, max_size=2))),
            *((1, st.integers(0, 2**62)), (0.5, st.floats(0, 2**62))),
            *((value, st.just(value)) for value in (None, TIME, True, {})),
        ]
        # Of kinds that fit only: of others nearly all answers would be thrown away.
        good = st.one_of([kind for sample, kind in kinds if shape(sample)]).filter(shape)
    return st.integers(0, 40).flatmap(lambda chance: good if chance else junk)


@settings(deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
@given(content=st.fixed_dictionaries({name: answers(shape) for name, shape in ANSWERS.items()}))
@named
def test_any_answers(
    command: tuple[str, ...], content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with listening(pretending(content)) as url:
        done = run(command, url, tmp_path_factory.getbasetemp())
    assert "Traceback" not in done.stderr


# Answers that do not end.

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "a body": (HEAD + b"\r\n", b"x" * 65_536),
    "a body of spaces": (HEAD + b"Content-Length: 99999999999999999\r\n\r\n", b" " * 65_536),
    "a body of chunks": (CHUNKED, b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "a chunk": (CHUNKED + b"FFFFFFFFFFFFFFF\r\n", b" " * 65_536),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: %b\r\n" % (b"b" * 60_000)),
    "an error": (b"HTTP/1.1 500 No\r\n\r\n", b" " * 65_536),
}


def endless(begin: bytes, again: bytes) -> Iterator[bytes]:
    yield begin
    yield from itertools.repeat(again)


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_does_not_end_is_given_up(kind: str) -> None:
    with listening(lambda _method, _target: endless(*ENDLESS[kind])) as url:
        client = Client(url, KEY, timeout=5, patience=0)
        tracemalloc.start()
        try:
            with pytest.raises(ClientError):
                client.health()
            with pytest.raises(ClientError):
                next(client.tasks("p"))
            assert tracemalloc.get_traced_memory()[1] < 4 * bounded.MAX_BYTES
        finally:
            tracemalloc.stop()


def test_pages_that_promise_more_than_they_hold_are_given_up() -> None:
    task = filled(shapes.TASKS, SAMPLE)["tasks"][0]
    with listening(lambda _method, _target: as_json({"tasks": [task], "total": 2**62})) as url:
        tasks = list(Client(url, KEY, timeout=5, patience=0).tasks("p"))
    assert [found["task_id"] for found in tasks] == [SAMPLE]


@pytest.mark.parametrize("kind", ["interim answers", "a body", "a chunk"])
def test_a_stream_of_one_line_is_given_up(kind: str) -> None:
    with (
        listening(lambda _method, _target: endless(*ENDLESS[kind])) as url,
        pytest.raises(ClientError),
    ):
        next(Client(url, KEY, timeout=5, patience=0).follow(0))


def test_what_comes_too_slowly_is_given_up() -> None:
    """A byte at a time keeps every single wait short."""

    def drip(_method: str, _target: str) -> Iterator[bytes]:
        yield HEAD + b"\r\n"
        while True:
            time.sleep(0.05)  # its pace
            yield b" "

    with listening(drip) as url, pytest.raises(ClientError, match="does not end"):
        Client(url, KEY, timeout=0.2, patience=0).health()


@pytest.mark.parametrize(
    "answer",
    [
        *(
            b"",
            b"\n",
            b"\xff\xfe",
            b"SSH-2.0-x\r\n",
            b"HTTP/1.1 200\r\n\r\n",
            b"HTTP/9.9 x y\r\n\r\n",
        ),
        *(HEAD + b"Content-Length: -5\r\n\r\n{}", HEAD + b"Content-Length: 9\r\n\r\n{}"),
        *(CHUNKED + b"zz\r\n", CHUNKED + b"-5\r\n{}", CHUNKED + b"-1\r\n{}"),
        *(HEAD + b"a: " + b"b" * 70_000, HEAD + b"a: b\r\n" * 200, HEAD + b"\x1b: \x07\r\n\r\n{"),
        b"HTTP/1.1 302 Found\r\nLocation: http://\x1b[2J/\r\n\r\n",
        b"HTTP/1.1 500 \x1b[2J\x9b\r\n\r\n",
        b"HTTP/1.1 429 Slow\r\nRetry-After: " + b"9" * 400 + b"\r\n\r\n",
        b'HTTP/1.1 400 No\r\n\r\n{"error": {"code": [], "message": {"\\u202e": 1}, "details": 3}}',
        b'HTTP/1.1 400 No\r\n\r\n{"error": {"code": "x", "message": "'
        + b"\\u001b" * 9_999
        + b'"}}',
        b"HTTP/1.1 400 No\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 101 Switching\r\n\r\n{}",
    ],
    ids=range(21),
)
def test_odd_http(answer: bytes, tmp_path: Path) -> None:
    with listening(lambda _method, _target: answer) as url:
        for command in (
            ("ls",),
            ("wait", "--ready", "--timeout", "0"),
            ("doctor",),
        ):
            done = run(command, url, tmp_path)
            assert done.code in (1, 69, 75), done
            assert len(done.stderr) < 20_000
            assert done.stderr.count("\n") == (command[0] != "doctor"), done


def test_pages_that_never_end() -> None:
    """Empty ones, and ones that lead nowhere."""
    tasks = {"tasks": [], "total": 2**62}
    events = {"events": [], "last_id": 5, "has_more": True}
    events |= {"oldest_id": 1, "resync_required": False}
    content = {"/api/projects/p/tasks": tasks, "/api/events": events}
    with listening(pretending(content)) as url:
        client = Client(url, KEY, patience=0)
        assert list(client.tasks("p")) == []
        assert list(client.events(5)) == []


def test_large_pages_are_asked_for_in_parts() -> None:
    """An honest server whose 500 tasks are more than an answer may be."""
    result = "x" * (bounded.MAX_BYTES // 100)

    def answer(_method: str, target: str) -> Answer:
        query = dict(part.split("=") for part in urlsplit(target).query.split("&"))
        ids = range(300)[int(query["offset"]) :][: int(query["limit"])]
        task = filled(shapes.TASKS, "t")["tasks"][0]
        return as_json(
            {"tasks": [{**task, "task_id": str(n), "result": result} for n in ids], "total": 300}
        )

    with listening(answer) as url:
        found = [task["task_id"] for task in Client(url, KEY).tasks("p")]
    assert found == [str(number) for number in range(300)]


def test_one_answer_that_is_too_large() -> None:
    task = {**filled(shapes.TASK, "t"), "result": "x" * bounded.MAX_BYTES}
    with listening(lambda _method, _target: as_json(task)) as url:
        with pytest.raises(TooLarge) as refused:
            Client(url, KEY, patience=0).task("p", "t")
        assert str(refused.value).startswith(f"{url}: ")


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost:99999", "http://localhost:x", "http://[::1", "http://a b", "http://"),
        *("http://x\x1b[2J", "http://x\r\ny: z", "http://\u202ex", "x", "", "http://\xe9..x"),
        *(
            "file:///etc/passwd",
            "http://localhost:0",
            "http://localhost:-1",
            "http://" + "a" * 70 + ".b",
        ),
    ],
)
@pytest.mark.parametrize(
    "command", [("ls",), ("doctor",), ("tail",), ("wait", "--ready", "--timeout", "0")]
)
def test_addresses_that_cannot_be_one(command: tuple[str, ...], url: str, tmp_path: Path) -> None:
    for key in ({"API_KEY": KEY}, {}):
        done = run_here(*command, "--url", url, home=tmp_path, **key)
        assert done.code in (1, 69, 75), done
        assert unsafe_characters(done.stdout + done.stderr) == set()
        assert "Traceback" not in done.stderr
