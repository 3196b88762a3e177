"""Reads JSON so that integers keep all of their digits (docs/contract.md, "Webhooks").

orjson makes a float of an integer beyond 64 bits, silently. Here it stays the text that it was,
which orjson writes as it is.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

# The shortest that may be too long for 64 bits have so many digits.
_DIGITS: Final = 19
_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG: Final = b"0" * _DIGITS

# Without that many digits no number is too large without one of these.
_LARGE_EXPONENT: Final = re.compile(rb"[0-9][eE]\+?[0-9]{3,}(?:[\s,\]}]|\Z)")

# Up to here clients of every kind can read a number, if not to the digit: it is a finite double.
# Many fail on a larger one, and with it on the whole message or page (docs/contract.md, "Sizes").
_MAX_DIGITS: Final = 309


class NumberTooLarge(ValueError):
    """A number is beyond what a double can be."""


def loads(text: bytes) -> Any:
    """JSON. An integer beyond 64 bits becomes an `orjson.Fragment`.

    Raises:
        NumberTooLarge
        orjson.JSONDecodeError: a ValueError, too.
    """
    if _LONG in text.translate(_AS_ZEROS):  # perhaps in a string, a double, or one that fits
        return _loads_exactly(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if _LARGE_EXPONENT.search(text):
            _loads_exactly(text)  # tells what is too large from what is no JSON
        raise


def _loads_exactly(text: bytes) -> Any:
    try:
        parsed = json.loads(
            text.decode(), parse_int=_integer, parse_float=_finite, parse_constant=_refuse
        )
        orjson.dumps(parsed)  # lone surrogates, which Python takes, are not written
    except (UnicodeDecodeError, orjson.JSONEncodeError, RecursionError) as error:
        raise orjson.JSONDecodeError(f"not JSON: {error}", "", 0) from None
    except json.JSONDecodeError as error:
        raise orjson.JSONDecodeError(error.msg, error.doc, error.pos) from None
    return parsed


def _integer(text: str) -> int | orjson.Fragment:
    if len(text) < _DIGITS:
        return int(text)
    if len(text) > _MAX_DIGITS + 1:
        raise NumberTooLarge
    _finite(text)
    value = int(text)
    return value if -(2**63) <= value < 2**64 else orjson.Fragment(text.encode())


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise NumberTooLarge
    return value


def _refuse(name: str) -> Any:
    raise orjson.JSONDecodeError(f"{name} is no JSON", "", 0)
