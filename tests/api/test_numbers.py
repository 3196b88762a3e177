"""Numbers beyond 64 bits: integers come back to the digit, wherever they were; those that many
programs cannot read are refused, which says so (docs/contract.md, "Webhooks")."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import raw
from tests.support.server import Server, quote
from tests.support.subscriber import address, receive, subscribe

EXACT = [
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    *("-9223372036854775809", "18446744073709551615", "18446744073709551616"),
    *("1" + "0" * 308, "-1" + "2" * 307, "123456789012345678901234567890"),
]
TOO_LARGE = ["1" + "0" * 309, "1" + "0" * 400, "-1" + "0" * 400, "9" * 100_000, "1e400", "-1e400"]
HUGE = ["9223372036854775808", "18446744073709551616", "1" + "0" * 308]


def names(project: str) -> str:
    fields = {"project": project, "task": "T", "task_id": "t", "agent": "a"}
    return json.dumps(fields).strip("{}")


def send(server: Server, project: str, kind: str, fields: str) -> raw.Answer:
    """Report, with `fields` as they are."""
    body = f"{{{names(project)}, {fields}}}".encode()
    return raw.exchange(server, raw.request("POST", f"/webhook/{kind}", body=body))


def text_of(server: Server, path: str, **params: Any) -> str:
    answer = server.http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("kind", ["start", "status", "finish"])
def test_integers_come_back_to_the_digit(shared_server: Server, project: str, kind: str) -> None:
    numbers = f"[{','.join(EXACT)}]"
    since = int(json.loads(text_of(shared_server, "/api/events"))["last_id"])
    with subscribe(address(shared_server, project)) as live:
        fields = f'"metadata": {{"a": {EXACT[-1]}, "deep": [{{"n": {numbers}}}]}}'
        assert send(shared_server, project, kind, fields).status in (200, 201)
        (message,) = receive(live, 1)
    assert send(shared_server, project, "status", '"metadata": {"b": 1}').status == 200  # merged
    expected = {"a": int(EXACT[-1]), "deep": [{"n": [int(number) for number in EXACT]}]}
    assert message["data"]["metadata"] == expected
    with subscribe(address(shared_server, project, since)) as replayed:
        assert receive(replayed, 1)[0]["data"]["metadata"] == expected
    path = f"/api/projects/{quote(project)}/tasks"
    for text in (
        *(text_of(shared_server, path), text_of(shared_server, f"{path}/t")),
        text_of(shared_server, "/api/tasks", project=project),
        text_of(shared_server, "/api/events", project=project),
    ):
        assert numbers in text.replace(" ", "")


def test_a_batch(shared_server: Server, project: str) -> None:
    report = f'{{"kind": "start", {names(project)}, "metadata": {{"n": {2**70}}}}}'
    for _ in range(2):  # the second as a replay
        body = f'{{"reports": [{report[:-1]}, "idempotency_key": "numbers"}}]}}'.encode()
        assert (
            raw.exchange(shared_server, raw.request("POST", "/webhook/batch", body=body)).status
            == 200
        )
    task = shared_server.task(project, "t")
    assert (task["metadata"], len(task["events"])) == ({"n": 2**70}, 1)


def test_what_is_cut_keeps_its_numbers(shared_server: Server, project: str) -> None:
    """A message over 256 KiB."""
    fields = f'"metadata": {{"n": {2**70}, "long": "{"x" * 200_000}", "more": "{"y" * 80_000}"}}'
    with subscribe(address(shared_server, project)) as live:
        assert send(shared_server, project, "start", fields).status == 201
        (message,) = receive(live, 1)
    assert message["data"]["truncated"]
    assert message["data"]["metadata"] == {"n": 2**70}


@pytest.mark.parametrize("number", TOO_LARGE, ids=lambda number: f"{number[:4]}-{len(number)}")
@pytest.mark.parametrize("place", ['"metadata": {{"n": [{}]}}', '"unknown": {}', '"progress": {}'])
def test_what_no_double_can_be_is_refused(
    shared_server: Server, project: str, number: str, place: str
) -> None:
    answer = send(shared_server, project, "status", place.format(number))
    assert answer.status == 422
    error = json.loads(answer.body)["error"]
    assert (error["code"], error["details"]["field"]) == ("VALIDATION_ERROR", "body")
    assert "1.8e308" in error["message"]
    assert len(answer.body) < 1000


@pytest.mark.parametrize(
    ("kind", "place", "field"),
    [
        ("status", '"progress": {}', "progress"),
        ("finish", '"duration_seconds": {}', "duration_seconds"),
        ("status", '"stale_after_seconds": {}', "stale_after_seconds"),
        ("status", '"usage": {{"input_tokens": {}}}', "usage"),
        ("status", '"usage": [{{"cost_usd": {}}}]', "usage"),
        ("status", '"message": {}', "message"),
        ("status", '"status": {}', "status"),
        ("start", '"session": {}', "session"),
        ("start", '"metadata": {}', "metadata"),
        ("start", '"occurred_at": {}', "occurred_at"),
    ],
)
@pytest.mark.parametrize("number", HUGE, ids=["2^63", "2^64", "10^308"])
def test_where_another_value_is_wanted(
    *, shared_server: Server, project: str, kind: str, place: str, field: str, number: str
) -> None:
    answer = send(shared_server, project, kind, place.format(number))
    assert answer.status == 422
    assert json.loads(answer.body)["error"]["details"]["field"].split(".")[0] == field


@pytest.mark.parametrize("zero", ["-0", "-0.0", "0e999", "-0e5"])
def test_zero_is_zero_however_it_is_written(shared_server: Server, project: str, zero: str) -> None:
    fields = f'"progress": {zero}, "metadata": {{"n": {zero}}}'
    assert send(shared_server, project, "status", fields).status == 200
    task = shared_server.task(project, "t")
    assert (task["progress"], task["metadata"]) == (0, {"n": 0})


def test_digits_in_texts_are_text(shared_server: Server, project: str) -> None:
    metadata = {"id": "9" * 40, "escaped": '"\\' + "1" * 30, "ж" + "2" * 25: 5}
    shared_server.report("start", project, metadata=metadata)
    assert shared_server.task(project)["metadata"] == metadata


@pytest.mark.parametrize(
    "body",
    [
        b'{"n": 99999999999999999999, "s": "\\ud800"}',
        b'{"n": 99999999999999999999, "s": "\xff"}',
        b'{"n": 99999999999999999999, "x": NaN}',
        b'{"n": 99999999999999999999, "x": -Infinity}',
        b'{"n": 99999999999999999999, "x": 01}',
        b'{"n": 99999999999999999999, "s": "\n"}',
        b'{"n": 99999999999999999999, "n": 1}',
        b'{"n": 99999999999999999999',
        b'{"n": 99999999999999999999, "x": ' + b"[" * 101 + b"]" * 101 + b"}",
        b'{"n": 99999999999999999999, "x": ' + b"[" * 100_000,
        b'{"n": 99999999999999999999, "x": ' + b"[" * 400_000 + b"]" * 400_000 + b"}",
    ],
    ids=lambda body: body[28:44].decode("ascii", "replace") + str(len(body)),
)
def test_beside_a_long_number_the_rest_has_to_be_json_as_ever(
    shared_server: Server, body: bytes
) -> None:
    answer = raw.exchange(shared_server, raw.request("POST", "/webhook/start", body=body))
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["code"] == "INVALID_JSON"


@pytest.mark.parametrize("number", [*HUGE, "1" + "0" * 400, "9" * 5000, "1e400"], ids=len)
@pytest.mark.parametrize(
    ("path", "name"),
    [
        *(("/api/projects", "limit"), ("/api/projects", "offset"), ("/api/tasks", "offset")),
        *(("/api/tasks", "limit"), ("/api/sessions", "offset"), ("/api/events", "since")),
        *(("/api/events", "limit"), ("/api/events", "newest"), ("/api/stats/trends", "days")),
        *(("/api/now", "active"), ("/api/audit", "before")),
    ],
)
def test_in_a_query(shared_server: Server, path: str, name: str, number: str) -> None:
    answer = shared_server.http.get(path, params={name: number})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["details"]["field"] == name


@pytest.mark.parametrize("number", [*HUGE, "1" + "0" * 400, "-0", "1e400"], ids=len)
def test_in_a_path_and_in_headers(shared_server: Server, number: str) -> None:
    assert shared_server.http.get(f"/api/events/{number}").status_code == 404
    headers = {"Last-Event-ID": number}
    answer = shared_server.http.get(
        "/api/events/stream", params={"since": "x"}, headers=headers, timeout=5
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("number", [*HUGE, "1" + "0" * 400, "1e400"], ids=len)
def test_in_a_message_of_a_websocket(shared_server: Server, project: str, number: str) -> None:
    with subscribe(address(shared_server, project)) as subscriber:
        subscriber.send(f'{{"type": "ping", "n": {number}}}')
        subscriber.send('{"type": "ping"}')
        assert receive(subscriber, 1)[0]["type"] == "pong"


@pytest.mark.parametrize("number", HUGE, ids=len)
def test_in_what_a_key_is_to_be(shared_server: Server, number: str) -> None:
    body = f'{{"name": "n", "role": "read", "expires_in_seconds": {number}}}'.encode()
    answer = raw.exchange(shared_server, raw.request("POST", "/api/keys", body=body))
    assert answer.status == 422
