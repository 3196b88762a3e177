"""Hooks in JSON, as Claude Code's settings have them and many agents after it:

    {"hooks": {EVENT: [{"matcher": …, "hooks": [{"type": "command", "command": …}]}]}}

or flat, without the inner list: {"hooks": {EVENT: [{"command": …}]}}.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from tracker.agents.connect.editors import Edited, Ownership, Unsuitable
from tracker.agents.connect.json_edit import Adder, cut, insert, removals
from tracker.agents.connect.json_text import Node, NotPlainJson, parse

Json = dict[str, Any]

HOOKS: Final = "hooks"

# Keys under which a handler has its command, by agent and system.
_COMMAND_KEYS: Final = ("command", "bash", "powershell", "commandWindows", "command_windows")


class HooksJson:
    """The hooks in one such file."""

    def __init__(
        self,
        ownership: Ownership,
        entries: Mapping[str, Json],
        *,
        head: Mapping[str, Any] | None = None,
        is_flat: bool = False,
    ) -> None:
        """`entries`: for each event what goes into its list; `head`: further members that the file
        needs if it has them not; `is_flat`: see the module."""
        self._is_ours = ownership
        self._entries = entries
        self._head = head or {}
        self._is_flat = is_flat

    def count(self, content: bytes) -> int:
        """See `Editor`."""
        return len(self._found(read_json(content)[2]))

    def is_current(self, content: bytes) -> bool:
        """See `Editor`."""
        found = self._found(read_json(content)[2])
        return dict(found) == self._entries and len(found) == len(self._entries)

    def add(self, content: bytes | None) -> Edited:
        """See `Editor`."""
        if content is None:
            text = self.snippet()
            return Edited(text.encode(), [(0, len(text.encode()))])
        mark, text, root = read_json(content)
        adder = Adder(text, root)
        containers = [name for name in self._head if root.member(name) is None]
        for name in containers:
            adder.member(root, name, self._head[name])
        hooks = root.member(HOOKS)
        if hooks is None:
            adder.member(root, HOOKS, {event: [entry] for event, entry in self._entries.items()})
            containers += [HOOKS, *(f"{HOOKS}.{event}" for event in self._entries)]
        else:
            containers += self._add_to(adder, hooks)
        insertions = sorted(adder.insertions())
        edited, spans, moved = insert(text, insertions), [], len(mark)
        for insertion in insertions:
            size = len(insertion.text.encode())
            spans.append((len(text[: insertion.at].encode()) + moved, size))
            moved += size
        self._check(root.value, edited)
        return Edited(mark + edited.encode(), spans, containers)

    def _add_to(self, adder: Adder, hooks: Node) -> list[str]:
        if not isinstance(hooks.value, dict):
            raise Unsuitable('"hooks" is no object')
        made = []
        for event, entry in self._entries.items():
            groups = hooks.member(event)
            if groups is None:
                adder.member(hooks, event, [entry])
                made.append(f"{HOOKS}.{event}")
            else:
                self._check_shape(event, groups.value)
                adder.item(groups, entry)
        return made

    def remove(self, content: bytes, containers: Collection[str], *, made: bool) -> bytes | None:
        """See `Editor`."""
        mark, text, root = read_json(content)
        hooks = root.member(HOOKS)
        if hooks is None or not isinstance(hooks.value, dict):
            return content
        spans, emptied = [], set()
        for index, member in enumerate(hooks.members):
            ours, cuts = self._cuts(member.node)
            spans += cuts
            if ours and ours == len(member.node.items) and f"{HOOKS}.{member.name}" in containers:
                emptied.add(index)
        if not spans:
            return content
        gone = set(self._head) & set(containers)
        if emptied and len(emptied) == len(hooks.members) and HOOKS in containers:
            gone.add(HOOKS)
        elif emptied:
            spans += removals(hooks, emptied)
        chosen = {index for index, member in enumerate(root.members) if member.name in gone}
        if chosen:
            spans += removals(root, chosen)
        left = cut(text, spans)
        rest = parse(left).value
        if made and all(rest[name] == self._head.get(name, {}) for name in rest):
            return None
        return mark + left.encode()

    def snippet(self) -> str:
        """See `Editor`."""
        hooks = {event: [entry] for event, entry in self._entries.items()}
        return json.dumps({**self._head, HOOKS: hooks}, indent=2, ensure_ascii=False) + "\n"

    def _cuts(self, groups: Node) -> tuple[int, list[tuple[int, int]]]:
        """How many items of an event's list are ours, and what to cut for ours to be gone."""
        if not isinstance(groups.value, list):
            return 0, []
        whole, cuts = set(), []
        for index, group in enumerate(groups.items):
            ours = self._ours_in(group)
            if ours is None:
                whole.add(index)
            elif ours:
                handlers = group.member("hooks")
                assert handlers is not None  # noqa: S101 - that is where ours are
                cuts += removals(handlers, ours)
        return len(whole), [*cuts, *(removals(groups, whole) if whole else ())]

    def _ours_in(self, group: Node) -> set[int] | None:
        """Which handlers of an item are ours; None: the item is, as a whole."""
        if not isinstance(group.value, dict):
            return set()
        if self._is_flat:
            return None if self._is_handler(group.value) else set()
        handlers = group.value.get("hooks")
        if not isinstance(handlers, list) or not handlers:
            return set()
        ours = {index for index, handler in enumerate(handlers) if self._is_handler(handler)}
        return None if len(ours) == len(handlers) else ours

    def _is_handler(self, handler: object) -> bool:
        return isinstance(handler, dict) and any(
            self._is_ours(handler.get(key)) for key in _COMMAND_KEYS
        )

    def _found(self, root: Node) -> list[tuple[str, Any]]:
        """Our entries: the event, and the item that holds it."""
        hooks = root.member(HOOKS)
        return list(self._entries_in(hooks)) if hooks is not None else []

    def _entries_in(self, hooks: Node) -> Iterator[tuple[str, Any]]:
        for member in hooks.members:
            for group in member.node.items:
                ours = self._ours_in(group)
                if ours is None or ours:
                    yield member.name, group.value

    def _check_shape(self, event: str, groups: object) -> None:
        if not isinstance(groups, list):
            raise Unsuitable(f'"hooks" has under "{event}" no list')
        for group in groups:
            handlers = group.get("hooks") if isinstance(group, dict) else None
            if not isinstance(group, dict) or not (
                self._is_flat
                or (isinstance(handlers, list) and all(isinstance(one, dict) for one in handlers))
            ):
                raise Unsuitable(f'"hooks" has under "{event}" an entry of unknown shape')

    def _check(self, before: Json, edited: str) -> None:
        """That the edited text says what was there, and ours. Raises Unsuitable."""
        hooks = dict(before.get(HOOKS, {}))
        for event, entry in self._entries.items():
            hooks[event] = [*hooks.get(event, []), entry]
        if parse(edited).value != {**self._head, **before, HOOKS: hooks}:
            raise Unsuitable("it cannot be edited without changing more than the hooks")


def read_json(content: bytes) -> tuple[bytes, str, Node]:
    """The byte order mark if there is one, the text, the object that it says. Raises Unsuitable."""
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    try:
        text = content[len(mark) :].decode("utf-8")
        root = parse(text)
    except UnicodeDecodeError as error:
        raise Unsuitable(f"it is not UTF-8 (byte {error.start + len(mark)})") from None
    except NotPlainJson as error:
        raise Unsuitable(f"it is not plain JSON: {error}") from None
    if not isinstance(root.value, dict):
        raise Unsuitable("it is no JSON object")
    return mark, text, root
