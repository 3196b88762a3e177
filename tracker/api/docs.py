"""`/docs` (Swagger UI), `/redoc` (ReDoc) and their files: all served from here, no network used.

The two viewers come with the package `offapi`, whose files are served as they are; it is not
imported, because its import reads them all into memory.
"""

from __future__ import annotations

import asyncio
import importlib.util
from importlib import resources
from pathlib import Path
from typing import Final

import falcon
import falcon.asgi

# Swagger UI and ReDoc put styles into the page and draw with data: images; nothing else is allowed
# but what this server sends.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_VIEWERS: Final = ("swagger_bundle.js", "swagger_style.css", "redoc.js")
_OURS: Final = ("swagger.js", "redoc.css")


class Page:
    """One HTML page."""

    def __init__(self, name: str) -> None:
        self._html = (resources.files("tracker") / "web" / "docs" / name).read_bytes()

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The page, which may load and reach nothing but this server."""
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.data = self._html


class Assets:
    """`/docs/assets/{name}`: the pages' scripts and styles, and no other file."""

    def __init__(self) -> None:
        ours = Path(str(resources.files("tracker"))) / "web" / "docs"
        viewers = _package_folder("offapi")
        self._files = {name: viewers / name for name in _VIEWERS}
        self._files |= {name: ours / name for name in _OURS}

    async def on_get(
        self, _req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str
    ) -> None:
        """The file; they change with the version only."""
        path = self._files.get(name)
        if path is None:
            raise falcon.HTTPNotFound
        resp.content_type = _TYPES[path.suffix]
        resp.set_header("Cache-Control", "max-age=3600")
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.data = await asyncio.to_thread(path.read_bytes)


class OpenApi:
    """`/openapi.json`."""

    def __init__(self, document: bytes) -> None:
        self._document = document

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The API's description."""
        resp.data = self._document


class Home:
    """`/`."""

    async def on_get(self, _req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """The documentation, until there is a dashboard."""
        raise falcon.HTTPFound("/docs")


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(name)
    return Path(spec.submodule_search_locations[0])
