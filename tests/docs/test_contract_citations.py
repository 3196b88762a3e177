"""Citations of documents in the sources, `docs/contract.md, "Events"`, lead to real headings."""

from __future__ import annotations

import re

from tests.support.markdown import ROOT, Document

SOURCES = [
    path
    for folder in ("agent_task_tracker", "docs", "scripts", "tests", "tracker")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".js", ".md", ".py", ".sql")
]

# A document and one of its headings; a comment may break the line between the two.
CITATION = re.compile(r'([\w./-]+\.md),\s+(?:#\s+)?"([^"\n]+)"')


# What nobody could look up.
LOOSE = re.compile(r"\bthe contract\b", re.IGNORECASE)


def test_citations_name_headings_that_exist() -> None:
    cited = [
        (path, *citation)
        for path in SOURCES
        for citation in CITATION.findall(path.read_text("utf-8"))
    ]
    assert cited
    for path, document, heading in cited:
        where = f"{path.relative_to(ROOT)}: {document}, {heading}"
        assert (ROOT / document).is_file(), where
        assert heading in {text for _, text in Document(document).headings}, where


def test_the_contract_is_cited_by_heading() -> None:
    loose = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in SOURCES
        if path.suffix != ".md"
        for line in path.read_text("utf-8").splitlines()
        if LOOSE.search(line)
    ]
    assert loose == []


def test_every_document_is_listed() -> None:
    folder = ROOT / "docs"
    documents = {str(path.relative_to(folder)) for path in folder.rglob("*.md")}
    assert documents - {"README.md"} - set(Document("docs/README.md").links) == set()
