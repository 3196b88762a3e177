"""Where an agent's telemetry goes: to the tracker, unless its user has it go elsewhere already
(docs/agents/telemetry.md)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tracker.agents.connect.editors import Edited, Unsuitable
from tracker.agents.connect.hooks_json import read_json
from tracker.agents.connect.json_edit import Adder, cut, insert, removals
from tracker.agents.connect.json_text import Node, parse

_EXPORTER: Final = "OTEL_"
_ENV: Final = "env"


class Telemetry(NamedTuple):
    """Where it goes to: a server's address, and the agent's key for it."""

    url: str
    key: str

    @property
    def logs(self) -> str:
        """The endpoint of logs."""
        return f"{self.url.rstrip('/')}/v1/logs"


def own_variables(variables: Mapping[str, Any]) -> list[str]:
    """Those of a user's own exporter."""
    return sorted(name for name in variables if name.upper().startswith(_EXPORTER))


def is_private(path: Path) -> bool:
    """Whether a key may be put into the file: no other user reads it, and it is in no working tree
    of git, where it could be committed."""
    real = Path(os.path.realpath(path))
    if any(os.path.lexists(folder / ".git") for folder in real.parents):
        return False
    if os.name == "nt" or not real.exists():
        return True
    closed = any(not folder.stat().st_mode & 0o001 for folder in real.parents)
    return closed or not real.stat().st_mode & 0o004


class HeadersHelper:
    """Claude Code's settings: variables of its exporter, and the command that gives it the key."""

    def __init__(self, agent: str, command: str, variables: Mapping[str, str] | None) -> None:
        """`command`: of the hooks. `variables` None: it is not to be there."""
        self._command = f"{command} --telemetry"
        self._variables = variables
        self._ours = re.compile(rf".*\bhook\s+{re.escape(agent)}\s+--telemetry\s*", re.DOTALL)

    def count(self, content: bytes) -> int:
        """See `Editor`."""
        return int(self._is_there(read_json(content)[2].value))

    def is_current(self, content: bytes) -> bool:
        """See `Editor`."""
        value = read_json(content)[2].value
        if self._variables is None or self._is_others(value):
            return not self._is_there(value)
        env = value.get(_ENV)
        wanted = self._variables.items()
        return value.get(HELPER) == self._command and wanted <= (
            env.items() if isinstance(env, dict) else set()
        )

    def add(self, content: bytes | None) -> Edited:
        """See `Editor`."""
        mark, text, root = read_json(content or b"{}")
        before = root.value
        if self._variables is None or self._is_others(before):
            return Edited(content or b"", [])
        adder = Adder(text, root)
        env, containers = root.member(_ENV), []
        if env is None:
            adder.member(root, _ENV, dict(self._variables))
            containers = [_ENV]
        else:
            for name, value in self._variables.items():
                adder.member(env, name, value)
        adder.member(root, HELPER, self._command)
        insertions = sorted(adder.insertions())
        edited, spans, moved = insert(text, insertions), [], len(mark)
        for insertion in insertions:
            size = len(insertion.text.encode())
            spans.append((len(text[: insertion.at].encode()) + moved, size))
            moved += size
        with_ours = {**before.get(_ENV, {}), **self._variables}
        if parse(edited).value != {**before, _ENV: with_ours, HELPER: self._command}:
            raise Unsuitable("it cannot be edited without changing more than its telemetry")
        return Edited(mark + edited.encode(), spans, containers)

    def remove(self, content: bytes, containers: Collection[str], *, made: bool) -> bytes | None:  # noqa: ARG002
        """See `Editor`. What somebody has changed of it stays."""
        mark, text, root = read_json(content)
        if not self._is_there(root.value):
            return content
        gone = {HELPER}
        spans: list[tuple[int, int]] = []
        env = root.member(_ENV)
        if env is not None and isinstance(env.value, dict):
            ours = {index for index, one in enumerate(env.members) if self._is_variable(one)}
            if ours and len(ours) == len(env.members) and _ENV in containers:
                gone.add(_ENV)
            elif ours:
                spans += removals(env, ours)
        chosen = {index for index, one in enumerate(root.members) if one.name in gone}
        spans += removals(root, chosen)
        return mark + cut(text, spans).encode()

    def snippet(self) -> str:
        """See `Editor`."""
        if self._variables is None:
            return ""
        added = {_ENV: dict(self._variables), HELPER: self._command}
        return json.dumps(added, indent=2, ensure_ascii=False) + "\n"

    def _is_there(self, value: Mapping[str, Any]) -> bool:
        helper = value.get(HELPER)
        return isinstance(helper, str) and self._ours.fullmatch(helper) is not None

    def _is_others(self, value: Mapping[str, Any]) -> bool:
        env = value.get(_ENV, {})
        if self._is_there(value):
            return False
        named = HELPER in value or not isinstance(env, dict)
        return named or bool(own_variables(env)) or SWITCH in env

    @staticmethod
    def _is_variable(member: Any) -> bool:
        value: Node = member.node
        if member.name == ENDPOINT:
            return isinstance(value.value, str) and value.value.endswith("/v1/logs")
        return member.name in CONSTANTS and CONSTANTS[member.name] == value.value


HELPER: Final = "otelHeadersHelper"
SWITCH: Final = "CLAUDE_CODE_ENABLE_TELEMETRY"
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
CONSTANTS: Final = {
    SWITCH: "1",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf",
    # The key is asked for again after this long: a server that is started later needs it too.
    "CLAUDE_CODE_OTEL_HEADERS_HELPER_DEBOUNCE_MS": "60000",
}
"""Of Claude Code's exporter, with the endpoint."""
