"""A line of failure names what was wrong, where it came from and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_task_tracker import Client, ClientError, Refused
from tests.support.cli import Done, run_here
from tests.support.foreign import as_json, listening
from tests.support.server import KEY, Server

NOTHING = "http://127.0.0.1:1"


def failed(done: Done, code: int) -> str:
    """What it says."""
    assert (done.code, done.stdout) == (code, "")
    assert done.stderr.startswith("tracker: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


# Addresses.


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://localhost:99999", "its port is no number from 1 to 65535"),
        ("http://localhost:abc", "its port is no number from 1 to 65535"),
        ("http://localhost:0", "its port is no number from 1 to 65535"),
        ("http://[::1", "its brackets are not those of an IPv6 address"),
        ("http://local host:80", "it holds spaces or invisible characters"),
        ("http://x\x1b[31m", "it holds spaces or invisible characters"),
        ("localhost:8000", "it is not http:// or https:// and the name of a host"),
        ("ftp://localhost", "it is not http:// or https:// and the name of a host"),
        ("http://", "it is not http:// or https:// and the name of a host"),
        ("unix:", "that is no path of a socket"),
    ],
)
def test_an_address_that_is_none(tmp_path: Path, url: str, why: str) -> None:
    shown = url.replace("\x1b", r"\x1b")
    expected = f"{shown}: {why}; a server's address looks like http://localhost:8000\n"
    said = failed(run_here("ls", "--url", url, home=tmp_path), 1)
    assert said == f"tracker: --url: {expected}"
    said = failed(run_here("ls", home=tmp_path, TRACKER_URL=url), 1)
    assert said == f"tracker: TRACKER_URL: {expected}"
    ready = tmp_path / "ready.json"
    ready.write_text(json.dumps({"url": url}))
    said = failed(run_here("ls", "--ready-file", str(ready), home=tmp_path), 1)
    assert said == f"tracker: {ready}: {expected}"
    with pytest.raises(ClientError) as raised:
        Client(url, KEY)
    assert f"{url}: {why}" in str(raised.value)


@pytest.mark.parametrize("host", ["exa..mple", f"{'a' * 70}.x"])
def test_a_name_that_no_host_has(tmp_path: Path, host: str) -> None:
    said = failed(run_here("ls", "--url", f"http://{host}", "--api-key", KEY, home=tmp_path), 1)
    assert said == f"tracker: http://{host}: {host} is no name of a host\n"


@pytest.mark.parametrize(
    "url",
    [
        f"{NOTHING}/#api_key={KEY}",
        f"{NOTHING}/#api_key={KEY} ",
        f"{NOTHING}/?api_key={KEY}",
        f"http://{KEY}@127.0.0.1:1/",
    ],
)
def test_a_key_in_an_address_is_not_shown(tmp_path: Path, url: str) -> None:
    said = failed(run_here("ls", "--url", url, home=tmp_path), 1)
    assert "a key goes into API_KEY" in said or "it holds spaces" in said
    assert KEY not in said


def test_who_named_an_address_where_nobody_answers(tmp_path: Path) -> None:
    named = [
        failed(run_here("key", "list", "--url", NOTHING, home=tmp_path), 69),
        failed(run_here("key", "list", home=tmp_path, TRACKER_URL=NOTHING), 69),
    ]
    for said, by in zip(named, ("--url", "TRACKER_URL"), strict=True):
        assert said.startswith(f"tracker: {NOTHING} (from {by}): no answer (Connection refused)")
        assert "start a server there with `tracker serve`, or correct the address" in said


# Keys.


def test_a_wrong_key_and_where_it_came_from(
    shared_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = shared_server.url
    (tmp_path / ".env").write_text("API_KEY=a-key-of-another\n")
    told = {
        "--api-key": run_here("ls", "--api-key", "wrong-key", home=tmp_path, TRACKER_URL=url),
        "API_KEY in the environment": run_here(
            "ls", home=tmp_path, TRACKER_URL=url, API_KEY="wrong-key"
        ),
        "API_KEY in .env": run_here("ls", home=tmp_path, TRACKER_URL=url),
    }
    for source, done in told.items():
        said = failed(done, 1)
        assert f"does not accept the API key (from {source})" in said
        assert "wrong-key" not in said


def test_a_missing_key_and_where_it_would_be(shared_server: Server, tmp_path: Path) -> None:
    said = failed(run_here("ls", home=tmp_path, TRACKER_URL=shared_server.url), 1)
    assert "the server's API key is needed: set API_KEY, or give --api-key" in said
    assert f"none is kept in {tmp_path / 'tracker.db.api-key'}" in said


def test_the_key_of_a_ready_file_that_is_old(shared_server: Server, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    ready.write_text(json.dumps({"url": shared_server.url, "key": "a-key-of-before"}))
    said = failed(run_here("ls", "--ready-file", str(ready), home=tmp_path), 1)
    assert f"does not accept the API key (from {ready})" in said


# Answers.


def test_a_refused_field_is_named(shared_server: Server, tmp_path: Path) -> None:
    at = {"TRACKER_URL": shared_server.url, "API_KEY": KEY}
    said = failed(run_here("start", "--project", "", "--task", "t", home=tmp_path, **at), 1)
    assert "(422 VALIDATION_ERROR): project: " in said
    with pytest.raises(Refused, match=r"\(422 VALIDATION_ERROR\): task_id: ") as refused:
        Client(shared_server.url, KEY).start("p", "t", "", "a")
    assert refused.value.details["field"] == "task_id"


def answer(status: str, *headers: str) -> Callable[[str, str], bytes]:
    head = "\r\n".join([f"HTTP/1.1 {status}", "Content-Length: 0", *headers])
    return lambda _method, _target: f"{head}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("given", "code", "parts"),
    [
        (
            answer("302 Found", "Location: https://sso.example/\x1b[31m"),
            1,
            [r"redirects to https://sso.example/\x1b[31m, which is not followed", "(302 Found)"],
        ),
        (
            answer("502 Bad Gateway"),
            1,
            ["a proxy answers, but the server behind it does not", "(502 Bad Gateway)"],
        ),
        (answer("429 Slow down", "Retry-After: 37"), 1, ["too many requests; go on in 37 s"]),
        (answer("403 Forbidden"), 1, ["what answers there is no tracker", "(403 Forbidden)"]),
        (lambda *_: b"\x1b]0;x\x07SSH-2.0\r\n", 69, [r"speaks no HTTP, but says \x1b]0;x\x07SSH"]),
    ],
    ids=["redirect", "gateway", "limit", "stranger", "rubbish"],
)
def test_an_answer_that_is_no_trackers(
    tmp_path: Path, given: Callable[[str, str], bytes], code: int, parts: list[str]
) -> None:
    with listening(given) as url:
        done = run_here("key", "list", "--url", url, "--api-key", KEY, home=tmp_path)
        with pytest.raises(ClientError) as raised:
            Client(url, KEY, patience=0).stats()
    for said in (failed(done, code), str(raised.value)):
        assert url in said
        assert "\x1b" not in said
        assert all(part in said for part in parts)


def test_a_limit_is_waited_for_within_the_patience() -> None:
    limited = iter([answer("429 Slow down", "Retry-After: 0")("", "")])
    with listening(lambda *_: next(limited, as_json({"status": "healthy"}))) as url:
        assert Client(url, KEY, patience=5).health() == {"status": "healthy"}
    with (
        listening(answer("429 Slow down", "Retry-After: 37")) as url,
        pytest.raises(Refused, match="go on in 37 s"),
    ):
        Client(url, KEY, patience=5).health()


def test_plain_http_where_tls_is_spoken(https: Server, tmp_path: Path) -> None:
    url = https.url.replace("https", "http")
    said = failed(run_here("key", "list", "--url", url, "--api-key", KEY, home=tmp_path), 69)
    assert "it speaks TLS: write https://" in said


def test_tls_where_plain_http_is_spoken(shared_server: Server, tmp_path: Path) -> None:
    url = shared_server.url.replace("http", "https")
    said = failed(run_here("key", "list", "--url", url, "--api-key", KEY, home=tmp_path), 69)
    assert "is it plain http://?" in said


# The SDK's own arguments.


@pytest.mark.parametrize(("url", "key"), [(NOTHING, None), (NOTHING, b"key"), (None, KEY)])
def test_arguments_of_another_type(url: str, key: str) -> None:
    with pytest.raises(ClientError, match=r"no string|is a string such as"):
        Client(url, key)


# Folders.


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The reason is told, not that it does not exist."""
    (tmp_path / "file").touch()
    done = run_here("backup", "copy.db", HOME=str(tmp_path / "file"), XDG_DATA_HOME="")
    said = failed(done, 78)
    assert "agent-task-tracker: the directory cannot be made: Not a directory" in said
