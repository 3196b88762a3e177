"""What surrounds the views: the places, the projects, the counts, the palette, the connection."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.dashboard import Dashboard, until
from tests.support.server import KEY, Server

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


def tally(page: Page, name: str) -> Locator:
    return page.locator(f".tally-{name} strong")


def test_three_places_and_the_ways_to_see_tasks(open_dashboard: Open) -> None:
    dashboard = open_dashboard()
    page = dashboard.page
    places = page.get_by_role("navigation", name="Views").get_by_role("link")
    expect(places).to_have_text(["Now", "Tasks", "Insights"])
    expect(places.nth(0)).to_have_attribute("aria-current", "page")
    tabs = page.get_by_role("navigation", name="Tasks").get_by_role("link")
    places.nth(1).click()
    dashboard.at("/tasks")
    expect(tabs.nth(0)).to_have_attribute("aria-current", "page")
    for name, path in (("By project", "/projects"), ("Events", "/events")):
        page.get_by_role("link", name=name, exact=True).click()
        dashboard.at(path)
        expect(places.nth(1)).to_have_attribute("aria-current", "page")
    places.nth(2).click()
    dashboard.at("/stats")
    dashboard.heading("Insights")
    expect(tabs).to_have_count(0)
    dashboard.go("/tasks?status=failed")  # the server knows the address too
    expect(tabs.nth(0)).to_have_attribute("aria-current", "page")


def test_the_counts_follow_what_happens(open_dashboard: Open, server: Server) -> None:
    dashboard = open_dashboard("/settings", server=server)
    page = dashboard.page

    def counts() -> list[str]:
        names = ("waiting", "silent", "failed", "running")
        return [page.locator(f".tally-{name} strong").inner_text() for name in names]

    expect(tally(page, "running")).to_have_text("0")
    assert counts() == ["0", "0", "0", "0"]
    server.report("start", "p", "a")
    server.report("status", "p", "b", attention="Which branch?")
    expect(tally(page, "running")).to_have_text("2")
    expect(tally(page, "waiting")).to_have_text("1")
    server.report("error", "p", "a")
    server.report("finish", "p", "b")
    expect(tally(page, "failed")).to_have_text("1")
    expect(tally(page, "waiting")).to_have_text("0")
    assert counts() == ["0", "0", "1", "0"]
    page.get_by_role("link", name="failed, 24 h").click()
    dashboard.at("/tasks?status=failed&since=24h")


def test_the_projects_stand_at_the_side(open_dashboard: Open, server: Server) -> None:
    for number in range(10):
        server.report("finish", f"project {number}")
    hostile = "a/b <b>&"
    server.report("error", hostile, "bad")
    dashboard = open_dashboard(server=server)
    page = dashboard.page
    entries = page.locator("project-entry")
    expect(entries).to_have_count(8)
    expect(entries.first).to_contain_text(hostile)
    expect(entries.first.locator(".side-failures")).to_have_text(re.compile("^1 "))
    expect(entries.locator("[data-runs]")).to_have_count(0)
    server.report("start", "project 0", "x")
    expect(entries.first.get_by_role("link")).to_have_accessible_name("Something runs: project 0")
    page.get_by_role("link", name="All 11 projects").click()
    dashboard.at("/projects")
    entries.filter(has_text=hostile).get_by_role("link").click()
    dashboard.heading(hostile)
    dashboard.at(f"/projects/{quote(hostile, safe='')}")
    expect(page.locator("project-entry [aria-current=page]")).to_have_text(re.compile("^a/b <b>&"))


def test_who_sees_some_projects_has_no_others_at_the_side(
    open_dashboard: Open, server: Server
) -> None:
    for project in ("mine", "theirs"):
        server.report("error", project)
    body = {"name": "some", "role": "read", "projects": ["mine"]}
    key = server.http.post("/api/keys", json=body).json()["key"]
    dashboard = open_dashboard(server=server, key=key)
    dashboard.is_live()
    expect(dashboard.page.locator("project-entry")).to_have_count(1)
    expect(tally(dashboard.page, "failed")).to_have_text("1")
    dashboard.page.keyboard.press("Control+k")
    expect(dashboard.page.get_by_role("option", name="Copy a command")).to_have_count(0)


def test_the_palette_by_the_keyboard_alone(open_dashboard: Open, server: Server) -> None:
    server.report("finish", "garden", "t", task="Water the roses")
    options = {"permissions": ["clipboard-read", "clipboard-write"], "color_scheme": "light"}
    dashboard = open_dashboard("/events?q=x", server=server, **options)
    page = dashboard.page
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Control+k")  # even while one types
    field = page.get_by_role("combobox", name="Search, go to, do")
    expect(field).to_be_focused()
    expect(page.get_by_role("option", name="Water the roses")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dashboard.heading("Insights")

    def run(words: str, option: str) -> None:
        page.keyboard.press("/")
        field.fill(words)
        expect(page.locator("[role=option][aria-selected=true]")).to_contain_text(option)
        page.keyboard.press("Enter")
        expect(page.locator("dialog.search")).to_have_count(0)

    run("garden", "garden")
    dashboard.at("/projects/garden")
    run("roses", "Water the roses")
    dashboard.heading("Water the roses")
    run("theme", "Theme")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    run("command that", "Copy a command that reports")
    until(page, "async (key) => (await navigator.clipboard.readText()).includes(key)", arg=KEY)
    run("русский", "Русский")
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Найти").fill("выйти")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#key")).to_be_focused()


def test_without_a_connection_a_banner_says_since_when(
    open_dashboard: Open, server: Server
) -> None:
    server.report("start", "p", task="Ticking")
    dashboard = open_dashboard(server=server)
    page = dashboard.page
    banner = page.get_by_role("alert")
    expect(dashboard.lines("Ticking")).to_be_visible()
    expect(banner).to_have_count(0)
    page.context.set_offline(True)
    expect(banner).to_contain_text(re.compile(r"Offline since \d\d:\d\d:\d\d: "))
    width = page.evaluate("[document.querySelector('.trouble').offsetWidth, innerWidth]")
    assert width[0] == width[1]
    page.context.set_offline(False)
    dashboard.is_live()
    expect(banner).to_have_count(0)


def test_a_phone_has_the_places_below_and_the_counts_above(open_dashboard: Open) -> None:
    dashboard = open_dashboard(viewport={"width": 360, "height": 740}, locale="ru-RU")
    page = dashboard.page
    places = page.get_by_role("navigation", name="Разделы").get_by_role("link")
    expect(places).to_have_text(["Сейчас", "Задачи", "Аналитика"])
    for link in places.all():
        box = link.bounding_box()
        assert box
        assert box["y"] > 650
        assert not link.evaluate("link => link.scrollWidth > link.clientWidth")
    for name in ("waiting", "silent", "failed", "running"):
        expect(tally(page, name)).to_be_in_viewport(ratio=1)
    page.get_by_role("link", name="Настройки").click()
    dashboard.heading("Настройки")
    page.get_by_role("button", name="Поиск").click()
    expect(page.get_by_role("combobox", name="Найти")).to_be_focused()
