"""The benchmarks measure something, and notice when an outcome is wrong. Their times are not looked
at here."""

from __future__ import annotations

import ast
import importlib
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts" / "bench"
QUICKLY = ("--rounds", "1", "--seconds", "1", "--warm-up", "0")

sys.path += [str(SCRIPTS.parent), str(SCRIPTS)]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need Linux")
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="the benchmarks need wrk")


def bench(name: str, *arguments: str) -> dict[str, Any]:
    """Run a benchmark with this Python; what it measured."""
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_each_goes_on_in_the_environment_before_it_needs_it(script: Path) -> None:
    imported: list[str] = []
    for node in ast.parse(script.read_text()).body:
        if isinstance(node, ast.Import):
            imported += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported.append(str(node.module).partition(".")[0])
    assert set(imported[: imported.index("_venv")]) <= sys.stdlib_module_names


@on_linux
@needs_wrk
def test_ingest_loads_floor_and_tracker_and_finds_every_report() -> None:
    report = bench("ingest", *QUICKLY, "--connections", "4")
    requests = {row["server"]: row["requests"] for row in report["measured"]}
    assert {"floor: bare uvicorn", "floor that commits our rows", "tracker"} <= requests.keys()
    assert all(requests.values())
    assert report["failures"] == []


@pytest.mark.soak
@on_linux
@needs_wrk
def test_variants_find_every_report_whatever_it_looks_like() -> None:
    report = bench("variants", *QUICKLY)
    assert {row["variant"] for row in report["measured"]} >= {"Idempotency-Key", "batches of 100"}
    assert all(row["per_second"][0] > 0 for row in report["measured"])
    assert report["failures"] == []


@pytest.mark.soak
@on_linux
@needs_wrk
def test_growth_makes_the_tasks_and_asks_every_question() -> None:
    report = bench("growth", *QUICKLY, "--tasks", "300")
    assert {row["request"]: row["requests"] > 0 for row in report["measured"]} == {
        "GET /api/stats": True,
        "GET /api/projects": True,
        "GET a page of completed tasks": True,
        "GET a search that all tasks match": True,
        "GET a search for two words": True,
        "GET an agent's tasks": True,
        "GET a project's figures": True,
        "GET /api/sessions": True,
        "GET the sessions at work": True,
        "GET /api/stats, three projects": True,
        "GET /api/now, three projects": True,
        "GET /api/sessions, three projects": True,
        "GET the newest events, three projects": True,
        "POST /webhook/start": True,
        "POST /v1/traces": True,
    }
    assert report["failures"] == []


@pytest.mark.soak
@on_linux
@needs_wrk
def test_fanout_checks_what_every_subscriber_was_sent() -> None:
    load = ("--subscribers", "3", "--paced-subscribers", "3", "--pace", "50")
    report = bench("fanout", *QUICKLY, *load)
    alone, three, paced = report["measured"]
    assert alone["deliveries"] == 0
    assert three["deliveries"] >= 3 * three["load"]["requests"] > 0
    assert len(paced["delays"]) == 50
    assert report["failures"] == []


@on_linux
def test_startup_measures_time_and_memory() -> None:
    """Of the package; the executable, which is not there everywhere, takes the same way."""
    (start,) = bench("startup", "--rounds", "1", "--no-executable")["measured"]
    assert start["program"] == "python -m tracker"
    assert start["ms"] > 0
    assert start["mb"] > 0


@pytest.mark.soak
@on_linux
def test_neighbours_are_measured_beside_bodies_sleepers_and_a_flood() -> None:
    report = bench(
        *("neighbours", "--rounds", "1", "--seconds", "1", "--tasks", "300", "--messages", "3"),
        *("--bodies", "many keys", "a key twice at the end"),
    )
    measured = report["measured"]
    assert [row["body"] for row in measured if "body" in row] == [
        "many keys",
        "a key twice at the end",
    ]
    assert [row["stalled"] for row in measured if "stalled" in row] == [0, 1, 50]
    floods = [row for row in measured if "reading" in row]
    assert [row["reading"] for row in floods] == [0, 1, 8, 64]
    assert all(len(row["took"]) == 50 for row in floods)
    assert all(row["reads"] > 0 for row in floods[1:])
    assert report["failures"] == []


def test_bodies_have_the_size_that_they_are_to_have() -> None:
    bodies = importlib.import_module("_bodies")
    for name, body in bodies.bodies(100_000).items():
        if body.coding is None:
            assert 80_000 < len(body.content) <= 100_000, name


def frame(event_id: int) -> bytes:
    payload = b'{"id":%d}' % event_id
    return bytes([0x81, len(payload)]) + payload


EVENTS = b"".join(frame(event_id) for event_id in range(11, 16))
FRAME = len(frame(11))
PING = b"\x89\x02hi"


