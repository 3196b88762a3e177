"""What a question costs SQLite, in figures that do not depend on the machine."""

from __future__ import annotations

from collections.abc import Callable

import apsw


def work(connection: apsw.Connection, question: Callable[[], object]) -> tuple[int, int]:
    """How many steps SQLite's virtual machine takes, and how many pages are looked at."""
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    def pages() -> int:
        return sum(
            connection.status(of)[0]
            for of in (apsw.SQLITE_DBSTATUS_CACHE_HIT, apsw.SQLITE_DBSTATUS_CACHE_MISS)
        )

    before = pages()
    connection.set_progress_handler(step, 1)
    question()
    connection.set_progress_handler(None)
    return steps, pages() - before
