"""The audit log in the settings: who did what, in words, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.dashboard import Dashboard
from tests.support.keys import make_key
from tests.support.server import Server, quote, wait_for

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

HOSTILE = "<img src=x onerror=window.hacked=1><b>bold</b>\u202egnp.exe"
PAGE = 25


def table(page: Page) -> Locator:
    return page.get_by_role("table", name="Audit log", exact=True)


def entries(page: Page) -> Locator:
    return table(page).get_by_role("row").filter(has=page.get_by_role("rowheader"))


def audited(server: Server, action: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = server.http.get(f"/api/audit?action={action}").json()[
        "entries"
    ]
    return found


def settings(open_dashboard: Open, server: Server, **options: str) -> Page:
    dashboard = open_dashboard("/settings", server=server, **options)
    dashboard.is_settled()
    return dashboard.page


def test_it_tells_who_did_what_and_how_often(open_dashboard: Open, server: Server) -> None:
    key = make_key(server, "ci", "report", "p", expires_in_seconds=86_400)
    for _ in range(3):
        answer = httpx.get(f"{server.url}/api/now", headers={"X-API-Key": key}, trust_env=False)
        assert answer.status_code == 403
    server.report("start", "p")
    server.http.delete("/api/projects/p/tasks/task-1")
    wait_for(lambda: [e["count"] for e in audited(server, "forbidden")] == [3], what="the refusals")
    page = settings(open_dashboard, server)
    deleted = entries(page).filter(has_text="Deleted a task")
    expect(deleted.get_by_role("cell")).to_have_text(
        ["master", "Deleted a task", re.compile("^pTask ID: task-1$"), "127.0.0.1"]
    )
    made = entries(page).filter(has_text="Made a key")
    for words in ("ci", "Role: report", "Projects: p", "Expires: "):
        expect(made).to_contain_text(words)
    refused = entries(page).filter(has_text="Refused for lack of a right")
    expect(refused).to_contain_text("× 3")
    expect(refused.get_by_role("cell").first).to_have_text("ci")


def test_older_ones_and_one_kind_alone(open_dashboard: Open, server: Server) -> None:
    for number in range(PAGE + 3):
        make_key(server, f"key-{number}", "read")
        if number % 7 == 0:
            server.http.delete(f"/api/keys/key-{number}")
    page = settings(open_dashboard, server)
    expect(entries(page)).to_have_count(PAGE)
    expect(entries(page).filter(has_text="key-0")).to_have_count(0)
    page.get_by_role("button", name="Older entries").click()
    expect(entries(page).filter(has_text="key-0")).to_have_count(2)
    expect(entries(page).nth(PAGE).get_by_role("rowheader")).to_be_focused()
    expect(page.get_by_role("button", name="Older entries")).to_have_count(0)
    kind = page.get_by_role("combobox", name="What was done")
    kind.select_option("Revoked a key")
    expect(entries(page)).to_have_count(4)
    kind.select_option("Restored a backup")
    expect(entries(page)).to_have_count(0)
    expect(page.get_by_text("There is no such entry.")).to_be_visible()
    kind.select_option("Made a key")
    expect(entries(page)).to_have_count(PAGE)
    page.get_by_role("button", name="Older entries").click()
    expect(entries(page)).to_have_count(PAGE + 3)


def test_every_action_has_its_words(open_dashboard: Open, server: Server) -> None:
    """Of the server's list, so that none is forgotten in either language."""
    from tracker.domain.audit import Action

    for locale in ("en-GB", "ru-RU"):
        page = settings(open_dashboard, server, locale=locale)
        options = page.locator("audit-section select option")
        values = options.evaluate_all("all => all.map((one) => one.value)")
        assert set(values) - {""} == set(Action)
        for words in options.all_inner_texts():
            assert not re.search(r"_|\.", words)


def test_names_are_text(open_dashboard: Open, server: Server) -> None:
    server.report("start", HOSTILE, HOSTILE)
    address = f"/api/projects/{quote(HOSTILE)}"
    assert server.http.delete(f"{address}/tasks/{quote(HOSTILE)}").status_code == 204
    make_key(server, "ci", "report", HOSTILE)
    page = settings(open_dashboard, server)
    deleted = entries(page).filter(has_text="Deleted a task")
    expect(deleted).to_contain_text("<b>bold</b>")
    expect(page.get_by_role("table", name="Each agent")).to_contain_text("<b>bold</b>")
    for isolated in deleted.get_by_text("gnp.exe").all():
        assert isolated.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"
    page.get_by_role("button", name="New key").click()
    page.get_by_role("dialog").get_by_label("Projects").fill(HOSTILE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_contain_text("<b>bold</b>")
    expect(page.locator("body b, body img")).to_have_count(0)
    assert page.evaluate("window.hacked ?? null") is None


def test_what_is_done_in_the_page_is_told_at_once(open_dashboard: Open, server: Server) -> None:
    make_key(server, "ci", "read")
    page = settings(open_dashboard, server)
    page.get_by_role("button", name="Revoke the key ci").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    expect(entries(page).first).to_contain_text("Revoked a key")
