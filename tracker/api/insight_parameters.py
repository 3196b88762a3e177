"""The query strings of what looks at many tasks at once: see `tracker.api.parameters`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tracker.api.moments import parse_since
from tracker.api.parameters import Names, Query, SinceParameter
from tracker.clock import MS_PER_DAY
from tracker.domain.limits import MAX_BINS, MAX_DAYS
from tracker.domain.timeline import TimelineQuery
from tracker.errors import Issue, ValidationFailed


class TimelineParameters(Query):
    """`GET /api/timeline`."""

    repeatable = frozenset({"project"})

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
    project: Names = Field(default=(), description="Several: given as many times.")

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
        return TimelineQuery(begin, end, self.bins, self.project)
