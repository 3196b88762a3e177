"""Reads the file of `--prices`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

from tracker.errors import ConfigError

FIELDS: Final = ("input", "output", "cache_read", "cache_write")
_REQUIRED: Final = ("input", "output")
_MOST: Final = 1_000_000
"""Dollars for a million tokens."""
_MAX_BYTES: Final = 1024 * 1024
_EXAMPLE: Final = '{"claude-sonnet-*": {"input": 3, "output": 15, "cache_read": 0.3}}'


def read_prices(path: str) -> dict[str, dict[str, float]]:
    """Dollars for a million tokens, by name of the model and `FIELDS`. Raises ConfigError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"--prices: {path!r} cannot be read: {why}") from None
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"--prices: {path!r} is larger than 1 MB")
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--prices: {path!r} is not JSON: {error}") from None
    if not isinstance(table, dict):
        raise _wrong(path, "it has no object")
    return {model: _price(path, model, given) for model, given in table.items()}


def _price(path: str, model: str, given: Any) -> dict[str, float]:
    if not isinstance(given, dict):
        raise _wrong(path, f"{model!r} has no object")
    for name in given:
        if name not in FIELDS:
            raise _wrong(path, f"{model!r} has {name!r}, which is none of {', '.join(FIELDS)}")
    for name in FIELDS:
        if name not in given:
            if name in _REQUIRED:
                raise _wrong(path, f"{model!r} has no {name!r}")
            continue
        price = given[name]
        is_number = isinstance(price, int | float) and not isinstance(price, bool)
        if not is_number or not math.isfinite(price) or not 0 <= price <= _MOST:
            raise _wrong(path, f"{name!r} of {model!r} is no number of dollars from 0 to {_MOST:,}")
    return {name: float(price) for name, price in given.items()}


def _wrong(path: str, what: str) -> ConfigError:
    return ConfigError(
        f"--prices: in {path!r} {what}. It holds dollars for a million tokens by model: {_EXAMPLE}"
    )
