"""Schemathesis makes requests from `/openapi.json`, right and wrong ones, and judges the answers.

Its checks: nothing fails with a 5xx; each answer has a status, a type, headers and content that
the document describes; what the document allows is accepted, what it does not is refused, as is
a missing key and a method that is not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tracker
from tests.support.server import KEY, Server
from tests.support.timeouts import command_with_timeouts

ROOT = Path(tracker.__file__).parents[1]
# Its answer never ends. tests/api/test_openapi.py reads its beginning, tests/api/test_errors.py its
# errors.
ENDLESS = "/api/events/stream"


@pytest.mark.slow
def test_no_request_gets_an_answer_that_the_document_forbids(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    # It tries wrong keys on every operation, and knows no 429 for them.
    server = start_server(command=command_with_timeouts(guesses=0))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
            *("--header", f"X-API-Key: {KEY}"),
            *("--exclude-path", ENDLESS),
            *("--checks", "all", "--continue-on-failure", "--no-shrink"),
            *("--max-examples", "3", "--generation-deterministic"),
            *("--request-timeout", "20", "--no-color"),
        ],
        cwd=tmp_path,  # where it leaves its own files
        env={
            **os.environ,
            "NO_PROXY": "*",
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    assert "failed" not in server.log  # no 500, not even behind an answer that looked well
    print(done.stdout)
