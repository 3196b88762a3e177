"""Keys of one's own: made, shown once, used, rotated, expired, revoked."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import orjson
import pytest

from tests.support import raw
from tests.support.keys import client_with, code_of, make_key
from tests.support.server import Server, wait_for

HEAD = {"project": "p", "task": "T", "task_id": "t", "agent": "a"}


def listed(server: Server, name: str) -> dict[str, Any] | None:
    keys = server.http.get("/api/keys").json()["keys"]
    return next((key for key in keys if key["name"] == name), None)


def works(server: Server, key: str) -> bool:
    with client_with(server, key) as client:
        answer = client.get("/api/info")
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


def test_it_is_shown_once(server: Server) -> None:
    body = {"name": "ci", "role": "report", "projects": ["b", "a", "b"]}
    made = server.http.post("/api/keys", json=body)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    key = made.json().pop("key")
    assert re.fullmatch(r"att_[0-9A-Za-z]{49}", key)
    assert key not in server.http.get("/api/keys").text
    assert key not in server.http.get("/api/audit").text
    assert {name: value for name, value in made.json().items() if name != "key"} == listed(
        server, "ci"
    )
    assert made.json()["projects"] == ["a", "b"]
    assert works(server, key)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " x"}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"name": "ci\x1b[31m"}, "name"),
        ({"name": "ci\n"}, "name"),
        ({"name": "ключ"}, "name"),
        ({"role": "owner"}, "role"),
        ({"role": None}, "role"),
        ({"role": "admin"}, "projects"),
        ({"projects": "p"}, "projects"),
        ({"projects": [""]}, "projects"),
        ({"projects": []}, "projects"),  # not all of them, which nobody has said
        ({"projects": ["x" * 256]}, "projects"),
        ({"projects": [f"p{number}" for number in range(101)]}, "projects"),
        ({"projects": ["a\0b"]}, "projects"),
        ({"project": "p"}, "project"),
        ({"expires_in": 60}, "expires_in"),
        ({"expires_in_seconds": 0}, "expires_in_seconds"),
        ({"expires_in_seconds": -1}, "expires_in_seconds"),
        ({"expires_in_seconds": 1e300}, "expires_in_seconds"),
        ({"expires_in_seconds": "90d"}, "expires_in_seconds"),
    ],
)
def test_what_cannot_be_a_key(shared_server: Server, fields: dict[str, Any], field: str) -> None:
    body = {"name": "n", "role": "report", "projects": ["p"], **fields}
    answer = shared_server.http.post("/api/keys", json=body)
    assert code_of(answer) == (422, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"]["field"].startswith(field)
    assert listed(shared_server, "n") is None


@pytest.mark.parametrize("name", ["taken", "master"])
def test_a_name_is_given_once(server: Server, name: str) -> None:
    make_key(server, "taken", "read")
    answer = server.http.post("/api/keys", json={"name": name, "role": "admin"})
    assert code_of(answer) == (409, "CONFLICT")
    server.http.delete("/api/keys/taken")
    make_key(server, "taken", "read")


def test_a_rotation_is_not_guessed_at(shared_server: Server) -> None:
    key = make_key(shared_server, "unturned", "read")
    answer = shared_server.http.post("/api/keys/unturned/rotate", json={"overlap": 0})
    assert code_of(answer) == (422, "VALIDATION_ERROR")
    assert works(shared_server, key)
    assert shared_server.http.delete("/api/keys/unturned").is_success


def test_what_is_not_there(server: Server) -> None:
    assert code_of(server.http.delete("/api/keys/none")) == (404, "NOT_FOUND")
    assert code_of(server.http.post("/api/keys/none/rotate")) == (404, "NOT_FOUND")
    assert code_of(server.http.delete("/api/keys/master")) == (404, "NOT_FOUND")


def test_every_way_to_send_it(server: Server) -> None:
    key = make_key(server, "ways", "report")
    for headers, query in (
        ({"X-API-Key": key}, ""),
        ({"Authorization": f"Bearer {key}"}, ""),
        ({}, f"?api_key={key}"),
    ):
        with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
            assert client.post(f"/webhook/start{query}", json=HEAD).is_success
    assert key not in server.log


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k.swapcase(), lambda k: k + "0"])
def test_a_key_that_lost_something_on_its_way_is_told_so(
    server: Server, change: Callable[[str], str]
) -> None:
    key = "att_" + change(make_key(server, "one", "read").removeprefix("att_"))
    with client_with(server, key) as client:
        answer = client.get("/api/info")
    assert code_of(answer) == (401, "UNAUTHORIZED")
    assert "checksum" in answer.json()["error"]["details"]["issue"]
    assert key not in answer.text


def test_revoked_is_over_at_once_and_for_good(server: Server) -> None:
    key = make_key(server, "gone", "read")
    with client_with(server, key) as client:  # one connection
        assert client.get("/api/info").status_code == 200
        assert server.http.delete("/api/keys/gone").status_code == 204
        assert client.get("/api/info").status_code == 401
    assert make_key(server, "gone", "read") != key  # another key of the name
    assert not works(server, key)


@pytest.mark.parametrize("kill", [False, True])
def test_keys_outlast_the_server(start_server: Callable[..., Server], kill: bool) -> None:
    first = start_server()
    kept, gone = (make_key(first, name, "read", "p") for name in ("kept", "gone"))
    first.http.delete("/api/keys/gone")
    first.stop(9) if kill else first.stop()
    second = start_server(db=str(first.database))
    assert works(second, kept)
    assert not works(second, gone)
    assert listed(second, "kept")["projects"] == ["p"]  # type: ignore[index]


def test_it_expires(server: Server) -> None:
    key = make_key(server, "short", "read", expires_in_seconds=1)
    assert works(server, key)
    wait_for(lambda: not works(server, key), 10, "its end")
    assert listed(server, "short") is not None  # until somebody revokes it
    assert code_of(server.http.post("/api/keys/short/rotate")) == (409, "CONFLICT")


def test_every_change_of_keys_is_told_by_itself(server: Server) -> None:
    for _ in range(2):
        make_key(server, "again", "read")
        server.http.delete("/api/keys/again")
    entries = server.http.get("/api/audit").json()["entries"]
    told = [(entry["action"], entry["count"]) for entry in entries if entry["subject"] == "again"]
    assert told == [("key_revoked", 1), ("key_created", 1)] * 2


@pytest.mark.parametrize("way", ["revoked", "rotated", "expired"])
@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/webhook/start", HEAD),
        ("/webhook/batch", {"reports": [{"kind": "start", **HEAD}]}),
        ("/api/keys", {"name": "another", "role": "admin"}),
        ("/api/keys/other/rotate", {"overlap_seconds": 0}),
    ],
)
def test_a_body_that_comes_after_the_end_of_its_key_does_nothing(
    server: Server, target: str, body: dict[str, Any], way: str
) -> None:
    other = make_key(server, "other", "read")
    key = make_key(server, "slow", "admin", expires_in_seconds=2 if way == "expired" else None)
    content = orjson.dumps(body)
    headers = (b"Host: localhost", b"X-API-Key: " + key.encode(), b"Connection: close")
    head = raw.head("POST", target, (*headers, b"Content-Length: %d" % len(content)))
    with closing(raw.connect(server)) as connection:
        connection.sendall(head + content[:1])
        wait_for(lambda: listed(server, "slow")["last_used_at"], what="its use")  # type: ignore[index]
        if way == "revoked":
            assert server.http.delete("/api/keys/slow").is_success
        elif way == "rotated":
            rotation = {"overlap_seconds": 0}
            assert server.http.post("/api/keys/slow/rotate", json=rotation).is_success
        else:
            wait_for(lambda: not works(server, key), 10, "its end")
        connection.sendall(content[1:])
        answer = raw.parse(raw.read_all(connection))
    assert answer.status == 401, answer
    assert b"revoked" in answer.body
    assert works(server, other)
    assert listed(server, "another") is None
    assert server.http.get("/api/projects").json()["projects"] == []


def test_rotation_has_both_go_on_for_a_while(server: Server) -> None:
    first = make_key(server, "turning", "read")
    rotated = server.http.post("/api/keys/turning/rotate", json={"overlap_seconds": 2}).json()
    second = rotated["key"]
    assert rotated["rotating_until"] is not None
    assert works(server, first)
    assert works(server, second)
    wait_for(lambda: not works(server, first), 10, "the end of the first")
    assert works(server, second)
    third = server.http.post("/api/keys/turning/rotate", json={"overlap_seconds": 0}).json()["key"]
    assert [works(server, key) for key in (first, second, third)] == [False, False, True]
    fourth = server.http.post("/api/keys/turning/rotate").json()  # a day, if nothing is said
    assert works(server, third)
    assert fourth["rotating_until"] > fourth["created_at"]
    server.http.delete("/api/keys/turning")
    assert not any(works(server, key) for key in (third, fourth["key"]))


def test_its_last_use_is_known(start_server: Callable[..., Server]) -> None:
    first = start_server()
    key = make_key(first, "used", "report")
    assert listed(first, "used")["last_used_at"] is None  # type: ignore[index]
    with client_with(first, key) as client:
        at = client.post("/webhook/start", json=HEAD).json()["timestamp"]
    used = listed(first, "used")
    assert used is not None
    assert used["last_used_at"][:16] == at[:16]
    assert used["last_used_from"] == "127.0.0.1"
    first.stop()
    assert listed(start_server(db=str(first.database)), "used") == used


def test_limits_are_each_keys_own(start_server: Callable[..., Server]) -> None:
    server = start_server("--rate-limit-webhook", "2", "--rate-limit-api", "3", limits=True)
    one, two = (make_key(server, name, "report") for name in ("one", "two"))
    with client_with(server, one) as client:
        statuses = [client.post("/webhook/start", json=HEAD).status_code for _ in range(3)]
    assert statuses == [201, 200, 429]
    with client_with(server, two) as client:
        answer = client.post("/webhook/start", json=HEAD)
    assert (answer.status_code, answer.headers["RateLimit"][:15]) == (200, '"webhook";r=1;t')
    assert server.report("start", "p").status_code == 201  # the master's own


def test_idempotency_keys_are_each_keys_own(server: Server) -> None:
    keys = [make_key(server, name, "report") for name in ("one", "two")]
    answers = []
    for key in (*keys, keys[0]):
        with client_with(server, key) as client:
            same = {"Idempotency-Key": "same"}
            answers.append(client.post("/webhook/start", json=HEAD, headers=same))
    ids = [answer.json()["event_id"] for answer in answers]
    assert ids == [1, 2, 1]
    assert answers[2].headers["Idempotent-Replayed"] == "true"


def test_no_key_is_in_database_log_process_list_or_error(
    start_server: Callable[..., Server],
) -> None:
    own = "of-this-test-alone-0123456789"  # others' commands may be in the list of processes
    server = start_server("--log-level", "debug", key=own)
    key = make_key(server, "secret", "report", "p")
    rotated = server.http.post("/api/keys/secret/rotate").json()["key"]
    texts = [server.http.get("/api/keys").text]
    for given in (key, rotated):
        with client_with(server, given) as client:
            texts += [
                client.post("/webhook/start", json={**HEAD, "project": "q"}).text,
                client.get("/api/projects").text,
                client.get(f"/nowhere?api_key={given}").text,
                client.get("/api/info").text,
            ]
    processes = subprocess.run(
        ["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True
    ).stdout
    wait_for(lambda: "forbidden" in server.http.get("/api/audit").text, 20, "the audit log")
    texts += [server.http.get("/api/audit").text, server.log, processes]
    server.stop()
    for given in (key, rotated, own):
        assert not [text for text in texts if given in text]
        for file in server.folder.glob("tracker.db*"):
            assert given.encode() not in file.read_bytes(), file
    with closing(sqlite3.connect(server.database)) as database:
        digests = database.execute("SELECT length(digest) FROM key_secrets").fetchall()
    assert digests == [(32,), (32,)]


def test_reports_do_not_wait_for_what_is_kept_of_keys(server: Server) -> None:
    """Thousands of requests are one entry, and one row that changes now and then."""
    key = make_key(server, "busy", "report", "p")
    with client_with(server, key) as client:
        for _ in range(300):
            assert client.get("/api/stats").status_code == 403

    def entries() -> list[dict[str, Any]]:
        found = server.http.get("/api/audit", params={"by": "busy"}).json()["entries"]
        return found if sum(entry["count"] for entry in found) == 300 else []

    (entry,) = wait_for(entries, 20, "the entry")
    assert (entry["action"], entry["subject"], entry["address"]) == (
        *("forbidden", "read", "127.0.0.1"),
    )
