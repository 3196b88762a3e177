"""The dashboard over TLS, and what it says where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.certificates import make
from tests.support.dashboard import Dashboard
from tests.support.server import Server

pytestmark = pytest.mark.browser


def test_it_lives_over_tls(
    start_server: Callable[..., Server], open_dashboard: Callable[..., Dashboard], tmp_path: Path
) -> None:
    server = start_server(*make(tmp_path / "pair").flags)
    dashboard = open_dashboard("/", server=server, ignore_https_errors=True)
    (cookie,) = dashboard.page.context.cookies()
    assert cookie["secure"]
    server.report("start", "p", task="Over TLS")
    expect(dashboard.lines("Over TLS")).to_be_visible()


@pytest.mark.parametrize(("host", "said"), [("0.0.0.0", 1), ("127.0.0.1", 0)])
def test_settings_warn_where_the_key_can_be_read(
    start_server: Callable[..., Server],
    open_dashboard: Callable[..., Dashboard],
    host: str,
    said: int,
) -> None:
    dashboard = open_dashboard("/settings", server=start_server("--host", host))
    expect(dashboard.page.get_by_text("API requests a minute")).to_be_visible()
    told = dashboard.page.get_by_text("Other machines can reach the server without TLS")
    expect(told).to_have_count(said)
