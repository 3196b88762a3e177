"""Configuration files of agents, as hypothesis makes them: any JSON, in any layout."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXTS,
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)
    ),
    max_leaves=12,
)
_HANDLERS = st.fixed_dictionaries(
    {"type": st.just("command"), "command": _TEXTS}, optional={"timeout": st.integers(1, 600)}
)
_GROUPS = st.fixed_dictionaries(
    {"hooks": st.lists(_HANDLERS, max_size=2)}, optional={"matcher": _TEXTS}
)


def hooks_of(events: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Others' hooks, in these events and in others."""
    names = st.one_of(st.sampled_from(events), _TEXTS) if events else _TEXTS
    return st.dictionaries(names, st.lists(_GROUPS, max_size=3), max_size=4)


@st.composite
def configurations(draw: st.DrawFn, events: Sequence[str]) -> bytes:
    """The content of a file that may be edited."""
    value = draw(st.dictionaries(_TEXTS.filter(lambda name: name != "hooks"), _VALUES, max_size=4))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(value)))
        items = list(value.items())
        items.insert(at, ("hooks", draw(hooks_of(events))))
        value = dict(items)
    return draw(laid_out(value))


@st.composite
def laid_out(draw: st.DrawFn, value: Any) -> bytes:
    """The value as JSON: with any indentation, line ends and escapes, perhaps white space in odd
    places, a byte order mark, no line end at the end."""
    indent = draw(st.sampled_from([None, 0, 1, 2, 3, 4, 8, "\t", " \t"]))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (",", " : "), (" ,", ":  ")]))
    ascii_only = draw(st.booleans())
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only)
    if draw(st.booleans()):  # in empty ones
        inside = draw(st.sampled_from([" ", "\n", "\n\n  "]))
        text = _outside_texts(text, "{}", f"{{{inside}}}")
        text = _outside_texts(text, "[]", f"[{inside}]")
    if isinstance(indent, int | str) and draw(st.booleans()):  # some in one line after all
        text = text.replace("\n", " ", draw(st.integers(0, 3)))
    text = draw(st.sampled_from(["", " ", "\n"])) + text + draw(st.sampled_from(["", "\n", "\n\n"]))
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"])))
    mark = draw(st.sampled_from([b"", b"", codecs.BOM_UTF8]))
    return mark + text.encode()


def _outside_texts(text: str, old: str, new: str) -> str:
    """Replace what is not inside a string."""
    parts: list[str] = []
    rest = text
    while rest:
        before, quote, rest = rest.partition('"')
        parts.append(before.replace(old, new))
        if quote:
            end = 0
            while rest[end] != '"':
                end += 2 if rest[end] == "\\" else 1
            parts.append(f'"{rest[: end + 1]}')
            rest = rest[end + 1 :]
    return "".join(parts)
