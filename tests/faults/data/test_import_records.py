"""Import: a record that no report could have made is refused by its line."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.cli import run
from tests.support.exported import (
    Records,
    as_csv,
    as_jsonl,
    import_refused,
)
from tests.support.server import KEY, Server


class Spoilt(NamedTuple):
    """The first record of a kind (of an event: of that type), with one field changed. `says`: what
    is told, if it is not told of that line and field."""

    record: str
    field: str
    value: Any
    says: str = ""
    type: str = "task_started"


LEFT_OUT = "left out"

# What no report could have made. Fields of an event's data: data.NAME.
SPOILT = [
    # Numbers that a tracker cannot go on from: "the disk is full" for ever.
    Spoilt("export", "last_id", 2**63 - 1),
    Spoilt("export", "last_id", 2**53),
    Spoilt("export", "last_id", 2**52),  # as many again are left for what comes
    Spoilt("export", "last_id", 2, "line 6: id: "),  # there are more events
    Spoilt("export", "last_id", -1),
    Spoilt("project", "id", 2**53),
    Spoilt("task", "id", 0),
    Spoilt("task", "id", 2**63),
    Spoilt("event", "id", 2**53),
    Spoilt("event", "id", 1_000),  # past last_id
    # A mark past the end: 38,518 notices in 3 seconds.
    Spoilt("export", "pruned", 7),
    Spoilt("export", "pruned", 2**53),
    Spoilt("export", "version", 2),
    Spoilt("export", "gaps", [[7, 7]]),  # past last_id
    Spoilt("export", "gaps", [[2, 2]], "line 5: id: "),  # an event of the file has it
    Spoilt("export", "gaps", [[1, 1]], "{database}: the numbers"),  # one of the database has it
    Spoilt("export", "gaps", [[5, 4]]),
    Spoilt("export", "gaps", [[1]], "line 1: gaps.0: "),
    # Times that cannot be shown: 500 for ever.
    Spoilt("project", "created_at", 2**60),
    Spoilt("project", "updated_at", -1),
    Spoilt("task", "started_at", 2**60),
    Spoilt("task", "started_at", -(2**60)),
    Spoilt("task", "finished_at", 2**60),
    Spoilt("task", "duration_ms", 2**60),
    Spoilt("task", "duration_ms", -1),
    Spoilt("task", "created_at", 253_402_300_800_000),  # the year 10,000
    Spoilt("event", "at", 2**60),
    Spoilt("event", "data.started_at", "yesterday"),
    Spoilt("event", "data.started_at", "2024-02-30T10:00:00.000Z"),
    Spoilt("event", "data.started_at", 1_700_000_000_000),
    # States that contradict themselves.
    Spoilt("task", "status", "walking"),
    Spoilt("task", "status", "running", "line 3: finished_at: "),  # but it has ended
    Spoilt("task", "finished_at", None),
    Spoilt("task", "duration_ms", LEFT_OUT),
    Spoilt("task", "attempt", 0),
    Spoilt("task", "attempt", 2**31),
    Spoilt("task", "progress", 100.5),
    Spoilt("event", "data.status", "completed", "line 5: data.finished_at: "),
    Spoilt("event", "data.attempt", 0),
    Spoilt("event", "data.progress", -1),
    # Numbers that are none, texts that are none.
    Spoilt("project", "id", "1"),
    Spoilt("project", "id", True),
    Spoilt("task", "attempt", 1.0),
    Spoilt("task", "progress", "50"),
    Spoilt("task", "title", 5),
    Spoilt("event", "at", 1.5),
    Spoilt("event", "data.attempt", "1"),
    # Names and texts that a report may not have.
    Spoilt("project", "project", ""),
    Spoilt("project", "project", "p" * 256),
    Spoilt("project", "project", "a\0b"),
    Spoilt("task", "title", "t" * 1001),
    Spoilt("task", "agent", LEFT_OUT),
    Spoilt("task", "message", "m" * 10_001),
    Spoilt("task", "stack_trace", "é" * 6_000),
    Spoilt("task", "metadata", [1]),
    Spoilt("task", "metadata", LEFT_OUT),
    Spoilt("task", "colour", "red", "line 3: 'colour': "),
    # Events that are not what their type, or their place, says.
    Spoilt("event", "type", "task_forgotten"),
    Spoilt("event", "type", "task_finished", "line 5: data.result: "),
    Spoilt("event", "data", "{}"),
    Spoilt("event", "data", {}, "line 5: data.task_id: "),
    Spoilt("event", "data.title", LEFT_OUT),
    Spoilt("event", "data.project", "another", "line 5: data: "),
    Spoilt("event", "data.task_id", "running", "line 5: data: "),
    Spoilt("event", "data.message", LEFT_OUT, type="task_status_updated"),
    Spoilt("event", "data.result", LEFT_OUT, type="task_finished"),
    Spoilt("event", "data.error_type", None, type="task_error"),
    Spoilt("event", "task_id", "nobody's", "line 5: data: "),
    Spoilt("task", "project", "nobody's"),
    Spoilt("event", "project", "nobody's", "line 5: data: "),
    Spoilt("end", "events", 4),
    Spoilt("sentence", "record", "sentence"),
]


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda s: f"{s.record} {s.field} {s.value!r:.40}")
def test_a_record_that_no_report_made_is_refused_by_its_line(
    exported: Records, lived_in: Path, tmp_path: Path, spoilt: Spoilt
) -> None:
    records = copy.deepcopy(exported)
    if spoilt.record == "sentence":
        records.insert(3, {})
    at = next(
        number
        for number, record in enumerate(records)
        if record.get("record", spoilt.record) == spoilt.record
        and record.get("type", spoilt.type) == spoilt.type
    )
    *outer, name = spoilt.field.split(".")
    record = records[at]["data"] if outer else records[at]
    if spoilt.value == LEFT_OUT:
        del record[name]
    else:
        record[name] = spoilt.value
    file = tmp_path / "spoilt.jsonl"
    file.write_bytes(as_jsonl(records))
    says = spoilt.says.format(database=tmp_path / "tracker.db")
    says = says or f"line {at + 1}: {spoilt.field}: "
    assert import_refused(lived_in, file).startswith(f"tracker: {says}")


# What stands in the cell of a CSV file, and in nothing that reports made.
SPOILT_CELLS = {
    "lines of the stream": ("data", 'x\n\nid: 9\nevent: task_error\ndata: {"forged":1}'),
    "a line break in a text": ("data", '{"task_id":"a\nb"}'),
    "a name given twice": ("data", '{"task_id":"a","task_id":"b"}'),
    "not a number": ("data", '{"progress":NaN}'),
    "nested too deeply": ("data", '{"metadata":' + "[" * 101 + "]" * 101 + "}"),
    "half a character": ("data", '{"task_id":"\\ud800"}'),
    "a number with a mark": ("id", "1_0"),
    "a number of another script": ("id", "１"),
    "a number that is none": ("at", "nan"),
    "a number of a spreadsheet": ("at", "1.7E+12"),
    "another column's": ("progress", "50"),
}


@pytest.mark.parametrize("cell", SPOILT_CELLS)
def test_a_cell_that_no_report_made_is_refused_by_its_line(
    exported: Records, lived_in: Path, tmp_path: Path, cell: str
) -> None:
    name, text = SPOILT_CELLS[cell]
    records = [record | {name: text} if record["record"] == "event" else record
               for record in exported]  # fmt: skip
    file = tmp_path / "spoilt.csv"
    file.write_bytes(as_csv(records))
    assert re.match(rf"tracker: line 6: '?{name}", import_refused(lived_in, file))


def test_line_breaks_of_an_import_never_reach_a_stream(exported: Records, tmp_path: Path) -> None:
    """JSON may have them between its tokens, and a stream of events ends its lines with them."""
    records = [
        record | {"data": json.dumps(record["data"], indent="\n")} if "data" in record else record
        for record in exported
    ]
    (tmp_path / "all.csv").write_bytes(as_csv(records))
    assert run("import", "all.csv", "--db", "tracker.db", home=tmp_path).returncode == 0
    server = Server.start(tmp_path)
    try:
        query = {"since": 0, "api_key": KEY}
        with server.http.stream("GET", "/api/events/stream", params=query) as stream:
            lines = stream.iter_lines()
            data = [next(line for line in lines if line.startswith("data: ")) for _ in range(5)]
        for line, record in zip(data, exported[4:], strict=False):
            assert json.loads(line.removeprefix("data: "))["data"] == record["data"]
    finally:
        assert server.stop() == 0
