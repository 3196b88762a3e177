"""Keyboard, names and contrast, themes, languages, widths."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard, low_contrast
from tests.support.server import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

PROJECT = "manners of the page"
PATH = f"/projects/{quote(PROJECT)}"
VIEWS = (
    *("/", "/tasks", "/projects", PATH, f"{PATH}/board", f"{PATH}/timeline", f"{PATH}/tasks/bad"),
    *(f"{PATH}/tasks/bad?tab={tab}" for tab in ("log", "attempts", "graph", "data")),
    *("/stats", "/events", "/settings"),
)

# What people operate has to have a name (WCAG 2.2, 4.1.2).
OPERATED = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "option"}
NAMED = OPERATED | {"img", "progressbar", "dialog", "navigation", "table", "listbox"}


@pytest.fixture(autouse=True)
def tasks(shared_server: Server) -> None:
    """One task of each kind."""
    report = shared_server.report
    report("start", PROJECT, "runs", task="It runs", metadata={"a": {"b": [1, True, None, "c"]}})
    report("status", PROJECT, "runs", task="It runs", progress=30, message="on its way")
    report("status", PROJECT, "waits", task="It waits", status="pending")
    report("finish", PROJECT, "done", task="It is done", result="well", duration_seconds=60)
    report("start", PROJECT, "bad", task="It failed", metadata={"a": {"b": [1, True, None, "c"]}})
    report("error", PROJECT, "bad", task="It failed", stack_trace="Top\n  at x (y.js:1:1)\nEnd")
    report("start", PROJECT, "bad", task="It failed", metadata={"dependencies": ["runs", "none"]})
    report("error", PROJECT, "bad", task="It failed", stack_trace="Top\n  at x (y.js:1:1)\nEnd")
    for name, seconds in (("kept", None), ("expired", 1)):  # made by the first test, if at all
        key = {"name": name, "role": "read", "projects": [PROJECT], "expires_in_seconds": seconds}
        shared_server.http.post("/api/keys", json=key)
    shared_server.http.post("/api/keys/kept/rotate", json={})


def tree(page: Page) -> list[dict[str, Any]]:
    """What the browser tells screen readers."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [node for node in nodes if not node.get("ignored")]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_in_every_view(open_dashboard: Open, theme: str) -> None:
    dashboard = open_dashboard(color_scheme=theme)
    for path in VIEWS:
        dashboard.visit(path)
        assert low_contrast(dashboard.page, at_least=20) == [], path


def test_everything_operated_has_a_name(open_dashboard: Open) -> None:
    dashboard = open_dashboard()
    for path in VIEWS:
        dashboard.visit(path)
        nodes = tree(dashboard.page)
        roles = [node["role"]["value"] for node in nodes]
        nameless = [
            node["role"]["value"]
            for node in nodes
            if node["role"]["value"] in NAMED and not node.get("name", {}).get("value", "").strip()
        ]
        assert nameless == [], path
        assert roles.count("main") == 1
        assert "navigation" in roles
        headings = dashboard.page.locator("h1")
        expect(headings).to_have_count(1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dialogs_can_be_read_and_operated(
    open_dashboard: Open, shared_server: Server, theme: str
) -> None:
    dashboard = open_dashboard("/settings", color_scheme=theme)
    page = dashboard.page

    def is_fine() -> None:
        assert low_contrast(page) == []
        shown = [(node["role"]["value"], node.get("name", {}).get("value")) for node in tree(page)]
        assert [role for role, name in shown if role in NAMED and not name] == []

    for button in ("Rotate the key kept", "Revoke the key kept", "New key"):
        page.get_by_role("button", name=button).click()
        expect(page.locator("dialog")).to_be_visible()
        is_fine()
        page.keyboard.press("Escape")
    page.get_by_role("button", name="New key").click()
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("dialog [aria-invalid]")).to_be_focused()
    is_fine()
    page.get_by_label("Name").fill(f"of-{theme}")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator(".secret")).to_be_visible()
    is_fine()


def test_a_status_is_told_by_shape_and_word_too(open_dashboard: Open) -> None:
    page = open_dashboard(PATH).page
    for word, icon in (
        ("Running", "running"),
        ("Pending", "pending"),
        ("Completed", "completed"),
        ("Failed", "failed"),
    ):
        row = page.locator("task-row").filter(has_text=word)
        expect(row.locator(f".icon-{icon}")).to_be_visible()
    shapes = page.locator("task-row .status .icon").evaluate_all(
        "icons => new Set(icons.map(icon => icon.innerHTML)).size"
    )
    assert shapes == 4


def test_keys_go_places(open_dashboard: Open) -> None:
    dashboard = open_dashboard()
    keyboard = dashboard.page.keyboard
    for key, title in (
        ("p", "Projects"),
        ("i", "Insights"),
        ("e", "Events"),
        ("o", "Settings"),
        ("n", "Now"),
    ):
        keyboard.press("g")
        keyboard.press(key)
        dashboard.heading(title)
    expect(dashboard.page.locator("h1")).to_be_focused()


