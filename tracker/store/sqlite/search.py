"""The full-text indexes over tasks: cursors over the event log, run between reports.

`search` has the words of all tasks. Where a word begins many, reading those of all projects takes
long for a project that has few of them; so `project_search` has each word after its project's
number, and the words of a project lie together. It costs more to write, and so it follows `search`
when few reports come. Until it has, a search within a project asks `search`: what is found is the
same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import apsw
import orjson

_MARK = "SELECT searched FROM marks"
# An import, or a log that was cut, moves the one mark back, and so the other.
_MOVE_MARK = """
  UPDATE marks SET project_searched = min(project_searched, searched), searched = ?
"""
_PROJECT_MARKS = "SELECT project_searched, searched FROM marks"
_MOVE_PROJECT_MARK = "UPDATE marks SET project_searched = ?"
_MERGE = "INSERT INTO search (search, rank) VALUES ('merge', ?)"
_MERGE_PROJECTS = "INSERT INTO project_search (project_search, rank) VALUES ('merge', ?)"
_NEXT_MARK = """
  SELECT max(id) FROM (SELECT id FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)
"""
_TEXTS = """
  title, task_id, agent, result, concat_ws(' ', error_type, error_message)
  FROM tasks WHERE id IN (SELECT task FROM events WHERE id > ? AND id <= ?)
"""
# All in one statement: a fifth of the time that one a task would take.
_INDEX = f"""
  INSERT OR REPLACE INTO search (rowid, title, task_id, agent, result, error) SELECT id, {_TEXTS}
"""
_READ = f"SELECT id, project_id, {_TEXTS}"
_INDEX_PROJECTS = """
  INSERT OR REPLACE INTO project_search (rowid, words)
  SELECT value ->> 0, value ->> 1 FROM json_each(?)
"""

# What is added makes a segment of its own, and a search looks into each segment; so they are merged
# as they come, some pages at a time (https://sqlite.org/fts5.html, section 6.8).
_MERGE_PAGES = 5
_PROJECT_MERGE_PAGES = 32

# Characters that are handed to one statement, or hardly more.
_CHUNK_SIZE = 2**20

# As in the migrations.
_TOKENIZER = ("unicode61", ["remove_diacritics", "2"])
_TOKENIZE = apsw.FTS5_TOKENIZE_DOCUMENT
_WORDS_ONLY = {"include_offsets": False, "include_colocated": False}

PROJECT_INDEX = "project_search"
"""The index that tells projects apart."""

Tokenizer = Callable[[str], list[str]]
"""The words of a text as the indexes have them."""


def index_some(connection: apsw.Connection, upto: int, limit: int) -> bool:
    """Index the tasks of the next `limit` events, none past event `upto`. True when that far."""
    searched = connection.execute(_MARK).get
    mark = connection.execute(_NEXT_MARK, (searched, upto, limit)).get
    if mark is None:
        return True
    connection.execute(_INDEX, (searched, mark))
    connection.execute(_MERGE, (_MERGE_PAGES,))
    connection.execute(_MOVE_MARK, (mark,))
    return bool(mark >= upto)


def index_some_by_project(connection: apsw.Connection, limit: int) -> bool:
    """The same for `project_search`, as far as `index_some` has come."""
    begin, upto = connection.execute(_PROJECT_MARKS).get
    if begin == upto:
        return True
    mark = connection.execute(_NEXT_MARK, (begin, upto, limit)).get
    if mark is not None:
        words = _tokenizer(connection)
        tasks = connection.execute(_READ, (begin, mark))
        for chunk in _chunks((id_, _words(words, *texts)) for id_, *texts in tasks):
            connection.execute(_INDEX_PROJECTS, (orjson.dumps(chunk).decode(),))
        connection.execute(_MERGE_PROJECTS, (_PROJECT_MERGE_PAGES,))
    done = mark is None or mark >= upto
    connection.execute(_MOVE_PROJECT_MARK, (upto if done else mark,))
    return done


def match(
    connection: apsw.Connection, project_ids: Sequence[int] | None, text: str
) -> tuple[str, str]:
    """As `match_in_projects`; None: among the tasks of all projects."""
    if project_ids is None:
        return "search", match_expression(text)
    return match_in_projects(connection, project_ids, text)


def match_in_projects(
    connection: apsw.Connection, project_ids: Sequence[int], text: str
) -> tuple[str, str]:
    """Where to look for what a person typed, among the tasks of some projects: an index, and the
    FTS5 expression for it, which means what `match_expression` does. `search` knows of no projects,
    so that what it finds is still to be filtered."""
    followed, searched = connection.execute(_PROJECT_MARKS).get
    if followed < searched:
        return "search", match_expression(text)
    words = _tokenizer(connection)
    typed = [found for found in map(words, _split(text)) if found]
    expressions = [_in_project(project_id, typed) for project_id in project_ids if typed]
    return PROJECT_INDEX, " OR ".join(expressions) or '""'


def _in_project(project_id: int, typed: list[list[str]]) -> str:
    prefix = _project_prefix(project_id)
    phrases = (" ".join(prefix + word for word in words) for words in typed)
    return "({})".format(" ".join(f'"{phrase}"*' for phrase in phrases))


def match_expression(text: str) -> str:
    """What a person typed as an FTS5 expression: every word, each as a prefix, in any order.

    Quoted, so that nothing in it is an operator (https://sqlite.org/fts5.html, section 3.1).
    """
    return " ".join(f'"{typed}"*' for typed in _split(text)) or '""'


def _split(text: str) -> list[str]:
    return text.replace("\0", " ").replace('"', " ").split()


def _project_prefix(project_id: int) -> str:
    """What each word of the project begins with. No other project's begins so: a number ends at
    the letter. Read as a word of text, it stays one with what follows."""
    return f"{project_id}q"


def _words(words: Tokenizer, project_id: int, *texts: str | None) -> str:
    """All words of a task. What comes before them, alone, keeps a phrase from beginning in one
    text and ending in the next."""
    prefix = f" {_project_prefix(project_id)}"
    return prefix.join(["", *(prefix.join(["", *words(text)]) for text in texts if text)])


def _tokenizer(connection: apsw.Connection) -> Tokenizer:
    tokenize = connection.fts5_tokenizer(*_TOKENIZER)

    def words(text: str) -> list[str]:
        # Offsets and synonyms left out, it gives texts alone.
        found = tokenize(text.encode(), _TOKENIZE, None, **_WORDS_ONLY)
        return cast("list[str]", found)

    return words


def _chunks(rows: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    chunk: list[tuple[int, str]] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row[1])
        if size >= _CHUNK_SIZE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
