from tests.server import Server


def test_a_task_from_start_to_finish(server: Server, project: str) -> None:
    assert server.report("start", project).status_code == 201
    assert server.report("status", project, progress=50).status_code == 200
    finished = server.report("finish", project, result="done", duration_seconds=3450)
    assert finished.json()["duration_seconds"] == 3450
    task = server.task(project)
    assert (task["status"], task["progress"], task["result"]) == ("completed", 100, "done")
    assert [event["type"] for event in task["events"]] == [
        "task_started",
        "task_status_updated",
        "task_finished",
    ]
