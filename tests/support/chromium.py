"""How a Chromium is started, whoever drives it: the tests or a benchmark."""

from __future__ import annotations

from typing import Final

# Without a sandbox, because tests run as root in containers; silent otherwise.
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
