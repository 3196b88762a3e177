"""What a spreadsheet would take for a formula."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cli import run
from tests.support.exported import cells, contents
from tests.support.server import Server

FORMULAS = (
    '=HYPERLINK("https://example.com/?"&A1,"click")',
    "=cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "+1",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    " =1+1",
    "\u00a0=1+1",
)
# Where numbers have a comma, spreadsheets part columns by `;`, and quotes inside of them are none.
WITHIN = (
    "a;=1+1;",
    "a; '=1+1;",
    "a;'=1+1;\n'';''-1",
    "a\n=1+1;\r\n@SUM(1);\t=1",
    "a\t+1",
    ";;=1;'x",
)
HARMLESS = ("'=1+1", "1=1", "a\rb", "'", " ", "é")


@pytest.fixture(scope="module")
def formulas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which agents have written formulas wherever they can."""
    server = Server.start(tmp_path_factory.mktemp("formulas"))
    for text in (*FORMULAS, *WITHIN, *HARMLESS):
        names = {"task": text, "agent": text}
        server.report("status", text, text, message=text, **names)
        server.report("error", text, text, error_type=text, error_message=text, **names)
        server.report("finish", text, "finished", result=text, duration_seconds=10**9, **names)
    assert server.stop() == 0
    return server.database


def test_no_cell_of_an_export_begins_a_formula(formulas: Path, tmp_path: Path) -> None:
    table = run("export", "--format", "csv", "--db", str(formulas), home=tmp_path).stdout
    rows = cells(table)
    tasks = [row for row in rows if row["record"] == "task"]
    titles = {row["title"] for row in tasks}
    assert titles >= {*(f"'{text}" for text in FORMULAS if "\t" not in text[1:]), *HARMLESS} - {
        *(f"'{text}" for text in ("\t=1+1", "\r=1+1", "\n=1+1"))
    }
    assert len(titles) == len({*FORMULAS, *WITHIN, *HARMLESS})
    begun = {
        (name, text) for row in rows for name, text in row.items()
        if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") and text
    }  # fmt: skip
    # Of whoever worked for 30 years when it was first heard of: a number, which does nothing.
    assert {name for name, _ in begun} <= {"started_at"}


def test_none_does_where_columns_are_parted_by_something_else(
    formulas: Path, tmp_path: Path
) -> None:
    table = run("export", "--format", "csv", "--db", str(formulas), home=tmp_path).stdout.decode()
    for parted in (";", "\t"):
        found = re.split(f"[{parted}\r\n]", table)  # it is all one: no quote begins a cell
        assert [cell for cell in found if cell.lstrip()[:1] in tuple("=+-@＝＋－＠")] == []


def test_an_import_gives_back_the_formulas_to_the_last_byte(formulas: Path, tmp_path: Path) -> None:
    for options in ((), ("--keep-formulas",)):
        export = ("export", "--format", "csv", *options, "--db")
        table = run(*export, str(formulas), home=tmp_path).stdout
        (tmp_path / "all.csv").write_bytes(table)
        database = tmp_path / f"new{len(options)}.db"
        back = run("import", "all.csv", "--db", str(database), home=tmp_path)
        assert back.returncode == 0, back.stderr
        assert contents(database) == contents(formulas)
        assert run(*export, str(database), home=tmp_path).stdout == table


def test_formulas_are_kept_for_whoever_asks(formulas: Path, tmp_path: Path) -> None:
    arguments = ("export", "--format", "csv", "--keep-formulas", "--db", str(formulas))
    tasks = [row for row in cells(run(*arguments, home=tmp_path).stdout) if row["record"] == "task"]
    assert {row["title"] for row in tasks} == {*FORMULAS, *WITHIN, *HARMLESS}
    assert {row["quoted"] for row in tasks} == {""}
    no_table = run("export", "--keep-formulas", "--db", str(formulas), home=tmp_path)
    assert (no_table.returncode, no_table.stdout) == (2, b"")


def test_a_table_that_lost_its_apostrophes_is_not_taken(formulas: Path, tmp_path: Path) -> None:
    export = ("export", "--format", "csv", "--db", str(formulas))
    table = run(*export, home=tmp_path).stdout
    (tmp_path / "all.csv").write_bytes(table.replace(b"'+1", b"+1"))
    back = run("import", "all.csv", "--db", "new.db", home=tmp_path)
    assert back.returncode == 78
    assert b"has lost its apostrophe" in back.stderr
    assert not (tmp_path / "new.db").exists()
