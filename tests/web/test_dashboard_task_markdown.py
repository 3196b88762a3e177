"""Results and messages as Markdown, of which nothing is HTML."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard
from tests.support.server import Server
from tests.support.task_page import path_of

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


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
