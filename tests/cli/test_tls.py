"""HTTPS without a proxy: the server's handshakes and certificates, its clients' trust."""

from __future__ import annotations

import ssl
import time
import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from http.cookies import SimpleCookie

import httpx
import pytest

from tests.support import raw
from tests.support.certificates import Pair
from tests.support.event_loops import LOOPS
from tests.support.server import KEY, Server, wait_for
from tests.support.subscriber import (
    address,
    end,
    nothing_more,
    receive,
    subscribe,
    subscribe_by_tls,
)
from tests.support.timeouts import command_with_timeouts

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # how a handshake begins


def test_all_that_it_says_of_itself_is_https(https: Server) -> None:
    assert https.url.startswith("https://127.0.0.1:")
    assert f"Listening on {https.url}" in https.log
    assert https.report("start", "said").status_code == 201
    answer = httpx.post(
        f"{https.url}/api/session", headers={"X-API-Key": KEY}, verify=https.trust, trust_env=False
    )
    [cookie] = SimpleCookie(answer.headers["Set-Cookie"]).values()
    assert cookie["secure"] is True


@pytest.mark.parametrize("version", ["TLSv1_1", "TLSv1_2", "TLSv1_3"])
def test_older_versions_are_refused(https: Server, pairs: dict[str, Pair], version: str) -> None:
    context = pairs["EC"].trust
    context.set_ciphers("ALL:@SECLEVEL=0")  # else this client would not try the old one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with closing(raw.connect_plainly(https)) as connection:
        if version == "TLSv1_1":
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_hostname="localhost")
        else:
            with context.wrap_socket(connection, server_hostname="localhost") as tls:
                assert tls.version() == version.replace("_", ".")


def test_websockets(https: Server) -> None:
    assert https.ws_url.startswith("wss://")
    url = address(https, "wss")
    with subscribe_by_tls(https, url, origin=https.url) as subscriber:
        https.report("start", "wss")
        (message,) = receive(subscriber, 1)
        assert message["type"] == "task_started"
    with subscribe_by_tls(https, url, origin="https://x.example") as foreign:
        assert end(foreign).code == 3003
    with pytest.raises(ssl.SSLCertVerificationError):
        subscribe(url)


def test_a_session_of_its_own_page_opens_a_websocket(https: Server) -> None:
    answer = https.http.post("/api/session")
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    url = f"{https.ws_url}/ws"
    page = {"additional_headers": {"Cookie": cookie}}
    with subscribe_by_tls(https, url, origin=https.url, **page) as subscriber:
        assert nothing_more(subscriber)
    with subscribe_by_tls(https, url, origin="https://x.example", **page) as foreign:
        assert end(foreign).code == 3003


def test_server_sent_events(https: Server) -> None:
    with https.http.stream("GET", "/api/events/stream?project=sse") as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": connected"
        https.report("start", "sse")
        assert "event: task_started" in (next(lines), next(lines), next(lines))


@pytest.mark.parametrize(
    "sent",
    [
        raw.request("GET", "/health"),
        raw.webhook("start", b"{}") * 1000,
        b"\0",
        HELLO,
        HELLO[:1] + bytes(range(256)) * 300,
    ],
    ids=["HTTP", "much HTTP", "a byte", "half a hello", "rubbish"],
)
def test_what_is_no_handshake_ends_and_harms_nobody(
    start_server: Callable[..., Server], pairs: dict[str, Pair], sent: bytes
) -> None:
    server = start_server(*pairs["EC"].flags, command=command_with_timeouts(handshake=0.5))
    with closing(raw.connect_plainly(server)) as connection:
        connection.settimeout(10)
        with suppress(ConnectionError):
            connection.sendall(sent)
        assert b"HTTP/1.1" not in raw.read_all(connection)  # returns: it is closed
    assert server.http.get("/health").status_code == 200
    assert server.stop() == 0
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


@pytest.mark.parametrize("loop", LOOPS)
def test_a_websocket_whose_client_hangs_up_leaves_no_line(
    start_server: Callable[..., Server], pairs: dict[str, Pair], loop: str
) -> None:
    server = start_server(*pairs["EC"].flags, command=LOOPS[loop])
    for _ in range(3):
        with closing(raw.open_websocket(server)):
            assert server.report("start", "p").is_success
    wait_for(lambda: server.http.get("/api/websocket/stats").json()["total_connections"] == 0)
    assert server.stop() == 0
    assert "ERROR" not in server.log


def test_stopping_waits_for_no_handshake_and_no_idle_client(
    start_server: Callable[..., Server], pairs: dict[str, Pair]
) -> None:
    server = start_server(*pairs["EC"].flags)
    with closing(raw.connect_plainly(server)) as silent, closing(raw.connect(server)) as idle:
        silent.sendall(HELLO)
        idle.sendall(raw.request("GET", "/health").replace(b"Connection: close\r\n", b""))
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5
    assert "ERROR" not in server.log


@pytest.mark.parametrize(
    "begun",
    [b"POST /webhook/start HTTP/1.1\r\nHost: localhost\r\nX-", b"GET / HTTP/1.1\r\n", b""],
    ids=["webhook", "page", "nothing"],
)
def test_a_request_that_stops_coming_is_cut(
    start_server: Callable[..., Server], pairs: dict[str, Pair], begun: bytes
) -> None:
    server = start_server(*pairs["EC"].flags, command=command_with_timeouts(request=0.5))
    with closing(raw.connect(server)) as connection:
        connection.sendall(begun)
        assert raw.read_all(connection) == b""  # fails by its time-out if nobody hangs up


def test_an_answer_that_is_not_read_is_cut(
    start_server: Callable[..., Server], pairs: dict[str, Pair]
) -> None:
    server = start_server(*pairs["EC"].flags, command=command_with_timeouts(request=0.5))
    wanted = raw.request("GET", "/docs/assets/redoc.js").replace(b"Connection: close\r\n", b"")
    size = len(server.http.get("/docs/assets/redoc.js").content)
    count = 64 * 1024 * 1024 // size  # more than the machine keeps on the way
    with closing(raw.connect(server)) as connection:
        connection.sendall(wanted * count)

        def is_cut() -> bool:
            try:
                connection.sendall(b"\r\n")
            except (ConnectionError, ssl.SSLEOFError):
                return True
            return False

        wait_for(is_cut)


def test_a_subscriber_who_reads_nothing_is_cut(
    start_server: Callable[..., Server], pairs: dict[str, Pair]
) -> None:
    server = start_server(*pairs["EC"].flags, command=command_with_timeouts(send=0.5, close=0.5))
    with closing(raw.open_websocket(server)):

        def is_open() -> bool:
            answer = server.http.get("/api/websocket/stats")
            return bool(answer.json()["total_connections"])

        def is_cut() -> bool:
            server.report("finish", "much", result="x" * 250_000)
            return not is_open()

        assert is_open()
        wait_for(is_cut, 30)
    assert "ERROR" not in server.log


def test_headers_without_end_are_refused(https: Server) -> None:
    many = [b"X-Many: %b" % (b"x" * 1000)] * 70
    assert raw.exchange(https, raw.request("GET", "/health", many)).status == 431
