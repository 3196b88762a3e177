"""`tracker version --check`: whom it asks, what it makes of answers; without it nobody is asked."""

from __future__ import annotations

import json
import socket
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import tracker
from tests.support.cli import Done, run_here
from tests.support.markdown import ROOT
from tracker.cli import version

SECRET = "a-key-of-sixteen-characters"


class Releases(ThreadingHTTPServer):
    """A server of releases; `answer`: status, headers and body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/repos/o/n/releases/latest"


class Handler(BaseHTTPRequestHandler):
    server: Releases

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.path}\n{self.headers}")
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def releases() -> Iterator[Releases]:
    with Releases() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check(releases: Releases, home: Path, *options: str) -> Done:
    given = ("--check", "--from", releases.address, *options)
    return run_here("version", *given, home=home, API_KEY=SECRET)


def tagged(tag: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps({"tag_name": tag, "body": "\x1b[31m"}).encode()


@pytest.mark.parametrize(
    ("tag", "is_newest"),
    [
        (f"v{tracker.__version__}", True),
        ("v0.9.9", True),
        ("v0.10", True),
        (f"v{tracker.__version__}.0", True),
        (f"v{tracker.__version__}.1", False),
        ("v10.0.0", False),
    ],
)
def test_it_says_whether_there_is_a_newer_one(
    releases: Releases, tmp_path: Path, tag: str, is_newest: bool
) -> None:
    releases.answer = tagged(tag)
    said = check(releases, tmp_path)
    assert (said.code, said.stderr, said.stdout.count("\n")) == (0, "", 1)
    assert tracker.__version__ in said.stdout
    assert ("there is no newer release" in said.stdout) == is_newest
    assert (f"; {tag[1:]} is there" in said.stdout) == (not is_newest)
    told = json.loads(check(releases, tmp_path, "--json").stdout)
    assert told == {"version": tracker.__version__, "newest": tag[1:], "is_newest": is_newest}


def test_it_tells_nobody_who_asks(releases: Releases, tmp_path: Path) -> None:
    releases.answer = tagged("v1.0.0")
    releases.asked.clear()
    check(releases, tmp_path)
    (asked,) = releases.asked
    assert asked.startswith("/repos/o/n/releases/latest\n")
    for text in (SECRET, tracker.__version__, socket.gethostname() or "?"):
        assert text not in asked


LONG_LINE = b"x" * 70_000
TROUBLES = [
    ((404, {}, b""), 1, "there is no release yet"),
    ((403, {"X-RateLimit-Remaining": "0"}, b"{}"), 75, "asked too often"),
    ((429, {}, b""), 75, "asked too often"),
    ((403, {}, b""), 1, "answered 403 Forbidden"),
    ((502, {}, b"<html>"), 1, "answered 502 Bad Gateway"),
    ((301, {"Location": "https://other.example/\x1b[31m"}, b""), 1, r"https://other.example/\x1b"),
    ((200, {}, b""), 1, "tells of no release"),
    ((200, {}, b"<html>\xff"), 1, "tells of no release"),
    ((200, {}, b"[]"), 1, "tells of no release"),
    ((200, {}, b"null"), 1, "tells of no release"),
    ((200, {}, b"[" * 100_000), 1, "tells of no release"),
    ((200, {}, b"{}"), 1, "tells of no release"),
    (tagged(None), 1, "tells of no release"),
    (tagged(7), 1, "tells of no release"),
    (tagged("v1.0\n.0"), 1, "tells of no release"),
    (tagged("\x1b[31mv1.0.0"), 1, "tells of no release"),
    (tagged("v" + "9" * 5000 + ".0"), 1, "tells of no release"),
    (tagged("nightly"), 1, "tells of no release"),
    ((200, {"Content-Length": "999"}, b"{}"), 69, "no answer"),
    ((200, {"Content-Length": "99999999999"}, b""), 1, "tells of no release"),
    ((200, {"X": LONG_LINE.decode()}, b"{}"), 69, "no answer"),
]


@pytest.mark.parametrize(("answer", "code", "says"), TROUBLES)
def test_every_other_answer_is_one_line(
    releases: Releases, tmp_path: Path, answer: Any, code: int, says: str
) -> None:
    releases.answer = answer
    said = check(releases, tmp_path)
    assert (said.code, said.stdout, said.stderr.count("\n")) == (code, "", 1), said.stderr
    assert says in said.stderr
    assert said.stderr.startswith(f"tracker: {releases.address}: ")
    assert "\x1b" not in said.stderr


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("http://127.0.0.1:1/latest", 69, "no answer"),
        ("https://nowhere.invalid/latest", 69, "no answer"),
        ("nowhere", 1, "nowhere"),
    ],
)
def test_offline_is_one_line(tmp_path: Path, address: str, code: int, says: str) -> None:
    said = run_here("version", "--check", "--from", address, home=tmp_path)
    assert (said.code, said.stdout, said.stderr.count("\n")) == (code, "", 1)
    assert says in said.stderr


def test_without_check_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, releases: Releases
) -> None:
    releases.asked.clear()
    monkeypatch.setattr(version, "Address", None)
    said = run_here("version", "--from", releases.address, home=tmp_path)
    assert said == (0, f"tracker, version {tracker.__version__}\n", "")
    as_json = run_here("version", "--json", home=tmp_path).stdout
    assert json.loads(as_json) == {"version": tracker.__version__}
    assert releases.asked == []


def test_nothing_else_knows_the_address() -> None:
    knows = [
        str(path.relative_to(ROOT))
        for package in ("agent_task_tracker", "tracker")
        for path in (ROOT / package).rglob("*.py")
        if "github.com/repos" in (text := path.read_text("utf-8"))
        or "version import NEWEST" in text
    ]
    assert knows == ["tracker/cli/version.py"]


def test_the_repository_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["urls"]["Repository"] == f"https://github.com/{version.REPOSITORY}"
