"""The quick way of reading the options of `tracker run` agrees with the slow one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.cli import run as slow
from tracker.run.arguments import OPTIONS, SERVER, Arguments, job, parse

NOTHING: dict[str, str] = {}


def by_click(words: list[str]) -> Arguments | None:
    import click

    try:
        context = slow.run.make_context("run", [*words])
    except (click.ClickException, click.exceptions.Exit):
        return None
    given = {
        name: "1" if value is True else value
        for name, value in context.params.items()
        if value and name != "command"
    }
    return Arguments(given, list(context.params["command"]))


WORDS = st.one_of(
    st.sampled_from(
        [
            *("--", "-", "--project", "--project=p", "--task", "--task-id=", "--agent=a=b", "-x"),
            *("--private", "--private=1", "--progress-pattern", "(x)", "--url", "--ready-file=f"),
            *("--nonsense", "--help", "make", "test", "", "--pro", "p"),
        ]
    ),
    st.text(max_size=5),
)


@given(st.lists(WORDS, max_size=6))
def test_both_ways_agree(words: list[str]) -> None:
    quick = parse(words)
    if quick is not None:
        slow_way = by_click(words)
        assert slow_way is not None
        # What is empty counts as not given.
        given = {name: value for name, value in quick.options.items() if value}
        assert (given, quick.command) == slow_way


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_each_option_is_known_to_both(option: object) -> None:
    words = [option.flag, *(["1"] if option.metavar else []), "true"]  # type: ignore[attr-defined]
    assert parse(words) == by_click(words)


def test_where_the_server_is() -> None:
    words = [word for name in SERVER for word in (f"--{name.replace('_', '-')}", name)]
    assert parse([*words, "--", "true"]) == Arguments({name: name for name in SERVER}, ["true"])


def test_a_flag_wins_over_its_variable_and_what_is_empty_counts_for_nothing() -> None:
    environment = {"TRACKER_PROJECT": "theirs", "TRACKER_AGENT": ""}
    assert job(["true"], {"project": "ours"}, environment).project == "ours"
    assert job(["true"], {"project": ""}, environment).project == "theirs"
    assert job(["true"], NOTHING, environment).agent == "shell"


def test_patterns_and_durations() -> None:
    read = job(["true"], {"progress_pattern": r"(\d+)%", "stale_after": "60"}, NOTHING)
    assert (read.progress, read.stale_after) == (re.compile(r"(\d+)%"), 60)
