"""Telemetry of agents that are plugged in, through the socket: `POST /v1/{logs,metrics,traces}`."""

from __future__ import annotations

import gzip
import itertools
import json
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from subprocess import run
from typing import Any

import httpx
import pytest

from tests.api.test_hooks import heard, send
from tests.support.clocked import ClockedServer
from tests.support.keys import client_with, code_of, make_key
from tests.support.server import KEY, Server, wait_for
from tests.support.telemetry import PROTOBUF, attributes, call, logs, protobuf
from tracker.domain.limits import MAX_TELEMETRY_BYTES

ONE = {"input_tokens": 10, "output_tokens": 3, "cost_usd": 0.0002}
NOW = round(datetime.now(UTC).timestamp() * 1000) - 60_000


class Session:
    """A session of Claude Code's, of its own name."""

    def __init__(self, server: Server, agent: str = "claude-code") -> None:
        self.server = server
        self.agent = agent
        self.name = uuid.uuid4().hex
        self.project = f"app-{self.name}"

    def hook(self, event: str, at: int, turn: str | None = "p", **payload: Any) -> None:
        told = {"session_id": self.name, "cwd": f"/home/you/{self.project}", **payload}
        named = {} if turn is None else {"prompt_id": turn}
        moment = datetime.fromtimestamp((NOW + at) / 1000, UTC).isoformat()
        context = {"at": moment}
        heard(send(self.server, event, agent=self.agent, context=context, **named, **told))

    def call(self, at: int = 5, turn: str = "p", **told: object) -> Any:
        return call(NOW + at, turn, self.name, **told)

    def usage(self, turn: str = "p") -> dict[str, Any] | None:
        path = f"/api/projects/{self.project}/tasks/{self.name}%2F{turn}"
        found = self.server.http.get(path)
        if found.status_code == 404:
            return None
        usage = found.json()["usage"]
        return usage and {name: usage[name] for name in ONE} | {
            "source": usage["models"][0]["source"]
        }


def export(
    server: Server | ClockedServer, content: Any, signal: str = "logs", **options: Any
) -> httpx.Response:
    answer = server.http.post(f"/v1/{signal}", json=content, **options)
    assert (answer.status_code, answer.json()) == (200, {}), answer.text
    return answer


@pytest.fixture
def session(shared_server: Server) -> Session:
    return Session(shared_server)


def used(times: int = 1) -> dict[str, Any]:
    return {
        "input_tokens": 10 * times,
        "output_tokens": 3 * times,
        "cost_usd": pytest.approx(0.0002 * times),
        "source": "otlp",
    }


@pytest.mark.parametrize("order", ["hook first", "telemetry first"])
def test_a_call_counts_to_its_prompt(session: Session, order: str) -> None:
    steps = [
        lambda: session.hook("UserPromptSubmit", 0, prompt="Mend it"),
        lambda: export(session.server, logs(session.call(), session.call(at=6))),
    ]
    for step in steps if order == "hook first" else reversed(steps):
        step()
    assert session.usage() == used(2)
    session.hook("Stop", 9, last_assistant_message="Done")
    export(session.server, logs(session.call(at=8)))
    assert session.usage() == used(3)
    task = session.server.http.get(f"/api/projects/{session.project}/tasks").json()["tasks"]
    assert [(one["title"], one["status"], one["attempt"]) for one in task] == [
        ("Mend it", "completed", 1)
    ]
    (shown,) = session.server.http.get(f"/api/sessions?project={session.project}").json()[
        "sessions"
    ]
    assert shown["usage"]["input_tokens"] == 30


def test_an_export_that_is_sent_again_counts_once(session: Session) -> None:
    session.hook("UserPromptSubmit", 0, prompt="x")
    content = logs(session.call())
    for _ in range(3):
        export(session.server, content)
    assert session.usage() == used()
    for _ in range(2):
        body = gzip.compress(json.dumps(content, separators=(",", ":")).encode())
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        answer = session.server.http.post("/v1/logs", content=body, headers=headers)
        assert answer.status_code == 200
    assert session.usage() == used()


def test_protobuf_is_answered_in_protobuf(session: Session) -> None:
    session.hook("UserPromptSubmit", 0, prompt="x")
    headers = {"Content-Type": PROTOBUF}
    body = protobuf(logs(session.call()))
    answer = session.server.http.post("/v1/logs", content=body, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, PROTOBUF)
    assert answer.content == b""
    assert session.usage() == used()


