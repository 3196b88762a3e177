"""Asks a server everything that it describes, once."""

from __future__ import annotations

import httpx
import websockets.sync.client as ws_client

from tests.support.described import Document
from tests.support.server import KEY, Server, quote

PAGES = ("/", "/docs", "/redoc", "/docs/assets/redoc.js", "/docs/assets/swagger_bundle.js")
_GZIP = {"Accept-Encoding": "gzip"}


def walk(server: Server) -> list[str]:
    """What was answered by 5xx, though it should not."""
    document = Document(server.http.get("/openapi.json").raise_for_status().json())
    failed = []
    for operation in sorted(document.operations, key=lambda one: one.method == "DELETE"):
        body = operation.body
        for json in ({}, None) if body is None else (body.get("example", {}), {}, []):
            url = "/".join(map(quote, operation.url.split("/")))
            with server.http.stream(operation.method, url, json=json, headers=_GZIP) as answer:
                if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                    failed.append(f"{operation}: {answer.status_code}")
    for page in (*PAGES, "/nowhere", "/api/projects?limit=none"):
        if server.http.get(page, headers=_GZIP).is_server_error:
            failed.append(page)
    with ws_client.connect(f"{server.ws_url}/ws?api_key={KEY}&since=0", proxy=None) as socket:
        socket.recv(timeout=10)
    return failed
