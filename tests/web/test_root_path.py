"""Everything under a prefix (`--root-path`): for proxies that keep it, and those that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect
from websockets.sync.client import connect

from tests.support.dashboard import Dashboard
from tests.support.server import KEY, Server

ROOT = "/team/tracker"


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server.start(tmp_path_factory.mktemp("server"), "--root-path", f"{ROOT}/")
    yield server
    assert "ERROR" not in server.log
    server.stop()


@pytest.mark.parametrize("prefix", [ROOT, ""], ids=["kept", "removed by the proxy"])
def test_the_api(prefixed: Server, prefix: str) -> None:
    http, project = prefixed.http, f"p{prefix.replace('/', '-')}"
    body = {"project": project, "task": "T", "task_id": "t/1", "agent": "a"}
    assert http.post(f"{prefix}/webhook/start", json=body).status_code == 201
    answer = http.post(f"{prefix}/webhook/batch", json={"reports": [{"kind": "finish", **body}]})
    assert answer.json()["results"][0]["status"] == 200
    task = http.get(f"{prefix}/api/projects/{project}/tasks/t%2F1?x=/", params={"y": "?"}).json()
    assert task["status"] == "completed"
    assert http.get(f"{prefix}/health").status_code == 200
    assert http.get(f"{prefix}/nothing").status_code == 404
    with httpx.Client(base_url=prefixed.url, trust_env=False) as nobody:
        assert nobody.get(f"{prefix}/api/projects").status_code == 401
        assert nobody.post(f"{prefix}/webhook/start", json=body).status_code == 401
    address = f"{prefixed.url}{prefix}/ws?api_key={KEY}&since=0".replace("http", "ws", 1)
    with connect(address, proxy=None) as socket:
        assert '"id":1' in socket.recv(timeout=10)
    with http.stream("GET", f"{prefix}/api/events/stream", params={"since": 0}) as stream:
        assert next(stream.iter_lines()) == ": connected"


@pytest.mark.parametrize(
    "path", [f"{ROOT}x/health", f"{ROOT}{ROOT}/health", "/team/health", f"/x{ROOT}/health"]
)
def test_what_only_looks_like_it(prefixed: Server, path: str) -> None:
    assert prefixed.http.get(path).status_code == 404


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/", f"{ROOT}?x=1", f"{ROOT}/projects", "/"])
def test_the_page_names_its_files_by_it(prefixed: Server, path: str) -> None:
    page = prefixed.http.get(path)
    assert page.status_code == 200
    assert f'src="{ROOT}/assets/' in page.text
    assert '="/assets' not in page.text


def test_the_documents_name_it(prefixed: Server) -> None:
    assert prefixed.http.get(f"{ROOT}/openapi.json").json()["servers"][0]["url"] == ROOT
    icon = prefixed.http.get(f"{ROOT}/favicon.ico")
    assert icon.headers["Location"].startswith(f"{ROOT}/assets/")


@pytest.mark.browser
def test_the_dashboard(prefixed: Server, browser: Browser) -> None:
    prefixed.report("start", "project", "task", task="Under a prefix")
    dashboard = Dashboard.open(browser, prefixed, f"{ROOT}/")
    page = dashboard.page
    try:
        page.get_by_text("Under a prefix").click()
        expect(page).to_have_url(f"{prefixed.url}{ROOT}/?task=project%2Ftask")
        page.get_by_role("link", name="Open as a page").click()
        expect(page).to_have_url(f"{prefixed.url}{ROOT}/projects/project/tasks/task")
        prefixed.report("finish", "project", "task", task="Under a prefix", result="It is done")
        expect(page.get_by_text("It is done").first).to_be_visible()
        for link, path in (
            ("Tasks", "tasks"),
            ("By project", "projects"),
            ("Events", "events"),
            ("Settings", "settings"),
        ):
            page.get_by_role("link", name=link, exact=True).first.click()
            expect(page).to_have_url(f"{prefixed.url}{ROOT}/{path}")
        page.reload()
        dashboard.is_live()
        expect(page.locator("code", has_text=f"{prefixed.url}{ROOT}").first).to_be_visible()
        page.go_back()
        expect(page).to_have_url(f"{prefixed.url}{ROOT}/events")
        assert dashboard.problems == []
    finally:
        dashboard.close()


@pytest.mark.browser
@pytest.mark.parametrize(("path", "shown"), [("docs", "/webhook/start"), ("redoc", "Webhooks")])
def test_the_documentation(prefixed: Server, browser: Browser, path: str, shown: str) -> None:
    page = browser.new_page()
    try:
        page.goto(f"{prefixed.url}{ROOT}/{path}")
        expect(page.get_by_text(shown).first).to_be_visible(timeout=20_000)
    finally:
        page.close()


@pytest.mark.parametrize("path", ["/a b", "/ä", "/a?b", "/a//b", "/../b", "/.", "/api", "ws/"])
def test_what_is_no_prefix(start_server: Callable[..., Any], path: str) -> None:
    with pytest.raises(AssertionError, match="such as /tracker"):
        start_server("--root-path", path)
