"""The query strings of what looks at many tasks at once: see `tracker.api.parameters`."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta, timezone, tzinfo
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, WithJsonSchema

from tracker.api.moments import parse_since
from tracker.api.parameters import Limit, Names, OfProjects, Query, SinceParameter
from tracker.clock import MS_PER_DAY
from tracker.domain.failures import FailuresQuery
from tracker.domain.insights import InsightsQuery
from tracker.domain.limits import MAX_BINS, MAX_DAYS, MAX_LOCAL_DAYS, MAX_PAGE
from tracker.domain.timeline import TimelineQuery
from tracker.errors import Issue, ValidationFailed

_MAX_OFFSET: Final = 18 * 60
_ZONE_SCHEMA: Final = WithJsonSchema({"type": "string", "pattern": "^([+-]?[0-9]{1,3}|UTC)$"})


class TimelineParameters(OfProjects):
    """`GET /api/timeline`."""

    from_: SinceParameter = Field(
        default="1h",
        alias="from",
        description="Where it begins: so long ago (`60m`, `2h`, `3d`), or a time.",
    )
    to: SinceParameter | None = Field(
        default=None, description="Before which it ends, likewise; left out: now."
    )
    bins: Annotated[int, Field(ge=1, le=MAX_BINS)] = Field(
        default=60, description="Of equal length, in which tasks are counted."
    )

    def to_query(self, now: int) -> TimelineQuery:
        """The store's form of it, at the time `now`. Raises ValidationFailed.

        What goes on until now ends with the bin that now is in, and bins stand where they stood:
        else each look would count them anew.
        """
        since = parse_since(self.from_)
        begin = since.at(now)
        end = now + 1 if self.to is None else parse_since(self.to).at(now)
        if self.to is None and since.is_ago and begin < now:
            width = -(-(now - begin) // self.bins)
            end = (now // width + 1) * width
            begin = end - width * self.bins
        if not begin < end <= begin + MAX_DAYS * MS_PER_DAY:
            issue = f"has to be before the end (`to`), and no more than {MAX_DAYS} days before it"
            raise ValidationFailed("Invalid data format", [Issue("from", issue)])
        return TimelineQuery(begin, end, self.bins, self.to_filters())


def _zone(given: str) -> tzinfo:
    given = given.strip()  # a "+" that the client forgot to encode arrives as a space
    if re.fullmatch(r"[+-]?[0-9]{1,4}", given):
        minutes = int(given)
        if abs(minutes) <= _MAX_OFFSET:
            return timezone(timedelta(minutes=minutes))
    else:
        # A name may be that of a folder, or none that a file can have; there may be no database.
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(given)
    raise ValueError(
        "expected a time zone that this system knows, like Europe/Berlin, or minutes east of UTC, "
        f"like 120 or -300, at most {_MAX_OFFSET}"
    )


def _is_zone(given: str) -> str:
    _zone(given)
    return given


_ZoneParameter = Annotated[str, AfterValidator(_is_zone), _ZONE_SCHEMA]


class NowQuery(Query):
    """`GET /api/now`."""

    active: Limit = Field(default=MAX_PAGE, description="At most so many that have not ended.")
    ended: Limit = Field(default=50, description="At most so many that have.")
    tz: _ZoneParameter = Field(
        default="UTC",
        description="Whose day `today` is: minutes east of UTC, or a time zone's name.",
    )

    @property
    def zone(self) -> tzinfo:
        """Whose day is asked for."""
        return _zone(self.tz)


class InsightsParameters(Query):
    """`GET /api/stats/insights`."""

    repeatable = frozenset({"project"})

    days: Annotated[int, Field(ge=1, le=MAX_LOCAL_DAYS)] = Field(
        default=30, description="So many days, today included."
    )
    tz: _ZoneParameter = Field(
        default="UTC",
        description="Whose days: minutes east of UTC, or a time zone's name (`Europe/Berlin`).",
    )
    project: Names = Field(default=(), description="Several: given as many times.")

    def to_query(self) -> InsightsQuery:
        """The store's form of it."""
        return InsightsQuery(_zone(self.tz), self.days, self.project)


class FailuresParameters(Query):
    """`GET /api/failures`."""

    repeatable = frozenset({"project"})

    since: SinceParameter = Field(
        default="7d", description="Failed then or later: so long ago (`2h`, `3d`), or a time."
    )
    project: Names = Field(default=(), description="Several: given as many times.")

    def to_query(self, now: int) -> FailuresQuery:
        """The store's form of it, at the time `now`."""
        return FailuresQuery(parse_since(self.since).at(now), self.project)
