"""`/openapi.json`: valid, complete, true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from unittest import mock

import httpx
import jsonschema_rs
import pytest
import schemathesis

import tracker
from agent_task_tracker.proof import key_id
from tests.support import document as api_document
from tests.support.described import PAGES, SOCKET, Document, Operation, nodes, routes
from tests.support.server import Server
from tracker.api.errors import STATUSES
from tracker.api.pages import docs
from tracker.app import create_app
from tracker.config.settings import Settings
from tracker.domain.limits import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_STACK_TRACE_BYTES,
    CloseCode,
)

# What HTTP itself adds to an answer, which no API description lists.
PLAIN_HEADERS = {
    *("cache-control", "connection", "content-encoding", "content-length", "content-type", "date"),
    *("transfer-encoding", "vary", "x-accel-buffering"),
}


@pytest.fixture(scope="module")
def document(shared_server: Server) -> Document:
    answer = httpx.get(shared_server.url + "/openapi.json", trust_env=False)  # without a key
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    return Document(answer.json())


def test_it_is_openapi_3_1_whose_references_lead_somewhere(document: Document) -> None:
    schemathesis.openapi.from_dict(document.content).validate()
    for schema in document.content["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
    for node in nodes(document.content):
        if "$ref" in node:
            assert document.follow(node)
        for reference in node.get("mapping", {}).values():
            assert document.follow({"$ref": reference})


def test_it_says_what_it_is(document: Document) -> None:
    info = document.content["info"]
    assert info["version"] == tracker.__version__
    assert info["license"]["identifier"] == "MIT"
    assert document.content["openapi"].startswith("3.1")


def test_it_has_the_operations_that_the_application_has(document: Document) -> None:
    described = {(operation.method, operation.path) for operation in document.operations}
    there_are = {tuple(route) for route in routes() if route.path not in {*PAGES, SOCKET}}
    assert described == there_are
    ids = [operation.content["operationId"] for operation in document.operations]
    assert len(set(ids)) == len(ids)


def test_it_uses_every_component_it_has(document: Document) -> None:
    text = json.dumps(document.content)
    for kind, components in document.content["components"].items():
        for name in components:
            used = f'"{name}": []' if kind == "securitySchemes" else f'"#/components/{kind}/{name}"'
            assert used in text, f"{kind}/{name}"


def test_every_operation_is_in_a_tag_and_in_plain_words(document: Document) -> None:
    tags = [tag["name"] for tag in document.content["tags"]]
    for operation in document.operations:
        assert operation.content["summary"], operation
        assert set(operation.content["tags"]) <= set(tags), operation


def test_generators_of_clients_have_a_type_for_every_schema(document: Document) -> None:
    """The forms that they fail on, or leave out: tests/api/test_generated_clients.py tries two
    generators, but there are more."""
    components = document.content["components"]["schemas"]
    for node in nodes(document.content):
        where = json.dumps(node)[:300]
        assert node.get("type") != "null" or node == {"type": "null"}, where
        assert not {"prefixItems", "not", "if", "patternProperties"} & node.keys(), where
        for name in ("anyOf", "oneOf"):
            others = [one for one in node.get(name, ()) if one != {"type": "null"}]
            # A named component, perhaps null; or one of several that a field tells apart.
            assert all("$ref" in one for one in others), where
            assert len(others) <= 1 or "discriminator" in node, where
        alternatives = [one for name in ("anyOf", "oneOf") for one in node.get(name, ())]
        inside = [*node.get("properties", {}).values(), node.get("items"), node.get("schema")]
        for schema in (one for one in inside if isinstance(one, dict)):
            assert schema != {"type": "null"}, where
            assert "properties" not in schema, f"has no name: {where}"
        assert {"type": "null"} not in alternatives or len(alternatives) == 2, where
    for operation in document.operations:
        for parameter in operation.parameters:  # generators know how to write these into an address
            schema = document.follow(parameter["schema"])
            assert schema["type"] in ("string", "integer", "number", "boolean"), operation
        for answer in operation.responses.values():
            for media_type, content in answer.get("content", {}).items():
                assert media_type != "application/json" or "$ref" in content["schema"], operation
    # Those of languages' own types, which a class of the same name would hide.
    assert not {"Error", "Object", "String", "Number", "Date", "Map"} & components.keys()


def examples(document: Document) -> list[tuple[str, dict[str, Any], Any]]:
    """Every example with its schema and where it stands."""
    found = []
    for operation in document.operations:
        if operation.body is not None:
            found.append((f"{operation} body", operation.body["schema"], operation.body["example"]))
        for parameter in operation.parameters:
            if "example" in parameter:
                where = f"{operation} {parameter['name']}"
                found.append((where, parameter["schema"], parameter["example"]))
        for status, answer in operation.responses.items():
            for content in answer.get("content", {}).values():
                found.append((f"{operation} {status}", content["schema"], content["example"]))
            for name, reference in answer.get("headers", {}).items():
                header = document.follow(reference)
                found.append((f"{operation} {name}", header["schema"], header["example"]))
    for schema in nodes(document.content):
        for example in schema.get("examples", ()):
            found.append(("schema", schema, example))
    return found


def test_every_example_is_what_its_schema_allows(document: Document) -> None:
    found = examples(document)
    for where, schema, example in found:
        try:
            document.check_strictly(schema, example)
        except jsonschema_rs.ValidationError as error:
            pytest.fail(f"{where}: {error}")
    with_examples = {where for where, _, _ in found}
    for operation in document.operations:
        for status in operation.responses:
            if status not in (202, 204, 304):
                assert f"{operation} {status}" in with_examples


def test_its_examples_are_those_of_the_api_document(document: Document) -> None:
    compared = 0
    for operation in document.operations:
        if f"### {operation}\n" not in api_document.TEXT:
            continue
        if operation.body is not None:
            assert operation.body["example"] == api_document.request(str(operation))
        example = operation.responses[200]["content"]["application/json"]["example"]
        documented = api_document.response(str(operation))
        if operation.path == "/redis-check":
            documented["redis_version"] = api_document.NO_REDIS
        api_document.assert_like(example, documented, str(operation))
        compared += 1
    assert compared == len(re.findall(r"^### (?:GET|POST) ", api_document.TEXT, re.MULTILINE))


def test_every_failure_is_described_with_its_codes(document: Document) -> None:
    said = set()
    for operation in document.operations:
        assert {400, 500} <= operation.responses.keys(), operation
        assert (401 in operation.responses) == (operation.content.get("security") != []), operation
        anybody = operation.path == "/api/info"  # with any key
        assert (403 in operation.responses) == (401 in operation.responses and not anybody)
        may_be_missing = "{" in operation.path or operation.path in ("/proof", "/mcp")
        assert (404 in operation.responses) == may_be_missing, operation
        for status, answer in operation.responses.items():
            codes = set(re.findall(r"`([A-Z_]+)`", answer["description"]))
            assert {STATUSES[code] for code in codes} <= {status}, operation
            example = next(iter(answer.get("content", {}).values()), {}).get("example", {})
            if "error" in example and "jsonrpc" not in example:
                assert example["error"]["code"] in codes, operation
            said |= codes
    introduction = document.content["info"]["description"]
    of_any_address = {"METHOD_NOT_ALLOWED", "UPGRADE_REQUIRED"}  # told of in the introduction
    assert STATUSES.keys() - said == of_any_address
    assert all(code in introduction for code in of_any_address)


def test_the_introduction_gives_the_limits_and_close_codes_there_are(document: Document) -> None:
    introduction = document.content["info"]["description"]
    defaults = Settings()
    for limit in (MAX_BODY_BYTES, MAX_STACK_TRACE_BYTES):
        assert f"{limit:,} bytes" in introduction
    assert f"{MAX_HEADER_BYTES // 1024} KiB" in introduction
    assert f"Webhooks: {defaults.rate_limit_webhook} requests a minute" in introduction
    assert f"`/api/`: {defaults.rate_limit_api};" in introduction
    assert f"{defaults.ws_per_project} open WebSockets a project" in introduction
    ours = {value for name, value in vars(CloseCode).items() if name.isupper()}
    listed = {int(code) for code in re.findall(r"^\| (\d{4}) \|", introduction, re.MULTILINE)}
    assert ours < listed


def send(http: httpx.Client, operation: Operation) -> httpx.Response:
    """Send the operation's own example."""
    query = {
        parameter["name"]: parameter["example"]
        for parameter in operation.parameters
        if parameter["in"] == "query" and parameter.get("required")
    }
    body = operation.body and operation.body["example"]
    with http.stream(operation.method, operation.url, params=query, json=body) as answer:
        if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            next(answer.iter_raw())  # it would not end
        else:
            answer.read()
        return answer


