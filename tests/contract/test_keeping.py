"""What an engine keeps and lets go: old tasks, ended sessions, and whether it is well."""

from __future__ import annotations

from tests.support.access import SOMEBODY, only
from tests.support.bench import EVERYTHING, Bench, report
from tests.support.figures import recount
from tracker.domain.audit import Action, AuditQuery, Deed
from tracker.domain.limits import MAX_INTEGER
from tracker.domain.queries import UNLIMITED, ProjectQuery, RetentionPolicy
from tracker.domain.sessions import EndedSessions


def test_retention_prunes_what_ended_long_ago(lasting: Bench) -> None:
    lasting.record(report("finish", "old", "ended"), report("start", "p", "runs"))
    lasting.record(*(report("finish", "p", f"ended {number}") for number in range(250)))
    lasting.record(report("finish", "p", "late"))
    lasting.clock.advance(days=40)
    lasting.record(report("status", "p", "late"), report("finish", "p", "new"))
    lasting.reopen(RetentionPolicy(days=30))
    lasting.wait_for(lambda: len(lasting.tasks("p")) == 3, "retention")
    lasting.wait_for(lambda: lasting.heard.forgets > 0, "being told of it")
    assert lasting.tasks("p", sort_by="title") == ["new", "late", "runs"]
    (project,) = lasting.run(lasting.engine.projects(only(), ProjectQuery())).projects
    assert project.name == "p"
    page = lasting.run(lasting.engine.events(only(), 0, EVERYTHING, 100))
    assert [event.id for event in page.events] == [2, 253, 254, 255]
    assert page.bounds == (2, 255, 252, ())
    reached = [cursor for cursor in (0, 251, 252, 255) if page.bounds.covers(cursor)]
    assert reached == [252, 255]
    recount(lasting)
    (recorded,) = lasting.record(report("start", "old"))
    assert recorded.event_id == 256


def test_without_limits_everything_is_kept(lasting: Bench) -> None:
    lasting.record(report("finish", "p"))
    lasting.clock.advance(days=36_500)
    lasting.reopen(UNLIMITED)
    lasting.record(report("finish", "q"))
    assert [event.id for event in lasting.log()] == [1, 2]


def test_each_change_of_the_settings_is_told(bench: Bench) -> None:
    for port in (1, 1, 2, 1, 2, 2):  # as at one start after the other, within an hour
        bench.run(bench.engine.note_settings({"port": port}))
    query = AuditQuery(10, MAX_INTEGER, Action.SETTINGS_CHANGED)
    entries = bench.run(bench.engine.audit(query)).entries
    assert [(entry.deed.details["port"], entry.times) for entry in entries] == [
        *((2, 1), (1, 1)),
        *((2, 1), (1, 1)),
    ]


def test_names_of_files_that_are_no_text_are_told(bench: Bench) -> None:
    for _ in range(2):
        bench.run(bench.engine.note_settings({"ready_file": "r\udcff"}))
    deed = Deed(Action.IMPORTED, SOMEBODY, details={"file": "e\udcff", "files": ["é\udcff"]})
    bench.run(bench.engine.save_deeds([(deed, 1), (deed, 1)]))
    entries = bench.run(bench.engine.audit(AuditQuery(10, MAX_INTEGER))).entries
    assert [(entry.deed.details, entry.times) for entry in entries] == [
        ({"file": "e?", "files": ["é?"]}, 2),
        ({"ready_file": "r?"}, 1),
    ]


def test_ended_sessions(bench: Bench) -> None:
    assert not bench.engine.ended_sessions.revoked
    bench.run(bench.engine.save_ended_sessions(EndedSessions("epoch", {"a": 1})))


def test_ended_sessions_outlive_the_engine(lasting: Bench) -> None:
    now = lasting.clock.now_ms()
    first = lasting.engine.ended_sessions.epoch
    lasting.run(
        lasting.engine.save_ended_sessions(EndedSessions(first, {"a": now + 1000, "b": now + 5000}))
    )
    lasting.reopen()
    assert lasting.engine.ended_sessions == (first, {"a": now + 1000, "b": now + 5000})
    lasting.clock.advance(seconds=1)
    ended = EndedSessions(first, {"a": now + 1000, "b": now + 5000})
    lasting.run(lasting.engine.save_ended_sessions(ended))
    lasting.reopen()
    assert lasting.engine.ended_sessions == ended
    lasting.clock.advance(seconds=1)
    lasting.run(lasting.engine.save_ended_sessions(EndedSessions("another", {"c": now + 9000})))
    lasting.reopen()  # what is over by itself is forgotten
    assert lasting.engine.ended_sessions == ("another", {"b": now + 5000, "c": now + 9000})


def test_health(bench: Bench) -> None:
    before = bench.run(bench.engine.health())
    bench.record(*(report("finish", task_id=f"{n}", result="x" * 10_000) for n in range(200)))
    after = bench.run(bench.engine.health())
    assert after.version == before.version != ""
    assert after.size_bytes + after.wal_size_bytes > before.size_bytes + before.wal_size_bytes
    assert bench.engine.kind in ("sqlite",)
    assert bench.heard.ids == list(range(1, 201))  # the probe is none of the log
    assert bench.engine.last_id == 200