def test_a_chunked_body_without_a_length(session: Session) -> None:
    session.hook("UserPromptSubmit", 0, prompt="x")
    body = json.dumps(logs(session.call())).encode()
    parts = (body[i : i + 100] for i in range(0, len(body), 100))
    headers = {"Content-Type": "application/json"}
    answer = session.server.http.post("/v1/logs", content=parts, headers=headers)
    assert answer.status_code == 200
    assert session.usage() == used()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"input_tokens": "10", "output_tokens": "3", "cost_usd_micros": "200"}, used()),
        ({"cost_usd_micros": "", "cost_usd": "0.0002"}, used()),
        ({"cost_usd_micros": "x", "cost_usd": 2e-4}, used()),
        ({"input_tokens": -5}, {**used(), "input_tokens": 0}),
        ({"output_tokens": True}, {**used(), "output_tokens": 0}),
        ({"output_tokens": "1" * 30}, {**used(), "output_tokens": 0}),
    ],
    ids=str,
)
def test_numbers_come_as_numbers_or_as_texts(
    session: Session, told: dict[str, object], expected: dict[str, Any]
) -> None:
    session.hook("UserPromptSubmit", 0, prompt="x")
    export(session.server, logs(session.call(**told)))
    assert session.usage() == expected


def test_a_sub_agent_has_its_own(session: Session) -> None:
    session.hook("UserPromptSubmit", 0, prompt="x")
    of = {"agent_id": "a1", "agent.name": "Explore"}
    export(session.server, logs(session.call(), session.call(**of)))
    assert session.usage() == used()
    session.hook("SubagentStart", 2, agent_id="a1", agent_type="Explore")
    assert session.usage("a1") == used()
    assert session.usage() == used()


def test_what_waits_is_bounded_and_not_lost(session: Session) -> None:
    many = [session.call(at=number) for number in range(250)]
    resource = {"service.namespace": session.project}
    export(session.server, logs(*many, resource=resource))
    assert session.usage() == used(250)
    session.hook("UserPromptSubmit", 0, prompt="x")
    export(session.server, logs(*(session.call(turn="other", at=n) for n in range(250))))
    assert session.usage() == used(300)


def metrics(session: Session, amount: int, is_delta: bool = True) -> dict[str, Any]:
    point = {
        "timeUnixNano": str((NOW + 7) * 1_000_000),
        "asInt": str(amount),
        "attributes": attributes({"session.id": session.name, "model": "m", "type": "input"}),
    }
    sum_ = {"aggregationTemporality": 1 if is_delta else 2, "dataPoints": [point]}
    metric = {"name": "claude_code.token.usage", "sum": sum_}
    return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": [metric]}]}]}


@pytest.fixture(scope="module")
def waiting() -> Iterator[ClockedServer]:
    """A server whose clock stands still until the test says so."""
    server = ClockedServer()
    server.clock.advance(milliseconds=NOW + 1000 - server.clock.now_ms())
    yield server
    server.stop()


class TestWaiting:
    @pytest.fixture
    def session(self, waiting: ClockedServer) -> Session:
        return Session(waiting)  # type: ignore[arg-type]

    def wait(self, session: Session, seconds: float = 61) -> None:
        session.server.clock.advance(seconds=seconds)  # type: ignore[attr-defined]

    @pytest.mark.parametrize("is_delta", [True, False])
    def test_metrics_count_where_no_event_tells(self, session: Session, is_delta: bool) -> None:
        session.hook("UserPromptSubmit", 0, prompt="x")
        export(session.server, metrics(session, 10, is_delta), "metrics")
        export(session.server, metrics(session, 25, is_delta), "metrics")
        assert session.usage() is None
        self.wait(session)
        wait_for(lambda: session.usage() is not None, 20, "the metrics to count")
        usage = session.usage()
        assert usage is not None
        assert usage["input_tokens"] == (35 if is_delta else 25)

    @pytest.mark.parametrize("order", [1, -1])
    def test_metrics_do_not_count_where_events_tell(self, session: Session, order: int) -> None:
        session.hook("UserPromptSubmit", 0, prompt="x")
        both = [(metrics(session, 10), "metrics"), (logs(session.call()), "logs")]
        for content, signal in both[::order]:
            export(session.server, content, signal)
        self.wait(session)
        export(session.server, metrics(session, 99), "metrics")
        self.wait(session)
        other = Session(session.server)
        other.hook("UserPromptSubmit", 0, prompt="x")
        export(other.server, metrics(other, 10), "metrics")
        self.wait(other)
        wait_for(lambda: other.usage() is not None, 20, "the others' metrics")
        assert session.usage() == used()

    def test_without_hooks_telemetry_alone_shows_the_session(self, session: Session) -> None:
        prompt = ("claude_code.user_prompt", NOW, {"session.id": session.name, "prompt.id": "p"})
        resource = {"service.name": "claude-code", "service.namespace": session.project}
        told = {**prompt[2], "prompt": "Mend it"}
        export(session.server, logs((*prompt[:2], told), session.call(), resource=resource))
        assert session.usage() is None
        self.wait(session)
        wait_for(lambda: session.usage() is not None, 20, "the session")
        assert session.usage() == used()
        path = f"/api/projects/{session.project}/tasks"
        (task,) = session.server.http.get(path).json()["tasks"]
        assert (task["title"], task["status"]) == ("Mend it", "completed")
        late = logs(session.call(at=50), resource=resource)
        export(session.server, late)
        self.wait(session)
        wait_for(lambda: session.usage() == used(2), 20, "the second call")

    def test_a_prompt_whose_hook_never_comes_counts_to_the_one_before(
        self, session: Session
    ) -> None:
        session.hook("UserPromptSubmit", 0, prompt="x")
        export(session.server, logs(session.call(turn="title")))
        assert session.usage() is None
        self.wait(session)
        wait_for(lambda: session.usage() == used(), 20, "the call")


