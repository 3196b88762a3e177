"""`ETag` and `If-None-Match`: what has not changed is not sent again (RFC 9110, 13.1.2)."""

from __future__ import annotations

import pytest

from tests.support.clocked import ClockedServer

PATHS = (
    "/api/projects",
    "/api/projects/p/tasks",
    "/api/projects/p/tasks/task-1",
    "/api/events",
    "/api/stats",
    "/api/stats/projects/p",
)


@pytest.mark.parametrize("path", PATHS)
def test_unchanged_is_not_sent_again(clocked: ClockedServer, path: str) -> None:
    clocked.report("start", "p")
    first = clocked.http.get(path)
    etag = first.headers["ETag"]
    assert etag.startswith('W/"')
    assert first.headers["Cache-Control"] == "private, no-cache"

    again = clocked.http.get(path, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == etag

    clocked.clock.advance(seconds=1)
    clocked.report("finish", "p")
    changed = clocked.http.get(path, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag
    assert changed.content != first.content


@pytest.mark.parametrize("path", ["/api/projects", "/", "/projects/p", "/docs/assets/docs.css"])
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("{}", 304),
        ("W/{}", 304),
        ('"x", {} , "y"', 304),
        ("*", 304),
        ('"x"', 200),
        ("", 200),
        ("nonsense", 200),
    ],
)
def test_forms_of_if_none_match(clocked: ClockedServer, path: str, form: str, status: int) -> None:
    etag = clocked.http.get(path).headers["ETag"].removeprefix("W/")
    answer = clocked.http.get(path, headers={"If-None-Match": form.format(etag)})
    assert answer.status_code == status
    assert answer.headers["ETag"].removeprefix("W/") == etag


def test_parameters_make_another_answer(clocked: ClockedServer) -> None:
    clocked.report("start", "p")
    etags = {
        clocked.http.get("/api/projects", params=params).headers["ETag"]
        for params in ({}, {"limit": 1}, {"offset": 1}, {"sort_by": "name"})
    }
    assert len(etags) == 3  # the last is the first answer over again
