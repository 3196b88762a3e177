"""Hooks in TOML, as Codex's config.toml may have them: appended as a block of our own."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Any, Final

from tracker.agents.connect.editors import Edited, Ownership, Unsuitable

_NOTE: Final = "# agent-task-tracker: `tracker disconnect codex` removes these hooks"

# One entry as we write it. Codex writes into this file too, so no more than these lines is ours.
_ENTRY: Final = re.compile(
    r"^\[\[hooks\.(\w+)\]\]\r?\n(?:\w+ = .*\n)*\[\[hooks\.\1\.hooks\]\]\r?\n(?:\w+ = .*(?:\n|\Z))*",
    re.MULTILINE,
)
_NOTED: Final = re.compile(rf"(?:^\r?\n)?^{re.escape(_NOTE)}\r?\n", re.MULTILINE)


class HooksToml:
    """The hooks in one such file."""

    def __init__(self, ownership: Ownership, entries: Mapping[str, dict[str, Any]]) -> None:
        """`entries`: for each event what goes into its array of tables."""
        self._is_ours = ownership
        self._entries = entries

    def count(self, content: bytes) -> int:
        """See `Editor`."""
        return len(self._found(read_toml(content)[1]))

    def is_current(self, content: bytes) -> bool:
        """See `Editor`."""
        found = self._found(read_toml(content)[1])
        return dict(found) == self._entries and len(found) == len(self._entries)

    def add(self, content: bytes | None) -> Edited:
        """See `Editor`."""
        if not self._entries:
            return Edited(content or b"", [])
        text, before = read_toml(content or b"")
        added = appended(text, self.snippet())
        hooks = before.get("hooks", {})
        if not isinstance(hooks, dict):
            raise Unsuitable('"hooks" is no table')
        wanted = {event: [*hooks.get(event, []), entry] for event, entry in self._entries.items()}
        try:
            after = tomllib.loads(text + added)
        except tomllib.TOMLDecodeError as error:
            raise Unsuitable(f'its "hooks" cannot be added to: {error}') from None
        if after != {**before, "hooks": {**hooks, **wanted}}:
            raise Unsuitable("it cannot be edited without changing more than the hooks")
        start = len(text.encode())
        return Edited((text + added).encode(), [(start, len(added.encode()))])

    def remove(self, content: bytes, containers: Collection[str], *, made: bool) -> bytes | None:  # noqa: ARG002
        """See `Editor`."""
        text, before = read_toml(content)
        if not self._found(before):
            return content
        left = _NOTED.sub("", _ENTRY.sub(self._without, text))
        try:
            after = tomllib.loads(left)
        except tomllib.TOMLDecodeError:
            after = None
        if after != self._expected(before):
            raise Unsuitable("our hooks in it were moved or changed")
        return None if made and not left.strip() else left.encode()

    def _without(self, entry: re.Match[str]) -> str:
        """The entry's text, if it is not ours."""
        try:
            return "" if self._found(tomllib.loads(entry[0])) else entry[0]
        except tomllib.TOMLDecodeError:
            return entry[0]

    def _expected(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the file says without ours."""
        ours = {id(group) for _, group in self._found(values)}
        hooks = {
            event: [group for group in groups if id(group) not in ours]
            if isinstance(groups, list)
            else groups
            for event, groups in values["hooks"].items()
        }
        rest = {event: groups for event, groups in hooks.items() if groups != []}
        others = {name: value for name, value in values.items() if name != "hooks"}
        return {**others, "hooks": rest} if rest else others

    def snippet(self) -> str:
        """See `Editor`."""
        lines = [_NOTE]
        for event, entry in self._entries.items():
            lines += [f"[[hooks.{event}]]"]
            lines += [f"{key} = {toml_value(entry[key])}" for key in entry if key != "hooks"]
            for handler in entry["hooks"]:
                lines += [f"[[hooks.{event}.hooks]]"]
                lines += [f"{key} = {toml_value(value)}" for key, value in handler.items()]
        return "\n".join([*lines, ""])

    def _found(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        hooks = values.get("hooks")
        return [
            (event, group)
            for event, groups in (hooks.items() if isinstance(hooks, dict) else ())
            for group in (groups if isinstance(groups, list) else ())
            if isinstance(group, dict)
            and any(
                isinstance(handler, dict) and self._is_ours(handler.get("command"))
                for handler in group.get("hooks", ())
            )
        ]


def appended(text: str, block: str) -> str:
    """A block as it comes at the end of the text, after an empty line."""
    newline = "\r\n" if "\r\n" in text else "\n"
    before = newline if text else ""
    if text and not text.endswith("\n"):
        before += newline
    return before + block.replace("\n", newline)


def toml_value(value: object) -> str:
    """A string or number in TOML: a basic string is one of JSON, except for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_toml(content: bytes) -> tuple[str, dict[str, Any]]:
    try:
        text = content.decode("utf-8")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise Unsuitable(f"it is not UTF-8 (byte {error.start})") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Unsuitable(f"it is not TOML: {error}") from None
