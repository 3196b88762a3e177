"""`/openapi.json` as the tests read it, and the routes that the application really has."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import falcon.asgi
import jsonschema_rs
from falcon.inspect import inspect_routes

from tracker.api.pages import dashboard
from tracker.app import create_app
from tracker.config.settings import Settings

# Served, but not part of the API: pages for people, their files, the document itself.
PAGES = frozenset(
    {
        *("/docs", "/docs/", "/redoc", "/redoc/", "/docs/assets/{name}", "/openapi.json"),
        *("/client.js", "/client.d.ts", "/manifest.json", "/worker.js"),
        *(*dashboard.PAGES, "/assets/{version}/{name}", "/favicon.ico"),
    }
)
SOCKET = "/ws"


class Route(NamedTuple):
    """A method and the path it is for, with names in braces."""

    method: str
    path: str

    @property
    def http_method(self) -> str:
        """The method without an upgrade."""
        return "GET" if self.method == "WEBSOCKET" else self.method

    @property
    def url(self) -> str:
        """The path with something in the place of each name."""
        return re.sub(r"\{(\w+)\}", r"any \1", self.path)


def routes() -> set[Route]:
    """Every route of the application, asked of its router."""
    return {route for _, routes in resources() for route in routes}


def resources() -> list[tuple[Any, set[Route]]]:
    """Every resource of the application, and its routes."""
    app: Any = create_app(Settings(api_key="only-to-list-routes"), None).asgi
    while not isinstance(app, falcon.asgi.App):
        app = app._app  # middleware around it
    described = {route.path: route for route in inspect_routes(app)}
    found = []
    nodes = [("", node) for node in app._router._roots]
    while nodes:
        parent, node = nodes.pop()
        path = f"{parent}/{node.raw_segment}"
        nodes += [(path, child) for child in node.children or ()]
        if node.resource is not None:
            methods = [one.method for one in described[path].methods if not one.internal]
            plain = re.sub(r"\{(\w+):\w+\}", r"{\1}", path)
            found.append((node.resource, {Route(method, plain) for method in methods}))
    return found


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    document: Document
    method: str
    path: str
    content: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def responses(self) -> dict[int, dict[str, Any]]:
        return {
            int(status): self.document.follow(answer)
            for status, answer in self.content["responses"].items()
        }

    @property
    def parameters(self) -> list[dict[str, Any]]:
        return [self.document.follow(one) for one in self.content.get("parameters", ())]

    @property
    def body(self) -> dict[str, Any] | None:
        """The JSON body's schema and example."""
        if "requestBody" not in self.content:
            return None
        return dict(self.content["requestBody"]["content"]["application/json"])

    @property
    def url(self) -> str:
        """The path, with each name's example in its place."""
        url = self.path
        for parameter in self.parameters:
            if parameter["in"] == "path":
                url = url.replace(f"{{{parameter['name']}}}", parameter["example"])
        return url


@dataclass(frozen=True)
class Document:
    """The document, parsed."""

    content: dict[str, Any]

    @property
    def operations(self) -> list[Operation]:
        return [
            Operation(self, method.upper(), path, content)
            for path, methods in self.content["paths"].items()
            for method, content in methods.items()
        ]

    def follow(self, node: dict[str, Any]) -> dict[str, Any]:
        """The node, or what it refers to."""
        if "$ref" not in node:
            return node
        found: Any = self.content
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return dict(found)

    def check(self, schema: dict[str, Any], instance: Any) -> None:
        """Raises unless the instance is what the schema allows."""
        components = {"components": self.content["components"]}
        jsonschema_rs.validate(schema | components, instance, validate_formats=True)

    def check_strictly(self, schema: dict[str, Any], instance: Any) -> None:
        """Likewise, and the instance must have no field that the schema does not name."""
        jsonschema_rs.validate(schema | self._strict, instance, validate_formats=True)

    @cached_property
    def _strict(self) -> dict[str, Any]:
        components = copy.deepcopy(self.content["components"])
        for node in nodes(components["schemas"]):
            if "properties" in node:
                node.setdefault("additionalProperties", False)
        return {"components": components}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object within a value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from nodes(item)
