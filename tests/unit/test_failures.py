"""What failures have in common: `tracker.domain.failures`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.failures import MAX_COMPARED, Failure, grouped, normalised

PIECES = [
    *(
        "timeout",
        "after",
        "3.5",
        "s",
        "0x7fFF",
        "deadbeef01",
        "/srv/app/main.py:42",
        "C:\\x\\y.txt",
    ),
    *('"', "'", "`", "'a b'", '"q"', "<n>", "<text>", "<path>", "<uuid>", "<hex>", "<url>", "n't"),
    *("550e8400-e29b-41d4-a716-446655440000", "https://x.y/z?a=1", "12:30:01", "1,000", "٣", "-"),
    *(" ", "\n", "/", "\\", ":", "0x", "~", "@", ".", "é", "<", ">"),
]
messages = st.one_of(st.text(max_size=600), st.lists(st.sampled_from(PIECES)).map("".join))


@given(messages)
def test_what_is_normalised_stays_as_it_is(message: str) -> None:
    once = normalised(message)
    assert normalised(once) == once


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Timeout after 30 s", "Timeout after <n> s"),
        ("Timeout after 1,000.5s", "Timeout after <n>s"),
        ("No such file: /srv/app 2/x.py", "No such file: <path> <path>"),
        ("File C:\\tmp\\a.txt is locked", "File <path> is locked"),
        ("key 'user:42' not found", "key <text> not found"),
        ("can't open it, won't try", "can't open it, won't try"),
        ("at 0x7fff5fbff8c0", "at <hex>"),
        ("commit deadbeef1 is bad", "commit <hex> is bad"),
        ("request 550e8400-e29b-41d4-a716-446655440000 failed", "request <uuid> failed"),
        ("GET https://host:80/a?b=1 gave 503", "GET <url> gave <n>"),
        ("  two\n lines ", "two lines"),
        ("and/or", "<path>"),
        ("", ""),
    ],
)
def test_details_are_left_out(message: str, expected: str) -> None:
    assert normalised(message) == expected


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.uuids(), st.uuids())
def test_messages_that_differ_in_details_alone_are_alike(
    one: int, two: int, here: object, there: object
) -> None:
    text = "Job {} of {} took '{}' s (at /tmp/{}/log)"
    assert normalised(text.format(one, here, one, one)) == normalised(
        text.format(two, there, two, two)
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from("pq"),
            st.sampled_from("ab"),
            st.sampled_from(["E", "F", None]),
            st.sampled_from(["x 1", "x 2", "y", None]),
        ),
        max_size=60,
    )
)
def test_groups_hold_every_failure_once(
    rows: list[tuple[str, str, str | None, str | None]],
) -> None:
    last_first = [
        Failure(number, project, f"t{number}", agent, type_, message, -number)
        for number, (project, agent, type_, message) in enumerate(rows)
    ]
    groups, kinds = grouped(last_first)
    assert kinds == len(groups)
    assert sum(group.failures for group in groups) == len(rows)
    keys = [(group.project, group.error_type, group.message) for group in groups]
    assert len(set(keys)) == len(keys)
    assert [group.failures for group in groups] == sorted(
        (g.failures for g in groups), reverse=True
    )
    for group in groups:
        assert sum(count for _, count in group.agents) == group.failures
        assert group.first_at <= group.last_at == group.tasks[0].finished_at


def test_long_messages_are_compared_as_far_as_a_limit() -> None:
    assert normalised("x" * MAX_COMPARED + "y") == normalised("x" * MAX_COMPARED + "z")
    normalised("/" * 100_000 + "'" * 100_000)
