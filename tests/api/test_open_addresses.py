"""What is open without a key is there; what browsers ask for unasked gets a useful answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
import pytest

from agent_task_tracker.proof import key_id
from tests.support.server import Server

# What browsers and monitors ask for without a key.
PATHS = [
    *("/", "/projects", "/stats", "/events", "/settings", "/favicon.ico", "/projects/p"),
    *("/health", "/healthz", "/readyz", "/docs", "/redoc", "/openapi.json"),
    *("/client.js", "/client.d.ts", "/manifest.json", "/worker.js"),
]


@pytest.fixture(scope="module")
def stranger(shared_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_server.url, trust_env=False, timeout=20) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_what_is_open_is_there(stranger: httpx.Client, path: str) -> None:
    assert stranger.get(path, follow_redirects=True).status_code == 200
    assert stranger.head(path, follow_redirects=True).status_code == 200


def test_the_proof_is_there(stranger: httpx.Client) -> None:
    """It has no key to prove here, and says so itself: no address that is none would."""
    query = {"key_id": key_id("of-another-server"), "nonce": secrets.token_hex(16)}
    answer = stranger.get("/proof", params=query)
    assert "no such key" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/health", "/docs", "/openapi.json"])
def test_what_is_open_is_so_for_every_method(stranger: httpx.Client, path: str) -> None:
    assert stranger.options(path).status_code == 200
    assert stranger.post(path).status_code == 405


@pytest.mark.parametrize("path", PATHS)
def test_what_a_page_needs_is_there_too(stranger: httpx.Client, path: str) -> None:
    page = stranger.get(path, follow_redirects=True)
    linked = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    found = {urljoin(str(page.url.path), link) for link in linked}
    found = {link for link in found if not link.startswith("data:")}
    assert {link: stranger.get(link).status_code for link in found} == dict.fromkeys(found, 200)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_slash_at_the_end_does_not_matter(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(f"{path}/")
    assert answer.text == stranger.get(path).text
    assert "/docs/assets/docs.css" in answer.text


def test_browsers_find_the_icon(stranger: httpx.Client) -> None:
    icon = stranger.get("/favicon.ico", follow_redirects=True)
    assert icon.headers["Content-Type"] == "image/svg+xml"
    assert icon.text.startswith("<svg")
    assert str(icon.url.path) in stranger.get("/").text


@pytest.mark.parametrize("path", ["/robots.txt", "/apple-touch-icon.png", "/sitemap.xml"])
def test_what_is_not_there_says_so_in_the_one_shape(shared_server: Server, path: str) -> None:
    with httpx.Client(base_url=shared_server.url, trust_env=False) as stranger:
        refused = stranger.get(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert refused.headers["WWW-Authenticate"] == "Bearer"  # no browser asks its user for that
    missing = shared_server.http.get(path)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "NOT_FOUND")
