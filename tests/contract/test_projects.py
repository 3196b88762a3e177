"""Projects: the list, its order and pages; deleting one."""

from __future__ import annotations

import asyncio
from typing import get_args

import orjson
import pytest

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, report
from tests.support.clocked import ms
from tracker.clock import MS_PER_DAY
from tracker.domain.queries import ProjectQuery, ProjectSort
from tracker.domain.records import DayCount, ProjectPage, StatusCounts
from tracker.errors import NotFound


def listed(bench: Bench, query: ProjectQuery = ProjectQuery()) -> ProjectPage:  # noqa: B008
    return bench.run(bench.engine.projects(only(), query))


def names(page: ProjectPage) -> str:
    return "".join(project.name for project in page.projects)


def test_none(bench: Bench) -> None:
    assert listed(bench) == ProjectPage([], 0)


def test_summary(bench: Bench) -> None:
    begun = bench.clock.now_ms()
    bench.record(report("start", "p", "1"), report("status", "p", "2", status="pending"))
    bench.record(report("finish", "p", "3"))
    bench.clock.advance(milliseconds=1500)
    bench.record(report("error", "p", "4"), report("finish", "p", "5"))
    (project,) = listed(bench).projects
    assert (project.name, project.created_at, project.updated_at) == ("p", begun, begun + 1500)
    assert (project.tasks, project.activity) == (StatusCounts(1, 1, 2, 1), None)
    assert (project.tasks.total, project.tasks.active) == (5, 2)


def test_late_report_changes_nothing(bench: Bench) -> None:
    bench.record(report("finish", "p"))
    before = listed(bench)
    bench.clock.advance(seconds=60)
    bench.record(report("status", "p"))
    assert listed(bench) == before


def test_activity(bench: Bench) -> None:
    bench.record(report("start", "p", "running"), report("start", "q"))
    for number in range(3):
        bench.record(report("finish", "p", f"c{number}"), report("error", "p", f"f{number}"))
        bench.clock.advance(days=1)
    first = ms("2024-01-15T00:00:00") // MS_PER_DAY
    query = ProjectQuery(sort_by="name", descending=False, activity_days=2)
    assert [project.activity for project in listed(bench, query).projects] == [
        [DayCount(first + 1, 1, 1), DayCount(first + 2, 1, 1)],
        [],
    ]


def test_order_and_pages(bench: Bench) -> None:
    """Made in the order b, a, c, and last reported to in the order c, b, a."""
    for name in ("b", "a", "c", "c", "b", "a"):
        bench.record(report("status", name))
        bench.clock.advance(seconds=60)
    expected: dict[ProjectSort, str] = {"name": "abc", "created_at": "bac", "updated_at": "cba"}
    assert set(expected) == set(get_args(ProjectSort))
    for sort_by, ascending in expected.items():
        query = ProjectQuery(sort_by=sort_by)
        assert names(listed(bench, query)) == ascending[::-1]
        assert names(listed(bench, query._replace(descending=False))) == ascending
        pages = [listed(bench, query._replace(limit=2, offset=offset)) for offset in (0, 2, 3)]
        assert "".join(map(names, pages)) == ascending[::-1]
        assert [page.total for page in pages] == [3, 3, 3]
    assert names(listed(bench, ProjectQuery(offset=2**63 - 1))) == ""


def test_equal_times_go_by_id(bench: Bench) -> None:
    for name in "badce":
        bench.record(report("start", name))
    for sort_by in ("created_at", "updated_at"):
        query = ProjectQuery(sort_by=sort_by)
        assert names(listed(bench, query)) == "ecdab"
        assert names(listed(bench, query._replace(descending=False))) == "badce"


def test_project_without_tasks_stays(bench: Bench) -> None:
    bench.record(report("start", "p"))
    bench.run(bench.engine.delete_task("p", "task-1", SOMEBODY))
    (project,) = listed(bench).projects
    assert project.tasks == StatusCounts(0, 0, 0, 0)
    assert bench.tasks("p") == []