def example_of(document: Document, path: str, name: str) -> str:
    """A parameter's example."""
    (operation,) = [one for one in document.operations if one.path == path]
    return next(str(one["example"]) for one in operation.parameters if one["name"] == name)


def in_order(operation: Operation) -> tuple[int, int]:
    """What makes anything first, deletions last, the innermost of them first."""
    number = ["POST", "GET", "DELETE"].index(operation.method)
    return number, operation.path.count("/") * (1 if number == 0 else -1)


def test_examples_as_printed_get_the_answers_described(
    start_server: Callable[..., Server], document: Document
) -> None:
    server = start_server(key=None, limits=True)  # one that proves its key
    key = (server.folder / "tracker.db.api-key").read_text().strip()
    server.http.headers["X-API-Key"] = key
    ours = json.dumps(document.content).replace(
        example_of(document, "/proof", "key_id"), key_id(key)
    )
    for operation in sorted(Document(json.loads(ours)).operations, key=in_order):
        answer = send(server.http, operation)
        described = operation.responses.get(answer.status_code)
        assert described is not None, f"{operation}: {answer.status_code}"
        assert answer.is_success, f"{operation}: {answer.text}"
        for media_type, content in described.get("content", {}).items():
            assert answer.headers["Content-Type"].partition(";")[0] == media_type, operation
            if media_type == "application/json":
                document.check_strictly(content["schema"], answer.json())
        unnamed = set(answer.headers) - {name.lower() for name in described.get("headers", ())}
        assert unnamed <= PLAIN_HEADERS, operation
        missing = {name for name in described.get("headers", ()) if name not in answer.headers}
        assert missing <= {"Idempotent-Replayed"}, operation


