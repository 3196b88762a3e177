"""The page of one task: what happened, and why it failed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard
from tests.support.server import Server, wait_for

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


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


def offset(page: Page) -> float:
    """How far the log is from its end, in pixels."""
    return float(
        page.locator(".rows").evaluate("e => e.scrollHeight - e.clientHeight - e.scrollTop")
    )


def test_the_tab_stands_in_the_address(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("start", project, task="Tabs")
    shared_server.report("error", project, "bad", task="Bad")
    dashboard = open_dashboard(path_of(project))
    page = dashboard.page
    expect(page.get_by_role("tab", selected=True)).to_have_text("Log")
    expect(page.get_by_role("tab", name="Error")).to_be_hidden()
    page.get_by_role("tab", name="Log").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Data")).to_be_focused()
    expect(page.get_by_role("tabpanel")).to_have_attribute("aria-labelledby", re.compile("data"))
    dashboard.at(path_of(project, tab="data"))
    page.keyboard.press("Home")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Log")
    page.keyboard.press("End")
    page.get_by_role("link", name="Projects", exact=True).first.click()
    dashboard.heading("Projects")
    page.go_back()
    dashboard.heading("Tabs")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Data")
    dashboard.visit(path_of(project, "bad"))
    expect(page.get_by_role("tab", selected=True)).to_have_text("Error")
    dashboard.visit(path_of(project, "bad", "log"))
    expect(page.get_by_role("tab", selected=True)).to_have_text("Log")
    dashboard.visit(path_of(project, "bad", "none"))
    expect(page.get_by_role("tab", selected=True)).to_have_text("Error")


def test_a_long_log_is_whole(
    open_dashboard: Open, shared_server: Server, project: str, tmp_path: Path
) -> None:
    tell(shared_server, project, [f"report {n} " + "long " * (n % 60) for n in range(3000)])
    page = open_dashboard(path_of(project)).page
    rows = page.locator(".log-row")
    expect(rows.last).to_contain_text("report 2999")
    assert rows.count() < 100
    expect(page.locator(".log-find")).to_contain_text("The newest 1,000")
    log = page.locator(".rows")
    for known in ("1,500", "2,000", "2,500", "3,000"):
        before = rows.first.inner_text()
        log.evaluate("e => e.scrollTo(0, 0)")
        expect(page.locator(".log-find")).to_contain_text(known)
        assert rows.first.inner_text() != before
        assert log.evaluate("e => e.scrollTop") > 1000  # what was at the top still is
    log.evaluate("e => e.scrollTo(0, 0)")
    expect(page.locator(".log-find")).to_contain_text("3,000 reports")
    log.evaluate("e => e.scrollTo(0, 0)")
    expect(rows.first).to_contain_text("report 0")
    assert rows.count() < 100
    page.get_by_role("button", name="To the end").click()
    expect(rows.last).to_contain_text("report 2999")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSON lines").click()
    assert download.value.suggested_filename == "task-1.jsonl"
    download.value.save_as(tmp_path / "log")
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["data"]["message"].split()[1] for line in lines] == [
        str(n) for n in range(3000)
    ]


def test_what_is_saved_and_copied_is_all_of_it(
    open_dashboard: Open, shared_server: Server, project: str, tmp_path: Path
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(1600)])
    page = open_dashboard(path_of(project), permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy all").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [line.rsplit(" ", 1)[1] for line in copied] == [str(n) for n in range(1600)]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as text").click()
    download.value.save_as(tmp_path / "log")
    assert (tmp_path / "log").read_text(encoding="utf-8").splitlines() == copied


def test_the_log_follows_its_end_until_one_reads(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(200)])
    page = open_dashboard(path_of(project)).page
    rows = page.locator(".log-row")
    expect(rows.last).to_contain_text("report 199")
    tell(shared_server, project, ["the newest " + "of many words " * 60])
    expect(rows.last).to_contain_text("the newest")
    expect(rows.last).to_be_in_viewport(ratio=0.9)
    log = page.locator(".rows")
    log.evaluate("e => e.scrollBy(0, -2000)")
    end = page.locator(".log-end")
    expect(end).to_have_text("To the end")
    read = rows.nth(15)
    read.evaluate("row => (window.read = row)")
    top = read.evaluate("row => row.getBoundingClientRect().top")
    tell(shared_server, project, ["unseen", "unseen too"])
    expect(end).to_have_text("2 new")
    assert page.evaluate("window.read.getBoundingClientRect().top") == top
    end.click()
    expect(rows.last).to_contain_text("unseen too")
    expect(end).to_be_hidden()
    assert offset(page) < 2


def test_what_is_selected_stays_so(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n} of `many`" for n in range(200)])
    page = open_dashboard(path_of(project)).page
    rows = page.locator(".log-row")
    expect(rows.last).to_contain_text("report 199")
    expect(rows.last.locator("code")).to_have_text("many")
    page.evaluate(
        """() => { const [from, to] = [".log-row:nth-last-child(3)", ".log-row:last-child"]
            .map((row) => document.querySelector(`${row} .log-words`));
          getSelection().setBaseAndExtent(from, 0, to, to.childNodes.length); }"""
    )
    selected = page.evaluate("String(getSelection())")
    assert "report 197" in selected
    assert "report 199" in selected
    top = rows.last.evaluate("row => (window.last = row).getBoundingClientRect().top")
    tell(shared_server, project, [f"after {n}" for n in range(40)])
    expect(page.locator(".log-end")).to_have_text("40 new")
    assert page.evaluate("String(getSelection())") == selected
    assert page.evaluate("window.last.getBoundingClientRect().top") == top
    page.locator(".rows").evaluate("e => e.scrollTo(0, 0)")
    expect(rows.first).to_contain_text("report 0")
    assert page.evaluate("String(getSelection())") == selected


def test_the_log_is_searched_through(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    messages = [f"report {n}" for n in range(1800)]
    messages[3] = messages[1700] = "A Needle"
    tell(shared_server, project, messages)
    page = open_dashboard(path_of(project)).page
    field = page.get_by_role("searchbox", name="Find in the log")
    field.fill("needle")
    count = page.locator(".log-find .quiet")
    current = page.locator(".log-row.is-current")
    expect(current).to_be_in_viewport()
    expect(count).to_have_text("2 of 2")
    field.press("Shift+Enter")
    expect(count).to_have_text("1 of 2")
    expect(page.get_by_text("report 2", exact=True)).to_be_in_viewport()
    expect(current).to_be_in_viewport()
    field.press("Enter")
    expect(count).to_have_text("2 of 2")
    expect(page.get_by_text("report 1701", exact=True)).to_be_in_viewport()
    tell(shared_server, project, ["another needle"])
    expect(count).to_have_text("2 of 3")
    field.fill("")
    expect(count).to_have_text("1,801 reports")
    expect(page.locator(".is-found")).to_have_count(0)


def test_a_page_that_could_not_be_read_is_tried_again(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(1200)])
    page = open_dashboard(path_of(project)).page
    expect(page.locator(".log-row").last).to_contain_text("report 1199")
    page.route("**/api/events?*", lambda route: route.abort(), times=1)
    page.locator(".rows").evaluate("e => e.scrollTo(0, 0)")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".log-find")).to_contain_text("1,200")


def test_a_tab_that_was_left_is_as_it_was(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(300)])
    page = open_dashboard(path_of(project)).page
    expect(page.locator(".log-row").last).to_contain_text("report 299")
    tab(page, "Data")
    tab(page, "Log")
    expect(page.locator(".log-row").last).to_be_in_viewport()
    page.locator(".rows").evaluate("e => e.scrollTo(0, 3000)")
    expect(page.locator(".log-end")).to_be_visible()

    def in_the_middle() -> int:
        """Which report stands there; -1: none does yet."""
        words = page.locator(".rows").evaluate(
            """e => { const { x, y, width, height } = e.getBoundingClientRect();
            return document.elementFromPoint(x + width / 2, y + height / 2)
                .closest(".log-row")?.textContent ?? "" }"""
        )
        found = re.search(r"report (\d+)", words)
        return int(found[1]) if found else -1

    read = in_the_middle()
    assert 80 < read < 140
    tab(page, "Data")
    tab(page, "Log")
    # What is above is measured only when it is drawn: a row or two is no matter.
    wait_for(lambda: abs(in_the_middle() - read) <= 3, what="the log to be where it was")


def test_a_task_that_is_deleted_says_so(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("start", project, task="Short-lived")
    dashboard = open_dashboard()
    page = dashboard.page
    dashboard.go(path_of(project))
    dashboard.heading("Short-lived")
    path = f"/api/projects/{quote(project, safe='')}/tasks/task-1"
    assert shared_server.http.delete(path).status_code == 204
    expect(page.get_by_role("alert")).to_contain_text("was deleted")
    dashboard.heading("Short-lived")
    shared_server.report("start", project, task="Once more")
    dashboard.heading("Once more")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_an_unknown_task_says_so(open_dashboard: Open) -> None:
    page = open_dashboard(path_of("none", "no/such")).page
    expect(page.get_by_role("alert")).to_contain_text("never reported")
    expect(page.get_by_role("heading", level=1)).to_have_text("no/such")
    expect(page.get_by_role("tab")).to_have_count(0)
    page.get_by_role("link", name="none").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("none")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_long_names_are_cut(
    open_dashboard: Open, shared_server: Server, project: str, width: int
) -> None:
    long = "Unbroken" * 31
    url = f"https://{'a' * 60}.example/{'b' * 200}"
    shared_server.report(
        "start",
        f"{project}{long}"[:255],
        long[:255],
        task=long * 4,
        agent=long[:255],
        session=long[:255],
        metadata={"branch": long, "host": long, "pull_request_url": url, "command": long},
    )
    dashboard = open_dashboard(
        path_of(f"{project}{long}"[:255], long[:255]), viewport={"width": width, "height": 800}
    )
    page = dashboard.page
    dashboard.is_settled()
    assert page.evaluate(
        "[...document.querySelectorAll('main, main *')].filter(e => e.checkVisibility() && "
        "e.getBoundingClientRect().right > innerWidth + 1 && "
        "!e.closest('.clamped, .facts, .crumbs, bdi')).length === 0"
    )
    title = page.get_by_role("heading", level=1)
    height = title.evaluate("e => e.offsetHeight")
    page.get_by_role("button", name="Show all").first.click()
    assert title.evaluate("e => e.offsetHeight") > height
    link = page.locator(".fact-pull a")
    assert link.get_attribute("href") == link.get_attribute("title") == url
    assert "noopener" in str(link.get_attribute("rel"))


def test_only_addresses_of_the_web_become_links(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    for number, value in enumerate(
        ("javascript:alert(1)", "file:///etc/passwd", "//x", "https://", "ftp://a.b/c", 418)
    ):
        given = {"pull_request": value, "run_url": value, "branch": value}
        shared_server.report("start", project, str(number), task="Links", metadata=given)
        dashboard = open_dashboard(path_of(project, str(number)))
        expect(dashboard.page.locator(".fact-pull")).to_contain_text(str(value))
        expect(dashboard.page.locator(".facts a")).to_have_count(0)
        dashboard.close()


TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/main.py", line 42, in <module>
    pay()
  File "/srv/.venv/lib/python3.12/site-packages/httpx/_client.py", line 1, in post
    return self.request()
  File "/usr/lib/python3.12/socket.py", line 2, in connect
    raise problem
httpx.ConnectError: refused"""


