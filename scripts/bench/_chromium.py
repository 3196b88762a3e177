"""A headless Chromium and its pages, driven with as little of its debugger as it takes.

Playwright, which the tests use, has every page tell it of each message of a WebSocket: at 1,000 a
second that took the browser more than the page itself.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from _environment import SetupError
from websockets.sync.client import ClientConnection, connect

from tests.support.chromium import FLAGS

# Of whatever is waited for, in seconds.
_WITHIN: Final = 60.0
_SIZE: Final = "1440,900"


class Chromium:
    """A browser with an empty profile."""

    def __init__(self, address: str) -> None:
        self._address = address

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A new page, the only one that is seen."""
        opened = self._ask("PUT", "new")
        with connect(opened["webSocketDebuggerUrl"], max_size=None, compression=None) as connection:
            yield Page(connection)
        self._ask("GET", f"close/{opened['id']}")

    def _ask(self, method: str, what: str) -> Any:
        request = urllib.request.Request(f"{self._address}/json/{what}", method=method)
        with urllib.request.urlopen(request, timeout=_WITHIN) as answer:
            content = answer.read()
        return json.loads(content) if content.startswith(b"{") else None


class Page:
    """One page, by its debugger's commands."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._sent = 0

    def send(self, method: str, **parameters: Any) -> Any:
        """The result of a command. Events are left alone: none is asked for."""
        self._sent += 1
        command = {"id": self._sent, "method": method, "params": parameters}
        self._connection.send(json.dumps(command))
        while (answer := json.loads(self._connection.recv(_WITHIN))).get("id") != self._sent:
            pass
        if "error" in answer:
            raise SetupError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def before_all_else(self, script: str) -> None:
        """Run this in each page that is loaded from now on, before what is its own."""
        self.send("Page.enable")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=script)

    def go(self, url: str) -> None:
        """Begin to load it."""
        problem = self.send("Page.navigate", url=url).get("errorText")
        if problem:
            raise SetupError(f"{url}: {problem}")

    def evaluate(self, expression: str) -> Any:
        """Its value, as JSON has it; of a promise, what it becomes."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise SetupError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """Its value once that is true."""
        end = time.monotonic() + _WITHIN
        while not (value := self.evaluate(expression)):
            if time.monotonic() > end:
                raise SetupError(f"In vain was waited for {expression}")
            time.sleep(0.02)
        return value

    def seconds_at_work(self) -> float:
        """Of the main thread, since some moment. A page is watched from the first time on."""
        self.send("Performance.enable")
        metrics = self.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


@contextmanager
def chromium(program: str) -> Iterator[Chromium]:
    """Start it, and end it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        own = (f"--user-data-dir={profile}", "--remote-debugging-port=0", f"--window-size={_SIZE}")
        command = [program, "--headless", *FLAGS, *own, "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield Chromium(_address(Path(profile) / "DevToolsActivePort", process))
        finally:
            process.terminate()
            process.wait()


def _address(file: Path, process: subprocess.Popen[bytes]) -> str:
    """Where its debugger listens, which it writes down."""
    end = time.monotonic() + _WITHIN
    while not file.exists() or "\n" not in (text := file.read_text()):
        if process.poll() is not None or time.monotonic() > end:
            raise SetupError("Chromium did not start.")
        time.sleep(0.02)
    return f"http://127.0.0.1:{text.splitlines()[0]}"
