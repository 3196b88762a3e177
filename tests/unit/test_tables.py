"""Tables keep to the terminal's width, and what matters most in them stays whole."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from tracker.cli.ls import _CELLS, _GIVES
from tracker.cli.tables import table
from tracker.cli.usage_text import usage_text

STATUSES = ("completed", "failed", "pending", "running", "waiting", "silent")
ROW = {
    "PROJECT": "an-organisation/a-repository-with-a-long-name",
    "TASK": "7f3c9a52-11ce-4c1e-9f0e-5a2b7a3c1d00/prompt-12",
    "#PROGRESS": "33.3%",
    "#DURATION": "1h 02m 03s",
    "=STARTED": "2026-11-27 13:42:30",
    "AGENT": "claude-code/general-purpose",
}
TITLES = ("Build the feature of the year", "汉字" * 20, "🙂" * 30, "é" * 50)


def printed(shown: object, width: int) -> list[str]:
    out = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    out.print(shown, crop=False)
    return out.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("width", [40, 41, 50, 60, 72, 80, 100, 132, 240])
@pytest.mark.parametrize("without", [(), ("PROJECT",)], ids=["of all projects", "of one"])
def test_status_and_the_begin_of_the_title_stay(width: int, without: tuple[str, ...]) -> None:
    names = [name for name in _CELLS if name not in without]
    rows = [
        [{**ROW, "=STATUS": status, "TITLE": title}[name] for name in names]
        for status in STATUSES
        for title in TITLES
    ]
    lines = printed(table(names, rows, gives=_GIVES), width)
    assert max(map(cell_len, lines)) <= width
    assert len(lines) == 1 + len(rows)
    for line, row in zip(lines[1:], rows, strict=True):
        status, title = row[names.index("=STATUS")], row[-1]
        assert status in line.split()
        begin = line.split()[-1] if " " not in title else line[line.index(title[:5]) :]
        assert title.startswith(begin.removesuffix("…").strip()[:8])
        assert cell_len(begin) >= 10


def test_wide_characters_keep_columns_in_line() -> None:
    rows = [("汉字", "completed", "x"), ("ab", "failed", "x"), ("🙂", "running", "x")]
    lines = printed(table(("TASK", "=STATUS", "TITLE"), rows), 40)
    assert {cell_len(line) for line in lines[1:]} == {cell_len(lines[1])}


def test_only_a_status_is_coloured() -> None:
    out = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    out.print(table(("=STATUS", "TITLE"), [("failed", "completed")]), crop=False)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[31mfailed\x1b[0m" in text
    assert "\x1b[32m" not in text


def test_long_texts_go_on_below() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    lines = printed(table(("=", ""), [("Message", words), ("Result", "漢" * 60)], wraps=True), 40)
    assert max(map(cell_len, lines)) <= 40
    assert " ".join(lines).split() == ["Message", *words.split(), "Result", *_runs(lines)]


def _runs(lines: list[str]) -> list[str]:
    runs = [line.split()[-1] for line in lines if "漢" in line]
    assert "".join(runs) == "漢" * 60
    return runs


def test_nothing_to_show_is_no_error() -> None:
    assert printed(table(("TASK", "=STATUS"), []), 40) == ["TASK  STATUS"]


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        (None, ""),
        ({"input_tokens": 0, "cost_usd": 0}, ""),
        (
            {"input_tokens": 12345, "output_tokens": 6, "cost_usd": 0.42},
            "12,345 tokens in, 6 out; $0.42",
        ),
        ({"cost_usd": 0.000001}, "$0.000001"),
        ({"cost_usd": 12345.678}, "$12,345.68"),
        ({"cost_usd": 0, "estimated_cost_usd": 0.42}, "about $0.42"),
        ({"cost_usd": 1, "estimated_cost_usd": 0.42}, "$1.00; about $0.42 more"),
    ],
)
def test_usage_in_words(usage: dict[str, float] | None, text: str) -> None:
    assert usage_text(usage) == text
