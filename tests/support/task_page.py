"""The page of one task: how tests get there, and fill it."""

from __future__ import annotations

from urllib.parse import quote

from playwright.sync_api import Page

from tests.support.server import Server

TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/main.py", line 42, in <module>
    pay()
  File "/srv/.venv/lib/python3.12/site-packages/httpx/_client.py", line 1, in post
    return self.request()
  File "/usr/lib/python3.12/socket.py", line 2, in connect
    raise problem
httpx.ConnectError: refused"""


def path_of(project: str, task_id: str = "task-1", tab: str = "") -> str:
    path = f"/projects/{quote(project, safe='')}/tasks/{quote(task_id, safe='')}"
    return f"{path}?tab={tab}" if tab else path


def tell(server: Server, project: str, messages: list[str], task_id: str = "task-1") -> None:
    """Report all of them, in batches."""
    of = {"project": project, "task": "", "task_id": task_id, "agent": "a", "kind": "status"}
    for at in range(0, len(messages), 500):
        reports = [{**of, "message": message} for message in messages[at : at + 500]]
        answer = server.http.post("/webhook/batch", json={"reports": reports})
        assert {result["status"] for result in answer.json()["results"]} <= {200, 201}


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
