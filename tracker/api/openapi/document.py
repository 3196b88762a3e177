"""Builds `/openapi.json` (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

import tracker
from tracker.api.answers import ErrorResponse
from tracker.api.middleware.auth import SAFE_METHODS
from tracker.api.middleware.ratelimit import is_limited
from tracker.api.openapi import components
from tracker.api.openapi.act_operations import ACT_OPERATIONS
from tracker.api.openapi.hook_operations import HOOK_OPERATIONS
from tracker.api.openapi.key_operations import KEY_OPERATIONS
from tracker.api.openapi.mcp_operations import MCP_OPERATIONS
from tracker.api.openapi.operations import JSON, OPERATIONS, TAGS, Operation, Response
from tracker.api.openapi.telemetry_operations import TELEMETRY_OPERATIONS
from tracker.domain.principal import Right

# Any one of them will do; the recommended one first.
_SECURITY: Final[list[dict[str, list[str]]]] = [
    {name: []} for name in reversed(components.SECURITY_SCHEMES)
]
_ALL: Final = (
    *(
        *OPERATIONS,
        *ACT_OPERATIONS,
        *HOOK_OPERATIONS,
        *TELEMETRY_OPERATIONS,
        *MCP_OPERATIONS,
        *KEY_OPERATIONS,
    ),
)
_LIMIT_HEADERS: Final = ("RateLimit-Policy", "RateLimit")


def document(root_path: str, introduction: str) -> bytes:
    """The whole document, as JSON. `root_path`: before all its paths; `introduction`: Markdown."""
    schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for operation in _ALL:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schemas)
    parameters = {operation.query.__name__ for operation in _ALL if operation.query}
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Agent Task Tracker",
                "version": tracker.__version__,
                "description": introduction,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": root_path or "/", "description": "This server"}],
            "security": _SECURITY,
            "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
            "paths": paths,
            "components": {
                "schemas": {
                    name: schema for name, schema in schemas.items() if name not in parameters
                },
                "responses": {
                    name: _failure(failure) for name, failure in components.FAILURES.items()
                },
                "parameters": components.PARAMETERS,
                "headers": components.HEADERS,
                "securitySchemes": components.SECURITY_SCHEMES,
            },
        }
    )


def _operation(operation: Operation, schemas: Mapping[str, Any]) -> dict[str, Any]:
    path = operation.path
    built: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [
            *map(_parameter, re.findall(r"\{(\w+)\}", path)),
            *(_query(schemas[operation.query.__name__]) if operation.query else ()),
            *map(_parameter, operation.headers),
        ],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        content = {"schema": _schema(operation.body), "example": operation.example}
        required = any(field.is_required() for field in operation.body.model_fields.values())
        built["requestBody"] = {"required": required, "content": {JSON: content}}
    if operation.right is Right.OPEN:
        built["security"] = []
    return {name: value for name, value in built.items() if value or name == "security"}


def _responses(operation: Operation) -> dict[str, Any]:
    limited = _LIMIT_HEADERS if is_limited(operation.path) else ()
    headers = (
        *limited,
        *(("ETag",) if operation.conditional else ()),
        *(("Idempotent-Replayed",) if operation.body else ()),
        *(("Set-Cookie",) if operation.sets_cookie else ()),
    )
    answers = {
        str(status): _response(answer, headers) for status, answer in operation.answers.items()
    }
    if operation.conditional:
        answers["304"] = _response(Response("Unchanged since the ETag that was sent."), headers)
    for failure in (*operation.failures, *_failures(operation)):
        status = components.FAILURES[failure].status
        answers.setdefault(str(status), {"$ref": f"#/components/responses/{failure}"})
    return dict(sorted(answers.items()))


def _failures(operation: Operation) -> Iterable[str]:
    """The shared failures that can occur."""
    body = operation.body is not None
    safe = operation.method.upper() in SAFE_METHODS
    secured = operation.right is not Right.OPEN
    occurs = {
        "BadRequest": not body,
        "BadBody": body,
        "Unauthorized": secured,
        "Forbidden": secured and (operation.right is not Right.SIGNED_IN or not safe),
        "NotFound": "{" in operation.path,
        "PayloadTooLarge": body,
        "UnsupportedMediaType": body,
        "Invalid": not body and operation.query is not None,
        "InvalidBody": body,
        "RateLimited": is_limited(operation.path),
        "WrongKeys": secured and not is_limited(operation.path),
        "InternalError": True,
        "Unavailable": operation.stored,
    }
    return [name for name, does in occurs.items() if does]


def _response(answer: Response, headers: Iterable[str]) -> dict[str, Any]:
    built: dict[str, Any] = {"description": answer.description}
    if headers:
        built["headers"] = _headers(headers)
    if answer.example is not None:
        schema = {"type": "string"} if answer.shape is None else _schema(answer.shape)
        built["content"] = {answer.media_type: {"schema": schema, "example": answer.example}}
    return built


def _failure(failure: components.Failure) -> dict[str, Any]:
    return _response(Response(failure.description, ErrorResponse, failure.example), failure.headers)


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _parameter(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def _schema(model: Any) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _query(schema: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """A query model as parameters."""
    for name, property_ in schema["properties"].items():
        moved = ("description", "examples")
        bare = {key: value for key, value in property_.items() if key not in moved}
        parameter = {"name": name, "in": "query", "schema": bare}
        parameter |= {key: property_[key] for key in property_ if key == "description"}
        if name in schema.get("required", ()):
            parameter |= {"required": True, "example": property_["examples"][0]}
        yield parameter


def _schemas() -> dict[str, Any]:
    bodies = [operation.body for operation in _ALL if operation.body]
    queries = [operation.query for operation in _ALL if operation.query]
    answers = [answer for operation in _ALL for answer in operation.answers.values()]
    shapes = [answer.shape for answer in answers if answer.shape]
    return _generate(bodies, _RequestSchema) | _generate(
        [*queries, *shapes, ErrorResponse], _ResponseSchema
    )


def _generate(models: Iterable[Any], generator: type[GenerateJsonSchema]) -> dict[str, Any]:
    _, built = TypeAdapter.json_schemas(
        [(model, "validation", TypeAdapter(model)) for model in dict.fromkeys(models)],
        ref_template="#/components/schemas/{model}",
        schema_generator=generator,
    )
    schemas: dict[str, Any] = built["$defs"]
    return schemas


class _RequestSchema(GenerateJsonSchema):
    """What may be left out of a body may also be null."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """A list of types: many generators of clients fail on `anyOf` with the type null."""
        inner = self.generate_inner(schema["schema"])
        if "type" not in inner:  # a reference
            return super().nullable_schema(schema)
        return {**inner, "type": [inner["type"], "null"]}


class _ResponseSchema(_RequestSchema):
    """What may be left out of a query string or a response is never null."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = schema["schema"]
        if schema.get("default", ...) is None and inner["type"] == "nullable":
            return self.generate_inner(inner["schema"])
        return super().default_schema(schema)
