"""`/ws` for a subscriber that behaves: who gets in, what it is sent, and from where on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Close

from tests.support import document
from tests.support.keys import make_key
from tests.support.pruned import prune
from tests.support.server import KEY, Server, wait_for
from tests.support.subscriber import (
    RawSubscriber,
    address,
    end,
    ids,
    nothing_more,
    receive,
    subscribe,
)

TYPES = {
    "start": "task_started",
    "status": "task_status_updated",
    "finish": "task_finished",
    "error": "task_error",
}
OPTIONAL = {"status": {"message": "half way"}, "finish": {"result": "done"}}


@pytest.fixture(autouse=True)
def _quiet(shared_server: Server) -> Iterator[None]:
    """Whatever a subscriber does, it is no error of the server's."""
    yield
    assert_quiet(shared_server)


def assert_quiet(server: Server) -> None:
    assert "ERROR" not in server.log
    assert "Traceback" not in server.log


def log_of(server: Server, project: str, since: int = 0) -> list[dict[str, Any]]:
    answer = server.http.get("/api/events", params={"project": project, "since": since})
    return list(answer.json()["events"])


def started(server: Server, project: str, count: int) -> list[int]:
    """The numbers of this many new events."""
    return [
        server.report("start", project, f"task-{number}").json()["event_id"]
        for number in range(count)
    ]


# What it is sent.


@pytest.mark.parametrize("filtered", [True, False])
def test_messages_are_the_events_of_the_log(
    shared_server: Server, project: str, filtered: bool
) -> None:
    with subscribe(address(shared_server, project if filtered else None)) as subscriber:
        event_ids = [
            shared_server.report(kind, project, **OPTIONAL.get(kind, {})).json()["event_id"]
            for kind in TYPES
        ]
        messages = receive(subscriber, len(TYPES))
    assert ids(messages) == event_ids
    assert [message["type"] for message in messages] == list(TYPES.values())
    assert messages == log_of(shared_server, project)
    for message in messages:
        document.assert_like(message, document.example(message["type"]))
        data = message["data"]
        assert (data["title"], data["agent"], data["attempt"]) == ("Title", "agent-1", 1)


def test_messages_of_a_second_attempt_say_so(shared_server: Server, project: str) -> None:
    shared_server.report("finish", project)
    with subscribe(address(shared_server, project)) as subscriber:
        for kind in TYPES:
            shared_server.report(kind, project)
        messages = receive(subscriber, len(TYPES))
    assert [message["data"]["attempt"] for message in messages] == [2] * len(TYPES)


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_status_report_that_ends_a_task_keeps_its_type(
    shared_server: Server, project: str, status: str
) -> None:
    with subscribe(address(shared_server, project)) as subscriber:
        shared_server.report("status", project, status=status)
        (message,) = receive(subscriber, 1)
    assert message["type"] == "task_status_updated"
    assert message["data"]["status"] == status


def test_only_the_project_that_was_asked_for(shared_server: Server, project: str) -> None:
    with subscribe(address(shared_server, project)) as subscriber:
        started(shared_server, f"{project}, another one", 3)
        (event_id,) = started(shared_server, project, 1)
        assert ids(receive(subscriber, 1)) == [event_id]
        assert nothing_more(subscriber)


@pytest.mark.parametrize("name", ["org/repo", "проект и ещё", "100 % & more?", "🦑"])
def test_project_of_any_name(shared_server: Server, name: str) -> None:
    with subscribe(address(shared_server, name)) as subscriber:
        event_ids = started(shared_server, name, 1)
        assert ids(receive(subscriber, 1)) == event_ids


def test_large_event_arrives_whole(shared_server: Server, project: str) -> None:
    result = "ы" * 120_000
    with subscribe(address(shared_server, project), max_size=None) as subscriber:
        shared_server.report("finish", project, result=result)
        (message,) = receive(subscriber, 1)
    assert message["data"]["result"] == result


def test_nothing_is_compressed(shared_server: Server) -> None:
    with subscribe(address(shared_server), compression="deflate") as subscriber:
        assert subscriber.response is not None
        assert "Sec-WebSocket-Extensions" not in subscriber.response.headers


