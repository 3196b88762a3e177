"""goose's payloads, Claude Code's form but for some names (docs/agents/translation.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tracker.agents import claude_code
from tracker.agents.reader import Fields
from tracker.agents.steps import Reading

# The same calls as PreToolUse and PostToolUse.
_SILENT: Final = (
    *("PreToolUseResult", "BeforeReadFile", "AfterFileEdit"),
    *("BeforeShellExecution", "AfterShellExecution"),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    fields = Fields(payload)
    prompt, folder = fields.first("prompt", "message"), fields.first("cwd", "working_dir")
    reading = claude_code.read_as({**payload, "prompt": prompt, "cwd": folder}, silent=_SILENT)
    return reading._replace(is_of_host=True)  # 20261127_1 is the first one of a day