def test_j_k_and_enter_go_through_rows(open_dashboard: Open) -> None:
    dashboard = open_dashboard(PATH)
    page = dashboard.page
    links = page.locator("task-row a")
    expect(links).to_have_count(4)
    page.keyboard.press("j")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(links.nth(2)).to_be_focused()
    page.keyboard.press("k")
    expect(links.nth(1)).to_be_focused()
    title = links.nth(1).inner_text()
    page.keyboard.press("Enter")
    dashboard.heading(title)
    page.go_back()
    dashboard.heading(PROJECT)


def test_keys_do_nothing_while_typing(open_dashboard: Open) -> None:
    dashboard = open_dashboard(PATH)
    field = dashboard.page.get_by_label("Filter: tokens and words")
    field.press_sequentially("g p ? j/")
    expect(field).to_have_value("g p ? j/")
    dashboard.heading(PROJECT)
    expect(dashboard.page.locator("dialog")).to_have_count(0)


def test_search_by_the_keyboard_alone(open_dashboard: Open) -> None:
    dashboard = open_dashboard()
    page = dashboard.page
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Search")
    expect(field).to_be_focused()
    field.fill("it failed")
    option = page.get_by_role("option", name=re.compile("It failed"))
    expect(option).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    dashboard.heading("It failed")
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Search").fill(PROJECT)
    expect(page.get_by_role("option").first).to_contain_text("Project")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


def test_help(open_dashboard: Open) -> None:
    page = open_dashboard().page
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_focus_can_be_seen(open_dashboard: Open) -> None:
    page = open_dashboard().page
    seen = set()
    for _ in range(18):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
              const element = document.activeElement;
              const styles = [getComputedStyle(element), getComputedStyle(element, "::after")];
              const outlined = styles.some(
                (s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2
              );
              return [element.outerHTML.slice(0, 80), outlined || element === document.body];
            }"""
        )
        seen.add(focused[0])
        assert focused[1], focused[0]
    assert len(seen) > 10


def test_themes(open_dashboard: Open) -> None:
    dashboard = open_dashboard("/settings", color_scheme="dark")
    page = dashboard.page

    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    dark = background()
    page.get_by_role("radio", name="Light").check()
    light = background()
    assert light != dark
    page.reload()
    dashboard.is_live()
    assert background() == light
    page.get_by_role("button", name="Theme").click()
    assert background() == dark
    page.get_by_role("radio", name="System").check()
    assert background() == dark


def test_languages(open_dashboard: Open) -> None:
    dashboard = open_dashboard()
    page = dashboard.page
    page.get_by_role("button", name="Русский").click()
    dashboard.heading("Сейчас")
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    for path in VIEWS:
        dashboard.visit(path)
        words = dashboard.page.locator("body").inner_text()
        assert not re.search(r"\b(Running|Failed|Settings|Projects|Agent(?! Task)|Now)\b", words), (
            path
        )
    page.get_by_role("button", name="English").click()
    dashboard.heading("Settings")


def test_russian_browsers_read_russian(open_dashboard: Open) -> None:
    open_dashboard(locale="ru-RU").heading("Сейчас")


def test_plurals_of_russian(open_dashboard: Open, server: Server) -> None:
    for number in range(5):
        server.report("finish", "p", str(number))
    dashboard = open_dashboard("/events", server=server, locale="ru-RU")
    expect(dashboard.page.get_by_text("5 событий")).to_be_visible()
    server.report("start", "p", "x")
    server.report("start", "p", "y")
    dashboard.page.get_by_role("searchbox").fill("p")
    expect(dashboard.page.get_by_text("7 событий")).to_be_visible()
    dashboard.page.get_by_role("combobox").select_option("task_started")
    expect(dashboard.page.get_by_text("2 события")).to_be_visible()


@pytest.mark.parametrize("width", [360, 768, 3840])
def test_nothing_sticks_out_sideways(open_dashboard: Open, width: int) -> None:
    dashboard = open_dashboard(viewport={"width": width, "height": 800})
    for path in VIEWS:
        dashboard.visit(path)
        page = dashboard.page
        out = page.evaluate(
            "['main', 'body'].filter(s => { const e = document.querySelector(s); "
            "return e.scrollWidth > e.clientWidth + 1; })"
        )
        assert out == [], path
        expect(page.locator("h1")).to_be_in_viewport()


def test_less_motion(open_dashboard: Open) -> None:
    page = open_dashboard(reduced_motion="reduce").page
    expect(page.locator(".bar-fill").first).to_be_attached()
    moving = page.evaluate(
        "Array.from(document.querySelectorAll('*')).filter(e => "
        "getComputedStyle(e).transitionDuration.split(',').some(d => parseFloat(d) > 0)).length"
    )
    assert moving == 0