@on_linux
@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        (EVENTS, None),
        (EVENTS[: 3 * FRAME] + PING + EVENTS[3 * FRAME :], None),
        (EVENTS[: 3 * FRAME], "1 of 2 subscribers were not sent everything"),
        (EVENTS[: 3 * FRAME] + EVENTS[2 * FRAME :], "not what others were sent"),
        (EVENTS + frame(15), "5 events recorded, 6 sent or out of order"),
        (EVENTS[:-3] + b"99}", "not what others were sent"),
    ],
    ids=["same", "ping", "lost", "repeated", "repeated at the end", "changed"],
)
def test_subscribers_notice_what_was_lost_repeated_or_changed(
    second: bytes, complaint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribers = importlib.import_module("_subscribers")
    monkeypatch.setattr(subscribers, "_IDLE_SECONDS", 0.1)
    pairs = [socket.socketpair() for _ in range(2)]
    both = subscribers.Subscribers((ours for ours, _ in pairs), since=10)
    complaints = []
    try:
        for part in (slice(3 * FRAME - 1), slice(3 * FRAME - 1, None)):  # cut within a frame
            for (_, servers), stream in zip(pairs, (EVENTS, second), strict=True):
                servers.sendall(stream[part])
            both.read()
        both.read_up_to(15)
        complaints = both.missed(15)
    except subscribers.WrongBytesError as error:
        complaints = [str(error)]
    both.close()
    for _, servers in pairs:
        servers.close()
    assert bool(complaints) == bool(complaint)
    assert (complaint or "") in "".join(complaints)


def test_blocks_are_replaced_between_their_markers_only(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\n<!-- /two -->\nc\n")
    all_ = importlib.import_module("all")
    all_.replace_blocks(file, {"one": "new", "two": "2"})
    expected = "a\n<!-- one -->\n\nnew\n\n<!-- /one -->\nb\n<!-- two -->\n\n2\n\n<!-- /two -->\nc\n"
    assert file.read_text() == expected


@on_linux
def test_hook_tells_every_event_once_whatever_the_server_does() -> None:
    report = bench("hook", "--rounds", "2")
    ways = {row["way"]: len(row["ms"]) for row in report["measured"]}
    assert ways.items() >= {"python -c pass": 2, "the server answers": 2, "it hangs": 2}.items()
    assert report["failures"] == []


@pytest.mark.soak
@on_linux
def test_translation_is_compared_with_a_webhook() -> None:
    report = bench("translation", "--rounds", "1", "--repeat", "1")
    requests = {row["request"] for row in report["measured"]}
    assert requests == {"POST /webhook/status", "POST /hooks/claude-code"}
    assert all(row["cpu_ms"] > 0 for row in report["measured"])
    assert report["failures"] == []


@pytest.mark.soak
@on_linux
def test_the_day_of_agents_has_every_task_with_its_messages_and_without_them() -> None:
    report = bench("agents_day", "--agents", "2", "--hours", "0.25", "--requests", "3")
    sizes = {row["Database"]: row for row in report["measured"] if "Database" in row}
    # Three prompts and a sub-agent each; 36 tools a prompt, each a message.
    assert {name: (row["tasks"], row["events"]) for name, row in sizes.items()} == {
        "all messages": ("8", "232"),
        "pruned": ("8", "16"),
    }
    assert all(len(row["ms"][1]) == 3 for row in report["measured"] if "request" in row)
    assert report["failures"] == []


@pytest.mark.soak
@on_linux
def test_command_runs_it_in_every_way_and_finds_all_of_its_output() -> None:
    report = bench("command", "--rounds", "1", "--megabytes", "3")
    assert len(report["measured"]) == 5
    for row in report["measured"]:
        assert all(0 < until < end for until, end in zip(row["until"], row["end"], strict=True))
    assert report["failures"] == []


@pytest.mark.soak
@pytest.mark.browser
@on_linux
def test_dashboard_paints_and_counts_frames_of_every_view(
    chromium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_CHROMIUM", chromium)
    short = ("--tasks", "50", "--rounds", "1", "--seconds", "0.5", "--events", "100")
    paints, *views = bench("pages", *short, "--active", "5")["measured"]
    assert {len(took) for took in paints["paints"].values()} == {3}
    assert all(ms > 0 for took in paints["paints"].values() for ms in took)
    named = {view["view"]: view["frames"] for view in views}
    assert set(named) == {"an empty page", "Now", "Events", "Timeline", "Board"}
    assert all(one["rate"] > 0 and one["busy"] > 0 for rounds in named.values() for one in rounds)


@pytest.mark.soak
@on_linux
def test_sdk_finds_every_report_that_was_called_or_waited() -> None:
    report = bench("sdk", "--calls", "300", "--paced", "20", "--spooled", "700")
    calls = [row for row in report["measured"] if "calls" in row]
    assert {(row["server"], row["sent"]) for row in calls} == {
        *(("answers", True), ("refuses", False), ("hangs", False)),
        ("answers, the disk is full", True),
    }
    assert report["measured"][-1]["waiting"] == 700
    assert report["failures"] == []
