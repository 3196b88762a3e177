"""CONTRIBUTING's recipes, "Where a change goes", and the places that they name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain

from tests.support.markdown import ROOT, Document

_FILE = re.compile(r"`([\w.-]+(?:/[\w.-]*)+|[\w.-]+\.(?:md|py|spec|toml|txt))`")

# What places know, by what they are called.
Places = Mapping[str, set[str]]


def _recipes() -> dict[str, set[str]]:
    section = Document("CONTRIBUTING.md").text.split("## Where a change goes\n")[1]
    return {
        name: set(_FILE.findall(text))
        for name, text in re.findall(r"(?ms)^\*\*(.+?)\.\*\* (.+?)\n\n", section)
    }


RECIPES = _recipes()
"""Each with the files and folders that it names."""


def compare(recipe: str, places: Mapping[str, Places], elsewhere: Places) -> None:
    """Raises AssertionError with each place that does not know what another one knows. `places`:
    those in each file that the recipe names; `elsewhere`: what follows from them by itself."""
    if places.keys() != RECIPES[recipe]:
        raise AssertionError(f"looked at {sorted(places)}, but named are {sorted(RECIPES[recipe])}")
    everywhere = {
        **{f"{file}, {place}": known for file in places for place, known in places[file].items()},
        **elsewhere,
    }
    every = set(chain.from_iterable(everywhere.values()))
    missing = [
        f"{place}: lacks {', '.join(sorted(every - known))}"
        for place, known in everywhere.items()
        if every - known
    ]
    if missing:
        raise AssertionError("\n".join(missing))


def words_in(path: str, between: str, word: str) -> set[str]:
    """The words of a file of the dashboard, in the one place that the pattern `between` finds."""
    (part,) = re.findall(between, (ROOT / path).read_text("utf-8"), re.DOTALL)
    return set(re.findall(word, part, re.MULTILINE))