def codex(session: Session, *at: int, prompt: int | None = None) -> dict[str, Any]:
    of = {"conversation.id": session.name, "model": "m"}
    response = {**of, "event.kind": "response.completed"}
    counts = {"input_token_count": "110", "output_token_count": 3, "cached_token_count": 100}
    asked = [] if prompt is None else [("codex.user_prompt", NOW + prompt, {**of, "prompt": "x"})]
    twice = [
        ("codex.sse_event", NOW + one, told) for one in at for told in (response, response | counts)
    ]
    return logs(*asked, *twice, resource={"service.name": "codex_exec"})


def test_codex_names_no_turn(shared_server: Server) -> None:
    session = Session(shared_server, "codex")
    first = {"turn_id": "one", "prompt": "First"}
    session.hook("UserPromptSubmit", 0, None, **first)
    export(shared_server, codex(session, 100, 200, prompt=20))
    session.hook("Stop", 300, None, **first)
    # Telemetry of the second turn comes before the hook of its prompt.
    export(shared_server, codex(session, 10_100, prompt=10_000))
    session.hook("UserPromptSubmit", 9_990, None, turn_id="two", prompt="Second")
    export(shared_server, codex(session, 250))
    for turn, times in (("one", 3), ("two", 1)):
        usage = session.usage(turn)
        assert usage is not None
        assert {**usage, "cost_usd": 0} == {**used(times), "cost_usd": 0}, turn
    path = f"/api/projects/{session.project}/tasks/{session.name}%2Fone"
    models = shared_server.http.get(path).json()["usage"]["models"]
    assert models[0]["cache_read_tokens"] == 300


def test_gemini_counts_thoughts_as_output(shared_server: Server) -> None:
    session = Session(shared_server, "gemini-cli")
    session.hook("BeforeAgent", 0, None, prompt="x")
    counts = {
        **{"input_token_count": 110, "cached_content_token_count": 100},
        **{"output_token_count": 1, "thoughts_token_count": 2, "model": "m"},
    }
    resource = {"service.name": "gemini-cli", "session.id": session.name}
    export(shared_server, logs(("gemini_cli.api_response", NOW + 5, counts), resource=resource))
    usage = session.usage("1")
    assert usage is not None
    assert (usage["input_tokens"], usage["output_tokens"]) == (10, 3)


def test_a_time_of_0_is_taken_from_the_event(session: Session) -> None:
    session.hook("UserPromptSubmit", 0, prompt="x")
    name, _, told = session.call(turn="")
    at = datetime.fromtimestamp((NOW + 5) / 1000, UTC).isoformat()
    export(session.server, logs((name, 0, {**told, "event.timestamp": at})))
    assert session.usage() == used()


def test_what_is_of_no_agent_is_dropped_and_counted(server: Server) -> None:
    export(server, logs(("shop.sold", NOW, {"session.id": "s"}), ("x", NOW, {})))
    export(server, {"resourceMetrics": [{}]}, "metrics")
    export(server, logs(call(NOW)))
    found = {one["agent"]: one for one in server.http.get("/api/agents").json()["agents"]}
    assert found["otlp"]["payloads"] == 2
    assert found["otlp"]["unknown"] == {}
    assert found["claude-code"]["payloads"] == 1
    assert server.http.get("/api/projects").json()["projects"] == []


