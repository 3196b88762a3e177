"""`options.private`: what stays of a payload without its texts.

Kept are numbers, truth values, and of texts only what a known name says to be a name or an id and
looks like one; prompts, messages, what tools are given and answer, titles and the paths of files
are left out. The folder in which the agent works stays: projects are named by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent_task_tracker.light_typing import Any, Final

# Without what lies below these: it is what a person or a tool said.
_CONTENTS: Final = frozenset(
    {
        *("toolinput", "toolargs", "toolresponse", "toolresult", "tooloutput", "toolcalls"),
        *("args", "arguments", "content", "contents", "parts", "messages", "llmrequest", "plan"),
        *("llmresponse", "edits", "diff", "diffs", "patch", "todos", "questions", "answers"),
        *("attachments", "inputmessages", "env", "environment", "headers", "memory", "summary"),
    }
)

# Names of what is an id, a kind or a state, in lower case and without separators.
_NAMES: Final = frozenset(
    {
        *("hookeventname", "hookname", "hook", "type", "event", "agentactionname", "toolname"),
        *("tool", "agent", "agenttype", "subagenttype", "model", "modelname", "status", "state"),
        *("reason", "source", "trigger", "permissionmode", "mode", "notificationtype", "level"),
        *("errortype", "version", "role", "provider", "timestamp", "finish", "stopreason"),
        *("cursorversion", "clineversion", "servername", "mcpservername", "decision"),
    }
)
_FOLDERS: Final = frozenset({"cwd", "directory", "worktree", "workspaceroots"})

_NAME: Final = r"[\w.:@/+#-]{1,200}"
_ID: Final = r"(?:^|[_-])ids?$|(?<=[a-z])I[dD]s?$|^(?:uuid|pid)$"

# What is the name of a field, and not a path or an address under which something is kept.
_FIELD: Final = r"[A-Za-z][A-Za-z0-9_-]{0,63}"

_MAX_DEPTH: Final = 40


def without_texts(value: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """What may be told of a private session."""
    if depth > _MAX_DEPTH:
        return {}
    kept: dict[str, Any] = {}
    for name, item in value.items():
        plain = re.sub(r"[^a-z]", "", name.lower())
        if plain in _CONTENTS or not re.fullmatch(_FIELD, name):
            continue
        if isinstance(item, str):
            if plain in _FOLDERS or (_is_name(name, plain) and re.fullmatch(_NAME, item)):
                kept[name] = item
        elif isinstance(item, dict):
            kept[name] = without_texts(item, depth + 1)
        elif isinstance(item, list):
            kept[name] = _items(item, plain, depth + 1)
        else:
            kept[name] = item
    return kept


def _items(items: list[Any], plain: str, depth: int) -> list[Any]:
    """Of a list: that there is something stays, as with the tasks that an agent has running."""
    return [
        without_texts(item, depth) if isinstance(item, dict) else item
        for item in items
        if isinstance(item, dict | int | float) or (plain in _FOLDERS and isinstance(item, str))
    ]


def _is_name(name: str, plain: str) -> bool:
    return plain in _NAMES or re.search(_ID, name) is not None
