"""Hooks for what Schemathesis cannot know of this API; for `tests/api/test_schemathesis.py`."""

from __future__ import annotations

import itertools
from typing import Any

import schemathesis

from tracker.agents.receiving import READERS

_numbers = itertools.count()


@schemathesis.hook
def before_call(
    _context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]
) -> None:
    """An Idempotency-Key belongs to one body, but is generated for many: make each its own. A
    parameter that is generated contradicts the key in the header. And one without a value, which
    its schema forbids, is none, whatever came before it. A key with the role admin has no
    projects. `usage` may be one object, too, which its schema does not say. The field
    that has to be in a payload is Claude Code's; other agents have others. Several messages of
    MCP may come as a list, which the schema does not say. A range of time ends after it begins."""
    if case.path == "/mcp" and isinstance(case.body, list):
        case.body = {}
    if case.path == "/hooks/{agent}" and case.path_parameters.get("agent") in READERS:
        case.path_parameters["agent"] = "claude-code"
    if isinstance(case.body, dict) and isinstance(case.body.get("usage"), dict):
        case.body["usage"] = 0
    if isinstance(case.body, dict) and case.body.get("role") == "admin":
        case.body.pop("projects", None)
    headers = {**(case.headers or {}), **(kwargs.get("headers") or {})}
    if case.query and any(name.lower() == "x-api-key" for name in headers):
        case.query.pop("api_key", None)
    if case.query and case.path == "/api/timeline":
        case.query = {name: case.query[name] for name in case.query if name not in ("from", "to")}
    if case.query:
        case.query = {name: value for name, value in case.query.items() if _says(value)}
    if case.headers and 0 < len(case.headers.get("Idempotency-Key", "")) <= 255:
        case.headers["Idempotency-Key"] = f"key {next(_numbers)}"


def _says(value: Any) -> bool:
    """Whether the last of what is sent for a parameter is anything: it is what counts."""
    values = list(value) if isinstance(value, dict | list) else [value]  # of an object, its names
    last = values[-1] if values else None
    return last not in ("", None)