def test_what_has_not_changed_is_not_sent_again_where_that_is_described(
    shared_server: Server, document: Document
) -> None:
    shared_server.report("finish", "my-project", "task-123")
    conditional = [operation for operation in document.operations if 304 in operation.responses]
    assert len(conditional) >= 7
    for operation in conditional:
        assert "If-None-Match" in {parameter["name"] for parameter in operation.parameters}
        etag = shared_server.http.get(operation.url).headers["ETag"]
        headers = {"If-None-Match": etag}
        again = shared_server.http.get(operation.url, headers=headers)
        while operation.path == "/api/websocket/stats" and again.status_code == 200:
            # Its uptime may have grown by a second just then.
            headers = {"If-None-Match": again.headers["ETag"]}
            again = shared_server.http.get(operation.url, headers=headers)
        assert (again.status_code, again.content) == (304, b""), operation


def test_a_task_s_history_holds_each_kind_of_event_as_described(
    shared_server: Server, document: Document, project: str
) -> None:
    for kind, fields in [
        ("start", {"metadata": {"a": 1}}),
        ("status", {"progress": 12.5}),
        ("error", {"stack_trace": "line"}),
        ("status", {"progress": 50, "status": "running"}),  # late
        ("finish", {"result": "done", "duration_seconds": 1.5}),
        ("start", {}),
    ]:
        assert shared_server.report(kind, project, **fields).is_success
    task = shared_server.task(project)
    assert len({event["type"] for event in task["events"]}) == 4
    document.check_strictly({"$ref": "#/components/schemas/TaskWithHistory"}, task)


def test_a_server_starts_without_building_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "_build_document", mock.Mock(side_effect=AssertionError))
    create_app(Settings(api_key="only-to-be-made"), None)
