"""The dashboard's files: one page for all of its addresses, and what the page loads.

All are read at start, from a checkout, a wheel or the executable alike, as scripts/dashboard.py has
built them, and are open without a key. The assets' address holds a hash of them all: browsers keep
them for good, and never mix those of two versions.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Final, NamedTuple

import falcon
import falcon.asgi

from tracker.api.middleware.auth import Rights
from tracker.api.pages.unchanging import Unchanging
from tracker.api.resources import not_modified
from tracker.domain.principal import Right

# Nothing is run, loaded or reached but what this server sends; no script may build HTML from text.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # "worker" gives the address of worker.js, and nothing else.
    "require-trusted-types-for 'script'; trusted-types worker"
)
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "map": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}

# A clone whose packages were installed by hand; everything but the page works.
_NOT_BUILT: Final = (
    b"<!doctype html><title>Agent Task Tracker</title><p>The dashboard is not built. "
    b"In the clone run: <code>python3 scripts/dashboard.py</code>, then start the server again.\n"
)

MANIFEST: Final = "manifest.json"
WORKER: Final = "worker.js"

# The page's addresses: those of tracker/web/app/lib/router.js.
PAGES: Final = (
    "/",
    "/tasks",
    "/projects",
    "/projects/{project}",
    "/projects/{project}/board",
    "/projects/{project}/timeline",
    "/projects/{project}/tasks/{task}",
    "/stats",
    "/events",
    "/timeline",
    "/settings",
)


class Files(NamedTuple):
    """The dashboard's files. `manifest`, `worker`: what has to be at the top of all addresses."""

    page: bytes
    assets: dict[str, bytes]
    version: str
    manifest: bytes = b"{}"
    worker: bytes = b""


def load(root_path: str) -> Files:
    """Read them, and give the page its assets' addresses, which begin with `root_path`."""
    built = resources.files("tracker") / "web" / "built"
    if not built.is_dir():
        return Files(_NOT_BUILT, {}, "none")
    files = {
        entry.name: entry.read_bytes()
        for entry in built.iterdir()
        if not entry.name.endswith(".json") or entry.name == MANIFEST
    }
    page, manifest = files.pop("index.html").decode(), files.pop(MANIFEST).decode()
    worker = files.pop(WORKER)
    digest = hashlib.blake2b(digest_size=6)
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name])
    version = digest.hexdigest()
    base = f"{root_path}/assets/{version}"
    page = page.replace("/assets", base)
    page = page.replace('data-root=""', f'data-root="{root_path}"')
    page = page.replace(f'"/{MANIFEST}"', f'"{root_path}/{MANIFEST}"')
    manifest = manifest.replace('"/', f'"{root_path}/').replace(f"{root_path}/assets", base)
    return Files(page.encode(), files, version, manifest.encode(), worker)


class DashboardPage:
    """Any address of the dashboard: the page itself finds out which."""

    rights = Rights(get=Right.OPEN)

    def __init__(self, files: Files) -> None:
        self._page = Unchanging(files.page, falcon.MEDIA_HTML)
        self._version = files.version

    async def on_get(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **_names: str
    ) -> None:
        """The page."""
        self._protect(resp)
        if not not_modified(req, resp, self._page.etag):
            self._page.write_to(req, resp)

    def answer_unknown(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The page, which says that there is nothing at this address, and where to go from it."""
        self._protect(resp)
        resp.status = falcon.HTTP_404
        resp.set_header("Cache-Control", "no-store")
        resp.append_header("Vary", "Accept")
        self._page.write_to(req, resp)

    def _protect(self, resp: falcon.asgi.Response) -> None:
        resp.set_headers(
            {
                "Content-Security-Policy": _POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "same-origin",
                "X-Dashboard": self._version,  # worker.js knows the page by it
            }
        )


class DashboardFile:
    """One that is asked for anew each time."""

    rights = Rights(get=Right.OPEN)

    def __init__(self, content: bytes, media_type: str) -> None:
        self._file = Unchanging(content, media_type)

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The file."""
        resp.set_headers({"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"})
        if not not_modified(req, resp, self._file.etag):
            self._file.write_to(req, resp)


class DashboardAssets:
    """`/assets/{version}/{name}`: scripts, styles, the icon."""

    rights = Rights(get=Right.OPEN)

    def __init__(self, files: Files) -> None:
        self._version = files.version
        self._files = {
            name: Unchanging(content, _TYPES[name.rpartition(".")[2]])
            for name, content in files.assets.items()
        }

    async def on_get(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, version: str, name: str
    ) -> None:
        """The file; under this address it never changes."""
        file = self._files.get(name) if version == self._version else None
        if file is None:
            raise falcon.HTTPNotFound
        file.write_to(req, resp)
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable")
        resp.set_header("X-Content-Type-Options", "nosniff")
