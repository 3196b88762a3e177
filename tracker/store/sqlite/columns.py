"""The columns of the tables that reports write, each list once, and SQL made of such lists.

SQL is made where it stands, as its module is imported, and never for a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tracker.domain.tasks import ENDED, Status, Task

# Beside a task's number, its project's, and the name that the agent gave it.
TASK: Final = Task._fields

# Beside an event's number, its project's and its task's.
EVENT: Final = ("type", "at", "data")

# Counters: of projects, by status; of agents and days, of tasks that ended.
STATUSES: Final = tuple(status.value for status in Status)
ENDS: Final = tuple(status.value for status in Status if status in ENDED)


# What a task's lines say of its metadata, by the time `:now`. Of the tasks that one waits for, a
# hundred are looked at.
DERIVED: Final[dict[str, str]] = {
    "overdue": """(
      status = 'running' AND json_type(metadata, '$.estimated_duration') IN ('integer', 'real')
      AND started_at + 1000 * (metadata ->> '$.estimated_duration') < :now
    )""",
    "blocked": """(
      status = 'pending' AND json_type(metadata, '$.dependencies') = 'array' AND EXISTS (
        SELECT 1 FROM (
          SELECT value FROM json_each(tasks.metadata, '$.dependencies') LIMIT 100
        ) AS named
        CROSS JOIN tasks AS needed ON needed.task_id = named.value
          AND needed.project_id = tasks.project_id
        WHERE needed.status <> 'completed'
      )
    )""",
    "truncated": "0",
}
# An estimate that has run out since is something new; no event tells of it.
DERIVED["acknowledged_at"] = f"""(
  CASE WHEN acknowledged_at IS NOT NULL AND {DERIVED["overdue"]}
    AND started_at + 1000 * (metadata ->> '$.estimated_duration') > acknowledged_at
  THEN NULL ELSE acknowledged_at END
)"""


def fill(sql: str, **lists: str) -> str:
    """The SQL with the lists in the places of their names in braces; what else is in braces stays
    there, to be filled in by a call."""
    for name, columns in lists.items():
        sql = sql.replace(f"{{{name}}}", columns)
    return sql


def listed(columns: Iterable[str], table: str = "") -> str:
    """`title, agent`, or `tasks.title, tasks.agent`."""
    prefix = f"{table}." if table else ""
    return ", ".join(f"{prefix}{column}" for column in columns)


def parameters(columns: Iterable[str]) -> str:
    """`:title, :agent`."""
    return ", ".join(f":{column}" for column in columns)


def assigned(columns: Iterable[str], first: int) -> str:
    """`title = column2, agent = column3`: from the columns of VALUES, from number `first` on."""
    return ", ".join(f"{column} = column{number}" for number, column in enumerate(columns, first))


def summed(columns: Iterable[str]) -> str:
    """The sum over all rows of each column; 0 over none."""
    return ", ".join(f"coalesce(sum({column}), 0)" for column in columns)


def quoted(words: Iterable[str]) -> str:
    """`'pending', 'running'`."""
    return ", ".join(f"'{word}'" for word in words)
