"""Bodies of 1 MiB of every shape that costs something to read: valid or not."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Final, NamedTuple

SIZE: Final = 1_048_576

_HEAD: Final = '{"project":"shapes","task":"T","task_id":"t","agent":"a","metadata":'


class Body(NamedTuple):
    """What is posted, where to, and how it is compressed."""

    content: bytes
    path: str = "/webhook/start"
    coding: str | None = None


def bodies(size: int = SIZE) -> dict[str, Body]:
    """By name, each of at most `size` bytes, and nearly as large."""
    half = (size - 200) // 2
    shapes = {
        "many keys": _object(size, lambda n: f'"{n:x}":1'),
        "all keys twice": _report(f"{{{_fill(half, _key)},{_fill(half, _key)}}}", size),
        "a key twice at the end": _report(f'{{{_fill(size - 200, _key)},"0":1}}', size),
        "lists 99 deep": _list(size, lambda _: "[" * 96 + "]" * 96),
        "lists deeper than allowed": _report("[" * half + "]" * half, size),
        "one long text": _report(f'{{"x":"{"x" * (size - 200)}"}}', size),
        "a text of escapes": _report('{"x":"' + "\\u0436" * ((size - 200) // 6) + '"}', size),
        "a text of colons": _report(f'{{"x":"{":" * (size - 200)}"}}', size),
        "a text of digits": _report(f'{{"x":"{"7" * (size - 200)}"}}', size),
        "keys of escapes": _object(size, lambda n: f'"\\u0436\\u{n & 0x7FF:04x}{n:x}":1'),
        "integers of 300 digits": _list(size, lambda n: f"{n + 1}" + "0" * 293),
        "integers of 20 digits": _list(size, lambda n: f"{2**64 + n}"),
        "one integer of a million digits": _report(f'{{"x":{"7" * (size - 200)}}}', size),
        "doubles": _list(size, lambda n: f"{n}.123456789e-5"),
        "no JSON at its end": _object(size, _key)[:-1],
        "a list of models": _cut(
            '{"project":"shapes","task":"T","task_id":"t","agent":"a","usage":[',
            size,
            lambda n: f'{{"model":"{n}","input_tokens":1}}',
            "]}",
        ),
        "dependencies": _object(size, lambda n: f'"dependencies{n}":["{n}"]'),
    }
    found = {name: Body(text.encode()) for name, text in shapes.items()}
    small = '{"kind":"start","project":"shapes","task":"T","task_id":"%d","agent":"a"%s}'
    room = size // 500 - 110  # for the metadata of each
    padding = f',"metadata":{{"x":"{"x" * room}"}}'
    keyed = f',"metadata":{{{_fill(room, _key)}}}'
    batch = "/webhook/batch"
    for name, fields in (("long texts", padding), ("many keys", keyed)):
        reports = ",".join(small % (number, fields) for number in range(500))
        found[f"a batch of 500 with {name}"] = Body(f'{{"reports":[{reports}]}}'.encode(), batch)
    wrong = ",".join(["{}"] * ((size - 100) // 3))
    found["a batch of too many"] = Body(f'{{"reports":[{wrong}]}}'.encode(), batch)
    found["gzip of many keys"] = Body(gzip.compress(found["many keys"].content), coding="gzip")
    for name, body in found.items():
        if len(body.content) > size:
            raise ValueError(f"{name}: {len(body.content)} bytes")
    return found


def _key(number: int) -> str:
    return f'"{number:x}":1'


def _report(metadata: str, size: int) -> str:
    text = f"{_HEAD}{metadata}}}"
    if len(text) > size:
        raise ValueError(f"{len(text)} characters")
    return text


def _object(size: int, item: Callable[[int], str]) -> str:
    return _cut(f"{_HEAD}{{", size, item, "}}")


def _list(size: int, item: Callable[[int], str]) -> str:
    return _cut(f'{_HEAD}{{"x":[', size, item, "]}}")


def _cut(begin: str, size: int, item: Callable[[int], str], end: str) -> str:
    return f"{begin}{_fill(size - len(begin) - len(end), item)}{end}"


def _fill(size: int, item: Callable[[int], str]) -> str:
    """So many items that they have at most `size` characters."""
    items: list[str] = []
    left = size
    while (left := left - len(next_ := item(len(items))) - 1) >= 0:
        items.append(next_)
    return ",".join(items)
