"""Codex's `[otel]`, as config.toml has it: a table of our own, where there is none."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from typing import Any, Final

from tracker.agents.connect.editors import Edited, Unsuitable
from tracker.agents.connect.hooks_toml import appended, read_toml, toml_value
from tracker.agents.connect.telemetry import Telemetry

_NOTE: Final = (
    "# agent-task-tracker, with `tracker hook codex`: `tracker disconnect codex` removes this table"
)
TABLE: Final = "otel"
_BLOCK: Final = re.compile(
    rf"(?:^\r?\n)?^{re.escape(_NOTE)}\r?\n\[{TABLE}\]\r?\n(?:[\w-]+ = .*(?:\n|\Z))*",
    re.MULTILINE,
)


class TelemetryToml:
    """The table in one such file. Of logs alone: Codex's traces are its internals, by the
    megabyte."""

    def __init__(self, telemetry: Telemetry | None) -> None:
        """None: it is not to be there."""
        self._wanted = None
        if telemetry is not None:
            headers = f'{{ "x-api-key" = {toml_value(telemetry.key)} }}'
            endpoint = toml_value(telemetry.logs)
            self._wanted = (
                f"{_NOTE}\n[{TABLE}]\n"
                f'exporter = {{ otlp-http = {{ endpoint = {endpoint}, protocol = "binary", '
                f"headers = {headers} }} }}\n"
            )

    def count(self, content: bytes) -> int:
        """See `Editor`."""
        return len(_BLOCK.findall(read_toml(content)[0]))

    def is_current(self, content: bytes) -> bool:
        """See `Editor`."""
        text, values = read_toml(content)
        found = _BLOCK.search(text)
        if self._wanted is None or (found is None and TABLE in values):
            return found is None
        return found is not None and found[0].replace("\r\n", "\n").lstrip("\n") == self._wanted

    def add(self, content: bytes | None) -> Edited:
        """See `Editor`. Nothing, if its user has such a table."""
        text, before = read_toml(content or b"")
        if self._wanted is None or TABLE in before:
            return Edited(content or b"", [])
        added = appended(text, self._wanted)
        wanted: dict[str, Any] = tomllib.loads(self._wanted)
        try:
            after = tomllib.loads(text + added)
        except tomllib.TOMLDecodeError as error:
            raise Unsuitable(f"a table cannot be added to it: {error}") from None
        if after != {**before, **wanted}:
            raise Unsuitable("it cannot be edited without changing more than its telemetry")
        return Edited((text + added).encode(), [(len(text.encode()), len(added.encode()))])

    def remove(self, content: bytes, containers: Collection[str], *, made: bool) -> bytes | None:  # noqa: ARG002
        """See `Editor`."""
        text, before = read_toml(content)
        left, count = _BLOCK.subn("", text)
        if not count:
            return content
        if tomllib.loads(left) != {name: before[name] for name in before if name != TABLE}:
            raise Unsuitable("our telemetry in it was moved or changed")
        return None if made and not left.strip() else left.encode()

    def snippet(self) -> str:
        """See `Editor`. Without the key: it would stay on the screen."""
        if self._wanted is None:
            return ""
        return re.sub(r'("x-api-key" = )"[^"]*"', r'\1"THE KEY IN connections.json"', self._wanted)