# From where on.


def test_replay_begins_after_the_cursor(shared_server: Server, project: str) -> None:
    event_ids = started(shared_server, project, 4)
    with subscribe(address(shared_server, project, since=event_ids[1])) as subscriber:
        assert ids(receive(subscriber, 2)) == event_ids[2:]
        event_ids = started(shared_server, project, 1)
        assert ids(receive(subscriber, 1)) == event_ids


def test_without_a_cursor_nothing_is_replayed(shared_server: Server, project: str) -> None:
    started(shared_server, project, 2)
    with subscribe(address(shared_server, project)) as subscriber:
        assert nothing_more(subscriber)


def test_cursor_at_the_end_is_fine(shared_server: Server, project: str) -> None:
    *_, last = started(shared_server, project, 2)
    with subscribe(address(shared_server, project, since=last)) as subscriber:
        assert nothing_more(subscriber)


@pytest.mark.parametrize("restarted", [False, True], ids=["from the ring", "from the log"])
def test_deleted_events_are_not_replayed(
    start_server: Callable[..., Server], project: str, restarted: bool
) -> None:
    server = start_server()
    first, second, third = started(server, project, 3)
    (elsewhere,) = started(server, "another", 1)
    assert server.http.delete(f"/api/projects/{project}/tasks/task-1").status_code == 204
    assert server.http.delete("/api/projects/another").status_code == 204
    if restarted:
        server.stop()
        server = Server.start(server.folder)
    try:
        with subscribe(address(server, since=0)) as subscriber:
            *kept, task, whole = receive(subscriber, 4)
            assert ids(kept) == [first, third]
            assert (task["type"], whole["type"]) == ("task_deleted", "project_deleted")
            assert ids([task, whole]) == [elsewhere + 1, elsewhere + 2]
            (following,) = started(server, project, 1)
            assert following > elsewhere > second
            assert ids(receive(subscriber, 1)) == [following]
    finally:
        server.stop()
    assert_quiet(server)


def test_deleting_disturbs_no_live_subscriber(shared_server: Server, project: str) -> None:
    with subscribe(address(shared_server, project)) as subscriber:
        event_ids = started(shared_server, project, 2)
        receive(subscriber, 2)
        shared_server.http.delete(f"/api/projects/{project}")
        event_ids = started(shared_server, project, 2)
        deletion, *following = receive(subscriber, 3)
        assert deletion["type"] == "project_deleted"
        assert ids(following) == event_ids


def test_cursor_past_the_end_has_to_start_afresh(server: Server, project: str) -> None:
    event_ids = started(server, project, 2)
    with subscribe(address(server, project, since=event_ids[-1] + 1000)) as subscriber:
        notice, *messages = receive(subscriber, 3)
        event_ids += started(server, project, 1)
        messages += receive(subscriber, 1)
    assert notice["type"] == "resync_required"
    assert notice["data"] == {"oldest_id": event_ids[0], "last_id": event_ids[1]}
    assert document.TIMESTAMP.fullmatch(notice["timestamp"])
    assert ids(messages) == event_ids
    assert_quiet(server)


def test_cursor_before_what_was_pruned_has_to_start_afresh(server: Server, project: str) -> None:
    event_ids = started(server, project, 5)
    server.stop()
    prune(server.database, event_ids[2])
    again = Server.start(server.folder)
    try:
        with subscribe(address(again, project, since=event_ids[1])) as subscriber:
            notice, *messages = receive(subscriber, 3)
        assert notice["type"] == "resync_required"
        assert notice["data"] == {"oldest_id": event_ids[3], "last_id": event_ids[4]}
        assert ids(messages) == event_ids[3:]
        with subscribe(address(again, project, since=event_ids[2])) as subscriber:
            assert ids(receive(subscriber, 2)) == event_ids[3:]
    finally:
        again.stop()
    assert_quiet(again)


