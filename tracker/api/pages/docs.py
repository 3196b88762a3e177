"""`/docs` (Swagger UI), `/redoc` (ReDoc) and their files: all served from here, no network used.

The two viewers come with the package `offapi`, whose files are served as they are but for
addresses on the network; it is not imported, because its import reads more of them into memory.

All files are read at start: while a server runs, its package may be upgraded, and what an
executable has unpacked may be cleaned away. `tracker.api.later` imports what makes the document.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

import falcon
import falcon.asgi

from tracker.api.content_coding import accepts_gzip
from tracker.api.middleware.auth import Rights
from tracker.api.pages.once import Once
from tracker.api.pages.unchanging import Unchanging
from tracker.api.resources import not_modified
from tracker.domain.principal import Right

# Swagger UI and ReDoc put styles into the page and draw with data: images and fonts. Nothing else
# is allowed but what this server sends.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_VIEWERS: Final = ("swagger_bundle.js", "swagger_style.css", "redoc.js")
_OURS: Final = ("docs.css", "redoc_start.js", "swagger_start.js")

# Where ReDoc would load its logo from. A reader without a network sees its name instead.
_CDN: Final = b"https://cdn.redoc.ly/"


class Page:
    """One HTML page."""

    rights = Rights(get=Right.OPEN)

    def __init__(self, name: str, root_path: str) -> None:
        html = _ours(name).read_text("utf-8")
        self._html = html.replace('"/docs/', f'"{root_path}/docs/').encode()

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The page, which may load and reach nothing but this server."""
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.data = self._html


class Assets:
    """`/docs/assets/{name}`: the pages' scripts and styles, and no other file."""

    rights = Rights(get=Right.OPEN)

    def __init__(self) -> None:
        viewers = _package_folder("offapi")
        paths = {name: viewers / name for name in _VIEWERS} | {name: _ours(name) for name in _OURS}
        self._files = {
            name: Once(partial(_file, path.read_bytes())) for name, path in paths.items()
        }

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """The file, compressed for those who take it so; asked for again, 304."""
        if name not in self._files:
            raise falcon.HTTPNotFound
        file = await self._files[name].get()
        if not_modified(req, resp, file.etag):
            return
        resp.content_type = _TYPES[Path(name).suffix]
        resp.set_header("X-Content-Type-Options", "nosniff")
        if accepts_gzip(req.get_header("Accept-Encoding")):
            resp.set_header("Content-Encoding", "gzip")
            resp.data = file.gzipped
        else:
            resp.data = file.content


class OpenApi:
    """`/openapi.json`."""

    rights = Rights(get=Right.OPEN)

    def __init__(self, root_path: str) -> None:
        introduction = _ours("introduction.md").read_text("utf-8")
        self._document = Once(partial(_build_document, root_path, introduction))

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The API's description."""
        (await self._document.get()).write_to(req, resp)


class _File(NamedTuple):
    """A file of a megabyte or two. It is the same for all who ask, or those who ask and do not read
    would fill the memory."""

    content: bytes
    gzipped: bytes
    etag: str


def _file(content: bytes) -> _File:
    content = content.replace(_CDN, b"data:,")
    # Weak: it names the content, compressed or not.
    etag = f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    return _File(content, gzip.compress(content, compresslevel=6, mtime=0), etag)


def _build_document(root_path: str, introduction: str) -> Unchanging:
    from tracker.api.openapi.document import document  # noqa: PLC0415 - see `later`

    return Unchanging(document(root_path, introduction), falcon.MEDIA_JSON)


def _ours(name: str) -> Path:
    return Path(str(resources.files("tracker"))) / "web" / "docs" / name


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(name)
    return Path(spec.submodule_search_locations[0])
