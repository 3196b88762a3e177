"""The catalogues: every string in both languages, and none that is missing or left over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tracker

APP = Path(tracker.__file__).parent / "web" / "app"
PLURAL_FORMS = {"one", "few", "many", "other"}

# Keys that the code puts together: `status.${name}`.
_COMPOSED = re.compile(r"\bt\(`([\w.]+)\.\$\{")
_NAMED = re.compile(r'"([a-z]\w*(?:\.\w+)+)"')


def catalogue(language: str) -> dict[str, set[str]]:
    """The strings' keys, each with the names of its values."""
    keys: dict[str, set[str]] = {}
    path: list[str] = []
    text = (APP / "i18n" / f"{language}.js").read_text(encoding="utf-8")
    for line in text.splitlines():
        if opened := re.fullmatch(r"\t+(\w+): \{", line):
            path.append(opened[1])
        elif re.fullmatch(r"\t+\},", line):
            path.pop()
        elif entry := re.fullmatch(r"\t+\"?([\w-]+)\"?: (.+),", line):
            keys[".".join([*path, entry[1]])] = set(re.findall(r"\{(\w+)\}", entry[2]))
    assert path == []
    return keys


def test_both_hold_the_same() -> None:
    english, russian = catalogue("en"), catalogue("ru")
    assert len(english) > 150
    assert english.keys() == russian.keys()
    assert {key for key in english if english[key] != russian[key]} == set()


def test_the_code_uses_all_of_them_and_no_other() -> None:
    keys = catalogue("en").keys()
    code = "\n".join(
        file.read_text(encoding="utf-8") for file in APP.rglob("*.js") if file.parent.name != "i18n"
    )
    named = set(_NAMED.findall(code)) | set(re.findall(r'\bt\("([\w.]+)"', code))
    prefixes = tuple(f"{prefix}." for prefix in _COMPOSED.findall(code))
    unused = {key for key in keys if key not in named and not key.startswith(prefixes)}
    assert unused == set()
    assert set(re.findall(r'\bt\("([\w.]+)"', code)) <= keys


@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_language_in_the_other(language: str) -> None:
    text = (APP / "i18n" / f"{language}.js").read_text(encoding="utf-8")
    assert bool(re.search("[а-яё]", text)) == (language == "ru")


def test_no_words_stand_in_the_code() -> None:
    for file in APP.rglob("*.js"):
        if file.parent.name != "i18n":
            code = re.sub(r"//.*", "", file.read_text(encoding="utf-8"))
            assert not re.search("[а-яё]", code.replace("Русский", "")), file
