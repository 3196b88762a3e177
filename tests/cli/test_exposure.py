"""A server that other machines can reach without TLS says so, where people look."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import make
from tests.support.cli import run
from tests.support.server import KEY, Server
from tracker.auth.keys import exposure
from tracker.config.settings import Settings

KEY_ON_THE_WAY = "can be reached from other machines without TLS"
EVERYWHERE = ("--host", "0.0.0.0")


@pytest.mark.parametrize(
    ("settings", "exposed"),
    [
        ({}, False),
        ({"host": "::1"}, False),
        ({"host": "localhost"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": ""}, True),
        ({"host": "192.168.1.2"}, True),
        ({"host": "0.0.0.0", "insecure": True}, False),
        ({"host": "0.0.0.0", "tls_cert": "cert.pem"}, False),
        ({"host": "0.0.0.0", "unix_socket": "t.sock"}, True),
    ],
)
def test_when_it_is_said(settings: dict[str, str], exposed: bool) -> None:
    assert bool(exposure(Settings(**settings))) == exposed  # type: ignore[arg-type]


def test_the_server_says_it_once_it_listens(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    for flags, said in (
        (EVERYWHERE, 1),
        ((*EVERYWHERE, "--insecure"), 0),
        ((*EVERYWHERE, *make(tmp_path / "pair", names="DNS:localhost").flags), 0),
        ((), 0),
    ):
        server = start_server(*flags)
        assert server.stop() == 0
        assert server.log.count(KEY_ON_THE_WAY) == said
        assert server.log.count("WARNING") == said


def test_its_insecurity_may_be_meant_by_a_variable(start_server: Callable[..., Server]) -> None:
    server = start_server(*EVERYWHERE, variables={"TRACKER_INSECURE": "yes"})
    assert server.http.get("/api/info").json()["exposed"] is False
    assert "WARNING" not in server.log


def test_doctor_says_it(server: Server) -> None:
    given = {"TRACKER_URL": server.url, "API_KEY": KEY}
    for variables, said in (
        ({}, []),
        ({"TRACKER_HOST": "0.0.0.0"}, [KEY_ON_THE_WAY]),
        ({"TRACKER_HOST": "0.0.0.0", "TRACKER_INSECURE": "true"}, []),
    ):
        done = run(
            "doctor",
            *("--json", "--db", str(server.database)),
            home=server.folder,
            variables={**given, **variables},
        )
        assert done.returncode == 0
        warnings = json.loads(done.stdout)["warnings"]
        assert [KEY_ON_THE_WAY in warning for warning in warnings] == [True] * len(said)
        assert done.stderr.decode().count(KEY_ON_THE_WAY) == len(said)
