"""What Schemathesis cannot know of this API; `tests/test_schemathesis.py` has it loaded."""

from __future__ import annotations

import itertools
from typing import Any

import schemathesis

_numbers = itertools.count()


@schemathesis.hook
def before_call(
    _context: schemathesis.HookContext, case: schemathesis.Case, _kwargs: dict[str, Any]
) -> None:
    """An Idempotency-Key belongs to one body, but is generated for many: make each its own."""
    if case.headers and 0 < len(case.headers.get("Idempotency-Key", "")) <= 255:
        case.headers["Idempotency-Key"] = f"key {next(_numbers)}"