def test_an_error_shows_whose_code_it_was(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report(
        "error", project, error_type="ConnectError", error_message="refused", stack_trace=TRACE
    )
    dashboard = open_dashboard(path_of(project), permissions=["clipboard-read", "clipboard-write"])
    page = dashboard.page
    expect(page.locator(".trace-error")).to_have_text("httpx.ConnectError: refused\n")
    expect(page.locator(".trace-origin")).to_contain_text("main.py")
    fold = page.locator(".trace-fold")
    expect(fold.locator("summary")).to_have_text("2 frames in libraries")
    expect(page.get_by_text("self.request")).to_be_hidden()
    page.get_by_role("checkbox", name="Show libraries' code").check()
    expect(page.get_by_text("self.request")).to_be_visible()
    page.locator(".snippet").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == TRACE
    page.get_by_role("button", name="Copy the error").click()
    expect(page.get_by_role("button", name="Copied")).to_have_count(2)
    assert page.evaluate("navigator.clipboard.readText()") == f"ConnectError: refused\n\n{TRACE}"


def test_attempts_are_compared(open_dashboard: Open, shared_server: Server, project: str) -> None:
    def fail(number: int) -> None:
        shared_server.report("start", project, task="Again")
        shared_server.report("status", project, message=f"try {number}")
        shared_server.report(
            "error", project, error_message=f"broke {number}", stack_trace=f"{TRACE} {number}"
        )

    fail(1)
    dashboard = open_dashboard(path_of(project))
    page = dashboard.page
    expect(page.get_by_role("tab", name="Error")).to_be_visible()
    expect(page.get_by_role("tab", name="Attempts")).to_be_hidden()
    fail(2)
    shared_server.report("start", project)
    shared_server.report("status", project, status="failed", message="gave up")
    fail(4)
    tab(page, "Attempts")
    attempts = page.locator(".attempt")
    choice = page.get_by_role("combobox", name="Attempt to compare")
    expect(choice).to_have_value("3")
    expect(attempts.first).to_contain_text("Failed")
    expect(attempts.last).to_contain_text("broke 4")
    expect(attempts.last).to_contain_text("refused 4")
    page.get_by_role("button", name="The attempt before").click()
    expect(attempts.first).to_contain_text("broke 2")
    expect(attempts.first).to_contain_text("refused 2")
    boxes = [attempts.nth(at).bounding_box() for at in (0, 1)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]  # side by side
    choice.select_option("4")
    expect(attempts).to_have_count(1)
    choice.select_option("1")
    shared_server.report("start", project)
    shared_server.report("finish", project, result="all **well**")
    expect(attempts.last).to_contain_text("Attempt 5, the last")
    expect(attempts.last.locator("strong")).to_have_text("well")
    expect(attempts.first).to_contain_text("broke 1")
    dashboard.at(path_of(project, tab="attempts"))


def test_the_graph_shows_what_belongs_to_it(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    def start(task_id: str, title: str, **fields: object) -> None:
        shared_server.report("start", project, task_id, task=title, **fields)

    start("lead", "The lead")
    start("plan", "The plan")
    needs = {"dependencies": ["plan", "none such", 7]}
    start("task-1", "In the middle", parent_task_id="lead", metadata=needs, session="s")
    start("part", "A <b>part</b>", parent_task_id="task-1", session="s")
    start("other", "Of no concern", session="s")
    dashboard = open_dashboard(path_of(project, tab="graph"))
    page = dashboard.page
    nodes = page.locator(".graph-node")
    expect(nodes).to_have_count(5)
    expect(nodes.filter(has_text="In the middle")).to_have_attribute("aria-current", "page")
    expect(nodes.filter(has_text="none such")).to_contain_text("Not known")
    expect(nodes.filter(has_text="A <b>part</b>").locator(".icon-running")).to_be_visible()
    expect(page.locator(".graph-edge")).to_have_count(4)
    words = page.get_by_role("list", name="The graph in words")
    expect(words).to_contain_text(
        "In the middle: Running; depends on The plan, none such; started by The lead"
    )
    shared_server.report("error", project, "part", task="")
    expect(nodes.filter(has_text="part")).to_contain_text("Failed")
    start("deeper", "Deeper", parent_task_id="part", session="s")
    expect(nodes).to_have_count(6)
    middle = nodes.filter(has_text="In the middle")
    middle.focus()
    page.keyboard.press("ArrowRight")
    expect(nodes.filter(has_text="part")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(nodes.filter(has_text="Deeper")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(middle).to_be_focused()
    assert nodes.evaluate_all("all => all.filter(({ tabIndex }) => tabIndex === 0).length") == 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("The (plan|lead)"))


def test_a_graph_says_what_it_leaves_out(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    of = {"kind": "start", "project": project, "task": "Part", "agent": "a", "session": "s"}
    reports = [{**of, "task_id": f"t{n}", "parent_task_id": "task-1"} for n in range(240)]
    shared_server.http.post("/webhook/batch", json={"reports": reports})
    shared_server.report("start", project, session="s")
    page = open_dashboard(path_of(project, tab="graph")).page
    expect(page.get_by_text("The nearest 200 are shown, 41 more are left out.")).to_be_visible()
    expect(page.locator(".graph-node")).to_have_count(200)


def test_a_task_of_its_own_has_no_graph(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("start", project, metadata={"dependencies": ["task-1"]})
    page = open_dashboard(path_of(project, tab="graph")).page
    expect(page.get_by_text("It depends on no task, and has started none.")).to_be_visible()
    expect(page.locator(".graph-node")).to_have_count(0)


MARKDOWN = """\
# Heading

**bold** and `code`, [a link](https://a.example/b) or https://c.example/d

- [x] done
- one

| a | b |
|---|--:|
| 1 | 2 |

```
let x;
```
"""


def test_results_are_shown_as_markdown(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("finish", project, result=MARKDOWN)
    dashboard = open_dashboard(path_of(project), permissions=["clipboard-read", "clipboard-write"])
    page = dashboard.page
    result = page.locator(".task-result .markdown")
    expect(result.get_by_role("heading", level=3)).to_have_text("Heading")
    expect(result.locator("strong")).to_have_text("bold")
    expect(result.get_by_role("cell")).to_have_text(["1", "2"])
    expect(result.locator("li").first).to_contain_text("☑ done")
    links = result.locator("a")
    expect(links).to_have_text(["a link", "https://c.example/d"])
    assert links.evaluate_all("all => all.every(a => a.title === a.href)")
    assert links.evaluate_all("all => all.every(a => a.rel.includes('noopener'))")
    result.get_by_role("button", name="Copy").click()
    expect(result.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "let x;"


HOSTILE = {
    "scripts": "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>**b**",
    "links": "[a](javascript:window.hacked=1) [b](data:text/html,x) <javascript:alert(1)> [c](/x)"
    " [d][e]\n\n[e]: vbscript:x",
    "images": "![seen](https://tracker.example/pixel.png) ![x](javascript:1)",
    "brackets": "[" * 100_000,
    "quotes": ">" * 20_000 + " deep",
    "lists": "\n".join("  " * n + "- item" for n in range(300)),
    "nesting": "**_" * 3000 + "x",
    "overrides": "**a \u202ereversed** `\u202ecode` [l\u202eink](https://a.example)\n\nafter",
    "table": "|" + "a|" * 3000 + "\n|" + "-|" * 3000 + "\n" + "|b" * 3000,
    "entities": "&lt;script&gt; &#x202e; &nbsp; &amp;&notanentity; **x**",
    "footnote": "[^a]\n\n[^a]: note [^a]",
}

SHOWN = {
    **{"scripts": "<script>", "links": "[a](javascript:", "images": "seen", "brackets": "[[["},
    **{"quotes": ">>>", "lists": "item", "nesting": "**_**_", "overrides": "reversed"},
    **{"table": "aaa", "entities": "<script>", "footnote": "note"},
}


def test_markdown_does_nothing_but_show(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    asked: list[str] = []
    dashboard = open_dashboard("/settings")
    page = dashboard.page
    page.on("request", lambda request: asked.append(request.url))
    result = page.locator(".task-result .markdown")
    for name, text in HOSTILE.items():
        shared_server.report("status", project, name, message=text[:10_000])
        shared_server.report("finish", project, name, result=text)
        dashboard.visit(path_of(project, name))
        expect(result).to_contain_text(SHOWN[name])
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.hacked ?? null") is None, name
        expect(page.locator("main :is(img, script, iframe, b, object)")).to_have_count(0)
        schemes = page.locator(".markdown a").evaluate_all("all => all.map(a => a.protocol)")
        assert set(schemes) <= {"https:"}, name
        if name == "overrides":
            isolated = page.locator(".markdown :is(p, strong, code, a)").evaluate_all(
                "all => all.filter(e => !['isolate', 'plaintext', 'isolate-override'].includes("
                "getComputedStyle(e).unicodeBidi)).map(e => e.tagName)"
            )
            assert isolated == []
    assert asked
    assert all(url.startswith(shared_server.url) for url in asked)


def test_long_markdown_waits_until_it_is_asked_for(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("finish", project, result="**bold** words\n\n" * 8000)
    page = open_dashboard(path_of(project)).page
    result = page.locator(".task-result .markdown")
    expect(result).to_contain_text("**bold**")
    expect(result.locator("strong")).to_have_count(0)
    result.get_by_role("button", name="Render as Markdown").click()
    expect(result.locator("strong")).to_have_count(8000)


def test_back_leads_to_where_one_was(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n}" for n in range(1900)])
    deep = {"metadata": {str(n): [n] for n in range(60)}}
    shared_server.report("status", project, task="Long", session="s", **deep)
    dashboard = open_dashboard(path_of(project))
    page = dashboard.page
    rows = page.locator(".log-row")
    expect(rows.last).to_contain_text("Update")
    log = page.locator(".rows")
    log.evaluate("e => e.scrollTo(0, 0)")
    expect(page.locator(".log-find")).to_contain_text("1,500")
    log.evaluate("e => e.scrollTo(0, 3000)")
    read = page.get_by_text("report 510", exact=True)
    expect(read).to_be_in_viewport()
    wait_for(lambda: page.evaluate("history.state?.task?.log"), what="the place to be kept")
    page.get_by_role("link", name="Projects", exact=True).first.click()
    dashboard.heading("Projects")
    page.go_back()
    dashboard.heading("Long")
    expect(read).to_be_in_viewport()
    expect(page.locator(".log-end")).to_be_visible()
    tab(page, "Data")
    main = page.locator("main")
    main.evaluate("e => e.scrollTo(0, 900)")
    wait_for(lambda: page.evaluate("history.state?.task?.scroll === 900"), what="it to be kept")
    page.locator(".fact-session a").evaluate("link => link.click()")
    dashboard.heading(project)
    page.go_back()
    dashboard.heading("Long")
    expect(main).to_have_js_property("scrollTop", 900)


def test_a_task_tells_how_others_of_its_title_went(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    def end(number: int, kind: str, title: str = 'Nightly "build" (x)') -> None:
        shared_server.report(kind, project, str(number), task=title)

    end(0, "error")
    dashboard = open_dashboard(path_of(project, "0"))
    page = dashboard.page
    expect(page.locator(".fact-duration")).to_be_visible()
    for number in range(1, 13):
        end(number, "error" if number in (1, 5, 12) else "finish")
    end(13, "finish", 'Nightly "build" (x) of another')
    shared_server.report("start", project, "14", task='Nightly "build" (x)')
    shown = page.locator(".fact-alike")

    def is_told() -> bool:
        dashboard.visit(path_of(project, "12"))
        return shown.is_visible() and "8 of the last 10" in shown.inner_text()

    wait_for(is_told, what="the index to follow")
    dashboard.visit(path_of(project, "14"))
    expect(shown).to_have_count(0)


def test_a_task_can_stand_beside_a_list(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    tell(shared_server, project, [f"report {n} " + "long " * 30 for n in range(60)])
    shared_server.report("error", project, task="Beside " * 40, stack_trace=TRACE)
    segment = quote(project, safe="")
    path = f"/projects/{segment}?task={quote(segment, safe='')}%2Ftask-1"
    page = open_dashboard(path, viewport={"width": 1280, "height": 800}).page
    panel = page.locator(".side-panel")
    expect(panel.get_by_role("heading", level=2).first).to_contain_text("Beside")
    expect(panel.locator(".trace-error")).to_be_visible()
    tab(page, "Log")
    expect(panel.locator(".log-row").last).to_be_in_viewport()
    assert page.evaluate("new URLSearchParams(location.search).get('tab')") == "log"
    assert panel.evaluate("e => e.scrollWidth <= e.clientWidth")
    expect(page.get_by_role("heading", level=1)).to_have_text(project)