class TestRefusals:
    @pytest.mark.parametrize("signal", ["logs", "metrics", "traces"])
    def test_a_failure_is_a_status_in_the_form_of_the_request(
        self, shared_server: Server, signal: str
    ) -> None:
        path = f"/v1/{signal}"
        in_json = shared_server.http.post(path, content=b"{", headers=JSON)
        assert code_of(in_json) == (400, "INVALID_JSON")
        assert in_json.json()["code"] == 3
        assert in_json.json()["message"] == in_json.json()["error"]["message"]
        garbage = b"\xff\xff\xff"
        answer = shared_server.http.post(path, content=garbage, headers={"Content-Type": PROTOBUF})
        assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROTOBUF)
        assert answer.content[:2] == b"\x08\x03"
        assert b"protobuf" in answer.content

    def test_the_key_comes_as_exporters_send_it(self, shared_server: Server) -> None:
        with httpx.Client(base_url=shared_server.url, trust_env=False) as client:
            for headers in ({"Authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}):
                assert client.post("/v1/logs", json={}, headers=headers).status_code == 200
            assert client.post("/v1/logs", json={}).json()["code"] == 16
            answer = client.post("/v1/logs", content=b"", headers={"Content-Type": PROTOBUF})
            assert (answer.status_code, answer.content[:2]) == (401, b"\x08\x10")

    @pytest.mark.parametrize("content_type", ["text/plain", "application/grpc", ""])
    def test_other_types_are_refused(self, shared_server: Server, content_type: str) -> None:
        headers = {"Content-Type": content_type}
        answer = shared_server.http.post("/v1/logs", content=b"{}", headers=headers)
        assert code_of(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")

    def test_other_codings_are_refused(self, shared_server: Server) -> None:
        headers = {**JSON, "Content-Encoding": "br"}
        answer = shared_server.http.post("/v1/logs", content=b"{}", headers=headers)
        assert code_of(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")

    def test_it_may_be_8_mib_and_no_more(self, shared_server: Server) -> None:
        body = b'{"x":"' + b"a" * (MAX_TELEMETRY_BYTES - 8) + b'"}'
        for content in (body, gzip.compress(body)):
            coded = {} if content is body else {"Content-Encoding": "gzip"}
            headers = {**JSON, **coded}
            answer = shared_server.http.post("/v1/logs", content=content, headers=headers)
            assert answer.status_code == 200
        longer = body.replace(b'"x"', b'"xy"')
        for content in (longer, gzip.compress(longer)):
            coded = {} if content is longer else {"Content-Encoding": "gzip"}
            headers = {**JSON, **coded}
            answer = shared_server.http.post("/v1/logs", content=content, headers=headers)
            assert code_of(answer) == (413, "PAYLOAD_TOO_LARGE")
        chunks = (longer[i : i + 65536] for i in range(0, len(longer), 65536))
        answer = shared_server.http.post("/v1/logs", content=chunks, headers=JSON)
        assert code_of(answer) == (413, "PAYLOAD_TOO_LARGE")

    def test_a_key_for_other_projects_counts_nothing(self, session: Session) -> None:
        session.hook("UserPromptSubmit", 0, prompt="x")
        key = make_key(session.server, f"key-{session.name}", "report", "other")
        with client_with(session.server, key) as client:
            assert code_of(client.post("/v1/logs", json=logs(session.call()))) == (403, "FORBIDDEN")
            both = logs(session.call(at=6), call(NOW, session=f"other-{session.name}"))
            answer = client.post("/v1/logs", json=both)
            assert answer.status_code == 200
            assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "1"
        assert session.usage() is None

    def test_odd_values_never_fail(self, shared_server: Server) -> None:
        odd: tuple[Any, ...] = (None, 5, [], {}, {"a": 1}, "x", "\0", "9" * 50, [None], [[]], 1e300)
        fields = ("session.id", "prompt.id", "agent_id", "agent.name", "model", "input_tokens")
        for value in odd:
            for key in ("stringValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "z"):
                told = [{"key": name, "value": {key: value}} for name in fields]
                record = {"attributes": told, "timeUnixNano": value}
                record["body"] = {"stringValue": "claude_code.api_request"}
                named = {"key": "event.name", "value": {"stringValue": "api_request"}}
                record["attributes"] += [named, {"key": value, "value": value}, value]
                content = {
                    "resourceLogs": [
                        {"resource": value, "scopeLogs": [{"logRecords": [record, value]}]}
                    ]
                }
                export(shared_server, content)
        for path, value in itertools.product(("logs", "metrics", "traces"), odd):
            name = {"logs": "Logs", "metrics": "Metrics", "traces": "Spans"}[path]
            for content in (
                {f"resource{name}": value},
                {f"resource{name}": [{f"scope{name}": [value]}]},
            ):
                answer = shared_server.http.post(f"/v1/{path}", json=content)
                assert answer.status_code in (200, 422), content


JSON = {"Content-Type": "application/json"}


def test_its_library_is_imported_at_the_first_request() -> None:
    loaded = "import sys, tracker.app; print({*sys.modules} & {'google.protobuf', 'opentelemetry'})"
    found = run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_it_is_limited_with_the_hooks(start_server: Callable[..., Server]) -> None:
    server = start_server("--rate-limit-agents", "2")
    heard(send(server, "Stop"))
    assert server.http.post("/v1/logs", json={}).headers["RateLimit"].startswith('"agents";r=0')
    answer = server.http.post("/v1/metrics", json={})
    assert code_of(answer) == (429, "RATE_LIMITED")
    assert answer.headers["Retry-After"]
