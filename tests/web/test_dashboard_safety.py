"""Whatever agents report stays text: it runs nothing, builds nothing, reorders nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard
from tests.support.foreign import VISIBLE, unsafe_characters
from tests.support.server import Server
from tracker.text import printable

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

HTML = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script><b>bold</b>"
SCRIPT = "javascript:window.hacked=1//'\"`]]>--></textarea></title><svg onload=window.hacked=1>"
# Overrides the direction of what follows it, and never ends.
BIDI = "\u202egnp.exe \u2067evil"
HOSTILE = f"{HTML}{SCRIPT}{BIDI}\x1b[31m\u0000".replace("\u0000", "")


@pytest.fixture
def hostile(shared_server: Server, project: str) -> str:
    """A project in which every field of every report is hostile; its name."""
    name = f"{HTML}{BIDI}{project}"[:255]
    fields = {"task": HOSTILE, "agent": HOSTILE[:255], "task_id": HOSTILE[:255]}
    metadata = {HOSTILE: HOSTILE, "__proto__": {"hacked": 1}, "list": [HOSTILE, {HTML: BIDI}]}
    asks = {
        "attention": HOSTILE,
        "attention_id": HOSTILE[:255],
        "session": HOSTILE[:255],
        "parent_task_id": HOSTILE[:255],
        "metadata": {"estimated_duration": 0, "dependencies": [HOSTILE[:255]]},
    }
    answers = [
        shared_server.report("start", name, **fields, metadata=metadata),
        shared_server.report("status", name, **fields, progress=5, message=HOSTILE),
        shared_server.report(
            "error",
            name,
            **fields,
            error_type=HOSTILE,
            error_message=HOSTILE,
            stack_trace=f'{HOSTILE}\n  File "{HOSTILE}", line 1\n{HOSTILE}',
        ),
        shared_server.report("finish", name, **{**fields, "task_id": "done"}, result=HOSTILE),
        shared_server.report("start", name, **{**fields, "task_id": "runs", **asks}),
    ]
    assert {answer.status_code for answer in answers} <= {200, 201}
    return name


def is_inert(dashboard: Dashboard) -> None:
    """Nothing ran, and nothing that was reported became an element or a link to elsewhere."""
    page = dashboard.page
    assert page.evaluate("window.hacked ?? ({}).hacked ?? null") is None
    expect(
        page.locator("main img, main script, main b, main [onerror], main [onload]")
    ).to_have_count(0)
    links = page.evaluate(
        "Array.from(document.querySelectorAll('a[href]'), a => new URL(a.href).origin)"
    )
    assert set(links) == {dashboard.server.url}


@pytest.mark.parametrize("view", ["", "/board", "/timeline"])
def test_a_project(open_dashboard: Open, hostile: str, view: str) -> None:
    dashboard = open_dashboard(f"/projects/{quote(hostile, safe='')}{view}")
    dashboard.heading(hostile)
    expect(dashboard.page.get_by_text("<script>window.hacked=1</script>").first).to_be_visible()
    is_inert(dashboard)


def test_a_task(open_dashboard: Open, hostile: str) -> None:
    path = f"/projects/{quote(hostile, safe='')}/tasks/{quote(HOSTILE[:255], safe='')}"
    dashboard = open_dashboard(path, permissions=["clipboard-read", "clipboard-write"])
    page = dashboard.page
    expect(page.locator("h1")).to_contain_text("<b>bold</b>")
    for tab, part in (("Error", ".error-words"), ("Error", ".trace"), ("Log", "task-log")):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator(part).first).to_contain_text("<script>")
    page.get_by_role("tab", name="Data").click()
    expect(page.locator(".tree").first).to_contain_text("<script>")
    page.get_by_text("Raw JSON").click()
    expect(page.locator(".raw")).to_contain_text("<script>")
    is_inert(dashboard)
    dashboard.visit(f"/projects/{quote(hostile, safe='')}/tasks/runs")
    for part in (".asked", ".facts", "task-log"):
        expect(page.locator(part)).to_contain_text("<script>")
    is_inert(dashboard)


@pytest.mark.parametrize("path", ["/", "/projects", "/events", "/stats", "/?lang=<script>"])
def test_everywhere_else(open_dashboard: Open, hostile: str, path: str) -> None:
    dashboard = open_dashboard(path)
    expect(dashboard.page.get_by_text("<script>").first).to_be_attached()
    is_inert(dashboard)


def test_search(open_dashboard: Open, hostile: str) -> None:
    dashboard = open_dashboard()
    dashboard.page.keyboard.press("/")
    dashboard.page.get_by_role("combobox").fill("hacked")
    expect(dashboard.page.get_by_role("option").first).to_contain_text("<script>")
    is_inert(dashboard)


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        (
            "Обычный 👩\u200d💻 ❤\ufe0f\u200d🔥\tтекст\r\nдальше",
            "Обычный 👩\u200d💻 ❤\ufe0f\u200d🔥\tтекст\nдальше",
        ),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
        ("\u200da\u200d\u200db\ufe0f\ufe0f \u200d", "\\u200da\u200d\\u200db\ufe0f\\ufe0f \\u200d"),
        ("🏴\U000e0067\U000e007f", r"🏴\udb40\udc67\udb40\udc7f"),
        ("x\x1b[2J\x9b\u3164\u034f\ufeff", r"x\u001b[2J\u009b\u3164\u034f\ufeff"),
    ],
    ids=range(5),
)
def test_what_is_copied_has_nothing_unseen(
    open_dashboard: Open, shared_server: Server, project: str, text: str, copied: str
) -> None:
    shared_server.report("finish", project, result=text, metadata={"text": text})
    path = f"/projects/{quote(project, safe='')}/tasks/task-1"
    page = open_dashboard(path, permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == copied
    page.get_by_role("tab", name="Data").click()
    page.get_by_text("Raw JSON").click()
    raw = page.locator(".raw-json")
    raw.get_by_role("button", name="Copy").click()
    expect(raw.get_by_role("button", name="Copied")).to_be_visible()
    whole = page.evaluate("navigator.clipboard.readText()")
    assert unsafe_characters(whole) == set()
    assert json.loads(whole)["metadata"] == {"text": text}


def test_the_browser_knows_nothing_unseen_that_we_do_not(open_dashboard: Open) -> None:
    """Its Unicode is newer than the lists in our code may be."""
    unseen = open_dashboard().page.evaluate(
        r"""() => Array.from({ length: 0x110000 }, (_, code) => code).filter((code) =>
            /[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
                .test(String.fromCodePoint(code)))"""
    )
    passing = {chr(code) for code in unseen if printable(chr(code)) == chr(code)}
    assert passing == set(VISIBLE)


def test_direction_ends_with_the_text(open_dashboard: Open, hostile: str) -> None:
    """An override in a title leaves the agent's name beside it where it belongs."""
    page = open_dashboard().page
    line = page.locator("task-line").filter(has_text="gnp.exe").first
    expect(line).to_be_visible()
    for part in (".line-link bdi", ".line-project", ".line-agent", ".line-words"):
        isolation = line.locator(part).evaluate("e => getComputedStyle(e).unicodeBidi")
        assert isolation == "isolate"


def test_the_page_can_run_no_string(open_dashboard: Open) -> None:
    """The policy holds even if some code of ours forgot it."""
    dashboard = open_dashboard()
    for attempt in (
        "document.body.innerHTML = '<p>'",
        "document.createElement('script').text = 'window.hacked = 1'",
        "document.body.insertAdjacentHTML('beforeend', '<p>')",
    ):
        blocked = dashboard.page.evaluate(
            f"(() => {{ try {{ {attempt}; return false }} catch {{ return true }} }})()"
        )
        assert blocked, attempt
    dashboard.problems.clear()  # the browser has told of the three attempts