def test_delete(bench: Bench) -> None:
    for name in ("gone", "kept"):
        bench.record(*(report("finish", name, f"{number}") for number in range(450)))
    bench.run(bench.engine.delete_project("gone", SOMEBODY))
    assert names(listed(bench)) == "kept"
    assert [event.id for event in bench.log()] == list(range(451, 902))
    assert bench.log()[-1].type == "project_deleted"
    told = {"project": "gone", "by": "somebody", "remains": False}
    assert orjson.loads(bench.log()[-1].data) == told
    assert bench.heard.forgets >= 1
    for work in (
        bench.engine.delete_project("gone", SOMEBODY),
        bench.engine.project_stats(only(), "gone", 30),
        bench.engine.task(only(), "gone", "1"),
    ):
        with pytest.raises(NotFound):
            bench.run(work)


def test_what_comes_while_it_is_deleted_is_kept(bench: Bench) -> None:
    bench.record(*(report("start", "p", f"{number}") for number in range(2000)))
    came: list[str] = []
    some_are_gone = asyncio.Event()
    bench.heard.also_forget = some_are_gone.set

    async def scenario() -> None:
        deletion = asyncio.ensure_future(bench.engine.delete_project("p", SOMEBODY))
        await some_are_gone.wait()
        while not deletion.done():
            came.append(f"new {len(came)}")
            await bench.engine.record(report("start", "p", came[-1]), None, 0)

    bench.run(scenario())
    assert came
    assert bench.tasks("p", limit=500, descending=False) == came
    log = bench.log()
    assert len(log) - 1 == len(came) == listed(bench).projects[0].tasks.total
    (told,) = (event for event in log if event.type == "project_deleted")
    assert orjson.loads(told.data)["remains"]


def test_what_another_has_deleted_and_is_there_anew_is_not_told_to_be_gone(bench: Bench) -> None:
    bench.record(*(report("start", "p", f"{number}") for number in range(1000)))
    engine = bench.engine

    async def scenario() -> int:
        two = [asyncio.ensure_future(engine.delete_project("p", SOMEBODY)) for _ in range(2)]
        await asyncio.wait(two, return_when=asyncio.FIRST_COMPLETED)
        anew = await engine.record(report("start", "p", "anew"), None, 0)
        await asyncio.gather(*two, return_exceptions=True)
        return anew.event_id

    came = bench.run(scenario())
    told = [event for event in bench.log() if event.type == "project_deleted"]
    assert not [
        event for event in told if event.id > came and not orjson.loads(event.data)["remains"]
    ]
    assert bench.tasks("p") == ["anew"]


def test_deleted_project_begins_anew(bench: Bench) -> None:
    bench.record(report("finish", "p", metadata={"a": 1}))
    bench.run(bench.engine.delete_project("p", SOMEBODY))
    bench.clock.advance(days=1)
    (recorded,) = bench.record(report("start", "p"))
    assert (recorded.event_id, recorded.created) == (3, True)
    (project,) = listed(bench).projects
    assert (project.created_at, project.tasks.total) == (bench.clock.now_ms(), 1)
    assert bench.task("p").summary.metadata == "{}"


@pytest.mark.parametrize("whole_project", [False, True])
def test_many_events_are_deleted_in_steps(bench: Bench, whole_project: bool) -> None:
    """Reports wait for one step, not for all of them."""
    for _ in range(10):
        bench.record(*(report("status", "p", "long") for _ in range(500)))
    bench.record(report("start", "other"))
    engine, before = bench.engine, bench.heard.forgets
    if whole_project:
        bench.run(engine.delete_project("p", SOMEBODY))
    else:
        bench.run(engine.delete_task("p", "long", SOMEBODY))
        assert bench.tasks("p") == []
    assert bench.heard.forgets - before >= 3
    assert [event.id for event in bench.log()] == [5001, 5002]
    assert bench.run(engine.overall_stats(only())).tasks.total == 1