def test_database_in_memory(start_server: Callable[..., Server], project: str) -> None:
    server = start_server(db=":memory:")
    event_ids = started(server, project, 2)
    with subscribe(address(server, project, since=0)) as subscriber:
        event_ids += started(server, project, 2)
        assert ids(receive(subscriber, 4)) == event_ids
    with subscribe(address(server, project, since=event_ids[-1] + 1)) as subscriber:
        assert receive(subscriber, 1)[0]["type"] == "resync_required"
    assert_quiet(server)


# Who gets in.


@pytest.mark.parametrize(
    "carried",
    [
        {"url": {"api_key": KEY}},
        {"additional_headers": {"X-API-Key": KEY}},
        {"additional_headers": {"Authorization": f"Bearer {KEY}"}},
    ],
    ids=["query", "X-API-Key", "Bearer"],
)
def test_ways_to_give_the_key(shared_server: Server, carried: dict[str, Any]) -> None:
    url = address(shared_server, **{"api_key": None, **carried.pop("url", {})})
    with subscribe(url, **carried) as subscriber:
        assert nothing_more(subscriber)


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (None, {}),
        ("", {}),
        ("another-key-than-the-server's", {}),
        (None, {"X-API-Key": "another-key-than-the-server's"}),
        (None, {"Authorization": "Basic dTpw"}),
    ],
)
def test_missing_or_wrong_key(
    shared_server: Server, key: str | None, headers: dict[str, str]
) -> None:
    with subscribe(address(shared_server, api_key=key), additional_headers=headers) as subscriber:
        assert end(subscriber) == Close(3000, "unauthorized")


def test_origin_of_another_page(shared_server: Server) -> None:
    for origin in ("https://evil.example", "http://localhost:1", "null"):
        with subscribe(address(shared_server), origin=origin) as subscriber:
            assert end(subscriber).code == 3003


def test_origins_of_our_own_page_and_of_frontends(shared_server: Server) -> None:
    for origin in (shared_server.url, "http://localhost:3000"):
        with subscribe(address(shared_server), origin=origin) as subscriber:
            assert nothing_more(subscriber)


def test_origins_are_those_of_the_setting(start_server: Callable[..., Server]) -> None:
    server = start_server("--cors-origin", "https://app.example")
    with subscribe(address(server), origin="https://app.example") as subscriber:
        assert nothing_more(subscriber)
    with subscribe(address(server), origin="http://localhost:3000") as subscriber:
        assert end(subscriber).code == 3003


@pytest.mark.parametrize(
    "query",
    [{"since": "x"}, {"since": -1}, {"since": 2**63}, {"project": "x" * 256}],
)
def test_bad_parameters(shared_server: Server, query: dict[str, Any]) -> None:
    with subscribe(address(shared_server, **query)) as subscriber:
        closed = end(subscriber)
    assert closed.code == 1008
    assert closed.reason.startswith(next(iter(query)))


