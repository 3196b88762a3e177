"""When a running task is silent: downtimes of the server do not count."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.silence import Downtimes

MOMENTS = st.lists(st.integers(0, 60), max_size=8, unique=True).map(sorted)


def by_hand(spans: list[tuple[int, int]], heard_at: int, stale_after: int) -> int:
    """Count moment by moment."""
    at = heard_at
    while stale_after:
        stale_after -= not any(began <= at < ended for began, ended in spans)
        at += 1
    return at


@given(MOMENTS, st.integers(0, 60), st.integers(1, 30))
def test_only_time_in_which_it_could_be_heard_counts(
    moments: list[int], heard_at: int, stale_after: int
) -> None:
    spans = [pair for number, pair in enumerate(pairwise(moments)) if number % 2 == 0]
    expected = by_hand(spans, heard_at, stale_after)
    assert Downtimes(spans).silent_at(heard_at, stale_after) == expected
