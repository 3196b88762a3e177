"""`tracker open`: the dashboard in the browser, signed in."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import time
import webbrowser
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

from agent_task_tracker import shapes
from agent_task_tracker.address import Address
from agent_task_tracker.errors import ClientError
from tracker.cli import env_file
from tracker.cli.connection import with_options
from tracker.cli.discovery import FoundServer
from tracker.cli.output import print_text
from tracker.cli.reporting import discover
from tracker.cli.signals import tidy_end

_FAILED: Final = 1
_TIMEOUT: Final = 10.0
_PATIENCE: Final = 1.0

# Seconds that a browser has to read the page that leads it on.
_READ_WITHIN: Final = 10.0

# Addresses stay in a fragment: no server, proxy or referrer gets it. The dashboard takes it away.
_PAGE: Final = """\
<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<title>Agent Task Tracker</title><script>location.replace({url})</script>
"""


@click.command()
@with_options
def open(**server: Any) -> None:  # noqa: A001 - the command's name
    """Open the dashboard in the browser, signed in.

    Other users of this machine see what a browser is started with, so that is not the key but a
    page for this user alone, which leads to the dashboard and is gone after ten seconds. Needs a
    browser that can read files in the folder for temporary ones (TMPDIR).
    """
    found, warnings = discover(**server)
    env_file.warn(warnings)
    address = Address(found.url, found.ca_file)
    if not address.url.startswith("http"):
        raise ClientError(f"{found.url}: no browser can open this; give the address by --url")
    key = _key(found, address)
    with tidy_end(), contextlib.suppress(KeyboardInterrupt):
        folder = Path(tempfile.mkdtemp(prefix="tracker-"))  # for this user alone
        try:
            page = folder / "dashboard.html"
            url = f"{address.url.rstrip('/')}/#key={quote(key, safe='')}"
            text = json.dumps(url).replace("<", "\\u003c")
            page.touch(0o600)
            page.write_text(_PAGE.format(url=text), encoding="utf-8")
            if not webbrowser.open(page.as_uri()):
                print_text(f"tracker: there is no browser here; open {address.url}", err=True)
                sys.exit(_FAILED)
            print_text(f"Opening {address.url} in the browser.")
            time.sleep(_READ_WITHIN)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _key(found: FoundServer, address: Address) -> str:
    """The key, once the server has taken it. Raises ClientError."""
    found.transport(_PATIENCE).get("/api/stats", {}, shapes.STATS)
    with closing(address.connection(_TIMEOUT)) as connection:
        return found.credentials.headers(connection, address.prefix).get("X-API-Key", "")