def refusal(url: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """The status and the JSON that the handshake is answered with."""
    with pytest.raises(InvalidStatus) as refused:
        subscribe(url, **options)
    response = refused.value.response
    assert response.headers["Content-Type"] == "application/json"
    return response.status_code, json.loads(response.body)


def test_host_that_is_not_ours(shared_server: Server) -> None:
    status, answer = refusal(address(shared_server), additional_headers={"Host": "rebound.example"})
    assert status == 400
    document.assert_like(answer, document.example("Формат ошибки"))
    assert answer["error"]["code"] == "BAD_REQUEST"
    assert answer["error"]["details"]["field"] == "Host"


@pytest.mark.parametrize("path", ["/nowhere", "/health", "/api/events/stream"])
def test_places_without_a_websocket(shared_server: Server, path: str) -> None:
    status, answer = refusal(f"{shared_server.ws_url}{path}?api_key={KEY}")
    assert status in (400, 404, 405)
    document.assert_like(answer, document.example("Формат ошибки"))


def test_handshake_too_long_is_answered(shared_server: Server) -> None:
    status, answer = refusal(address(shared_server, padding="x" * 20_000))
    assert status == 414
    document.assert_like(answer, document.example("Формат ошибки"))


def test_limit_of_a_project(start_server: Callable[..., Server]) -> None:
    server = start_server("--ws-per-project", "2")
    with subscribe(address(server, "a")) as first, subscribe(address(server, "a")):
        with subscribe(address(server, "a")) as third:
            closed = end(third)
            assert closed.code == 1013
            assert closed.reason
        with subscribe(address(server, "b")) as elsewhere, subscribe(address(server)) as of_all:
            assert nothing_more(elsewhere)
            assert nothing_more(of_all)
        first.close()
        wait_for(lambda: stats(server)["project_connections"] == {"a": 1}, what="a free place")
        with subscribe(address(server, "a")) as fourth:
            assert nothing_more(fourth)
    assert_quiet(server)


def test_who_may_not_see_a_project_takes_no_place_of_it(
    start_server: Callable[..., Server],
) -> None:
    server = start_server("--ws-per-project", "1")
    key = make_key(server, "stranger", "read", "b")
    with ExitStack() as stack:
        strangers = [
            stack.enter_context(subscribe(address(server, "a", api_key=key))) for _ in range(2)
        ]
        assert all(nothing_more(subscriber) for subscriber in strangers)  # nor learns of others
        assert stats(server)["project_connections"] == {}
        assert nothing_more(stack.enter_context(subscribe(address(server, "a"))))
        assert nothing_more(stack.enter_context(subscribe(address(server, "a", api_key=key))))


@pytest.mark.parametrize(("flags", "limited"), [((), True), (("--ws-per-project", "0"), False)])
def test_limit_is_ten_by_default_and_none_by_zero(
    start_server: Callable[..., Server], flags: tuple[str, ...], limited: bool
) -> None:
    server = start_server(*flags)
    with ExitStack() as stack:
        *ten, eleventh = [stack.enter_context(subscribe(address(server, "a"))) for _ in range(11)]
        assert all(nothing_more(subscriber) for subscriber in ten)
        assert end(eleventh).code == 1013 if limited else nothing_more(eleventh)


# What is counted.


def stats(server: Server) -> dict[str, Any]:
    return dict(server.http.get("/api/websocket/stats").json())


def test_stats(start_server: Callable[..., Server]) -> None:
    server = start_server()
    none = {"total_connections": 0, "project_connections": {}}
    first = stats(server)
    assert first == {**none, "uptime": first["uptime"], "messages_sent": 0, "messages_received": 0}
    with subscribe(address(server, "a")) as of_a, subscribe(address(server)) as of_all:
        with RawSubscriber(server, "a") as vanishing, subscribe(address(server, "b")):
            opened = stats(server)
            assert opened["total_connections"] == 4
            assert opened["project_connections"] == {"a": 2, "b": 1}
            vanishing.cut()
        wait_for(lambda: stats(server)["total_connections"] == 2, what="two to be gone")
        assert stats(server)["project_connections"] == {"a": 1}
        started(server, "a", 3)
        receive(of_a, 3)
        receive(of_all, 3)
        for garbage in ("x", b"y", "[]"):
            of_all.send(garbage)
        assert nothing_more(of_all)
        counted = stats(server)
        assert (counted["messages_sent"], counted["messages_received"]) == (7, 4)
    wait_for(lambda: stats(server)["total_connections"] == 0, what="all to be gone")
    assert stats(server).items() >= {**none, "messages_sent": 7, "messages_received": 4}.items()
    assert wait_for(lambda: stats(server)["uptime"] > first["uptime"], what="a second to pass")
    assert_quiet(server)


def test_refused_sockets_are_not_counted(server: Server) -> None:
    for query in ({"api_key": "wrong"}, {"since": "x"}):
        with subscribe(address(server, **query)) as subscriber:
            end(subscriber)
    with subscribe(address(server)) as subscriber:
        assert nothing_more(subscriber)
        assert stats(server)["total_connections"] == 1


# What is logged.


def test_key_is_never_logged(start_server: Callable[..., Server]) -> None:
    server = start_server("--log-level", "debug")
    with subscribe(address(server)) as subscriber:
        assert nothing_more(subscriber)
    server.stop()
    assert KEY not in server.log
