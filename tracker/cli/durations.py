"""Durations as the user writes them: a number and a unit."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from tracker.domain.limits import MAX_DURATION_SECONDS

_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}


class Duration(click.ParamType[int]):
    """`30d` in milliseconds, at most a hundred years."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click.ParamType."""
        match = re.fullmatch(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)([smhdw])", str(value))
        if match is None:
            self.fail("expected a number and one of s, m, h, d, w, such as 30d", param, ctx)
        milliseconds = int(float(match[1]) * _MS[match[2]])
        if milliseconds > MAX_DURATION_SECONDS * 1000:
            self.fail("expected at most a hundred years", param, ctx)
        return milliseconds
