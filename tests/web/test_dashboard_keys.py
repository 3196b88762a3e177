"""Keys of one's own in the settings: made, rotated, revoked; each secret is shown once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.dashboard import Dashboard, Held
from tests.support.keys import make_key
from tests.support.server import Server, wait_for

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

SECRET = re.compile(r"att_[0-9A-Za-z]{49}")
CLIPBOARD = ["clipboard-read", "clipboard-write"]


def settings(open_dashboard: Open, server: Server, **options: Any) -> Page:
    dashboard = open_dashboard("/settings", server=server, **options)
    dashboard.is_settled()
    return dashboard.page


def open_form(page: Page) -> Locator:
    page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    expect(form.get_by_label("Name")).to_be_focused()
    return form


def shown_secret(page: Page) -> str:
    """The one in the open dialog."""
    dialog = page.get_by_role("dialog", name=re.compile("^The key "))
    expect(dialog.get_by_role("heading", name=re.compile("^The key "))).to_be_focused()
    found = SECRET.search(dialog.inner_text())
    assert found
    return found[0]


def forgotten(page: Page, secret: str) -> None:
    """Nothing of the page holds it, once the dialog is gone: its end is an event of its own."""
    expect(page.locator("dialog")).to_have_count(0)
    held = page.evaluate(
        """() => [document.documentElement.outerHTML, location.href, document.title,
          JSON.stringify([{...localStorage}, {...sessionStorage}, history.state]),
          ...Array.from(document.querySelectorAll("input, textarea"), (e) => e.value)].join()"""
    )
    assert secret not in held


def works(server: Server, key: str) -> bool:
    answer = httpx.get(f"{server.url}/api/info", headers={"X-API-Key": key}, trust_env=False)
    return answer.status_code == 200


def row(page: Page, name: str) -> Locator:
    return (
        page.get_by_role("table", name="Each agent")
        .get_by_role("row")
        .filter(has=page.get_by_role("rowheader", name=name, exact=True))
    )


def test_a_key_is_made_shown_once_and_forgotten(open_dashboard: Open, server: Server) -> None:
    server.report("start", "billing, api")
    page = settings(open_dashboard, server, permissions=CLIPBOARD)
    expect(page.get_by_text("No key has been made yet.")).to_be_visible()
    form = open_form(page)
    form.get_by_label("Name").fill("ci")
    field = form.get_by_label("Projects")
    expect(form.locator("datalist option[value='billing, api']")).to_be_attached()
    field.fill("billing, api")  # a name that is known is one, whatever is in it
    field.press("Enter")
    field.fill("it's, two")
    field.press("Enter")
    expect(form.get_by_role("listitem")).to_have_count(3)
    form.get_by_role("button", name="Remove two").click()
    expect(field).to_be_focused()
    field.fill("web")  # what has only been typed counts
    form.get_by_label("Expires").select_option("30 days")
    form.get_by_role("button", name="Make the key").click()
    secret = shown_secret(page)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"API_KEY={secret}")
    dialog.get_by_role("button", name="Copy the key").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.mouse.click(5, 5)  # beside it
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="I have kept it").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="New key")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="The key ci was made")).to_be_visible()
    forgotten(page, secret)
    made = server.http.get("/api/keys").json()["keys"][0]
    assert (made["role"], made["projects"]) == ("report", ["billing, api", "it's", "web"])
    assert made["expires_at"] is not None
    for words in ("report", "billing, api", "it's", "web", "Never"):
        expect(row(page, "ci")).to_contain_text(words)
    assert works(server, secret)


def test_the_command_that_is_shown_reports(open_dashboard: Open, server: Server) -> None:
    page = settings(open_dashboard, server)
    form = open_form(page)
    form.get_by_label("Name").fill("agent")
    form.get_by_label("Projects").fill('it\'s $(a) `project` \\ of "ours"')
    form.get_by_role("button", name="Make the key").click()
    shown_secret(page)
    command = page.get_by_role("dialog").locator("pre").last.inner_text()
    done = subprocess.run(
        ["sh", "-c", command.replace("curl", "curl -s --noproxy '*'", 1)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert '"event_id"' in done.stdout, done
    names = [project["name"] for project in server.http.get("/api/projects").json()["projects"]]
    assert names == ['it\'s $(a) `project` \\ of "ours"']


def test_an_administrator_is_for_all_projects(open_dashboard: Open, server: Server) -> None:
    page = settings(open_dashboard, server)
    form = open_form(page)
    form.get_by_label("Name").fill("ops")
    form.get_by_label("Projects").fill("typed before")
    form.get_by_label("Role").select_option(label="admin: may do everything")
    expect(form.get_by_label("Projects")).to_be_hidden()
    form.get_by_role("button", name="Make the key").click()
    shown_secret(page)
    assert server.http.get("/api/keys").json()["keys"][0]["projects"] is None
    page.keyboard.press("Escape")
    expect(row(page, "ops")).to_contain_text("admin")


def test_what_is_wrong_is_said_at_the_field_at_fault(open_dashboard: Open, server: Server) -> None:
    make_key(server, "taken", "read")
    page = settings(open_dashboard, server)
    form = open_form(page)
    name = form.get_by_label("Name")
    wrong = {"taken": "There is a key of this name", "-no name": "beginning with a letter"}
    for given, said in wrong.items():
        name.fill(given)
        form.get_by_role("button", name="Make the key").click()
        expect(name).to_have_attribute("aria-invalid", "true")
        expect(name).to_have_accessible_description(re.compile(said))
        expect(name).to_be_focused()
        expect(name).to_have_value(given)
    name.fill("free")
    projects = form.get_by_label("Projects")
    projects.fill("x" * 300)
    form.get_by_role("button", name="Make the key").click()
    expect(projects).to_have_accessible_description(re.compile("at most 255"))
    expect(projects).to_be_focused()
    expect(name).not_to_have_attribute("aria-invalid", "true")
    form.get_by_role("button", name=re.compile("^Remove")).click()
    form.get_by_role("button", name="Make the key").click()
    shown_secret(page)


def test_a_server_that_is_gone_is_said_and_nothing_is_lost(
    open_dashboard: Open, server: Server
) -> None:
    page = settings(open_dashboard, server)
    form = open_form(page)
    form.get_by_label("Name").fill("later")
    page.context.set_offline(True)
    form.get_by_role("button", name="Make the key").click()
    expect(form.get_by_role("alert")).to_have_text("The server cannot be reached.")
    page.context.set_offline(False)
    form.get_by_role("button", name="Make the key").click()
    shown_secret(page)


def test_pressed_twice_it_is_done_once(open_dashboard: Open, server: Server) -> None:
    make_key(server, "ci", "read")
    page = settings(open_dashboard, server)
    page.get_by_role("button", name="Rotate the key ci").click()
    page.evaluate("for (const _ of [1, 2, 3]) document.querySelector('.ask form').requestSubmit()")
    assert works(server, shown_secret(page))
    rotated = server.http.get("/api/audit?action=key_rotated").json()["entries"]
    assert [entry["count"] for entry in rotated] == [1]


def test_a_key_whose_form_was_left_is_shown_all_the_same(
    open_dashboard: Open, server: Server
) -> None:
    """It was made, and nobody could ever see it again."""
    page = settings(open_dashboard, server)
    form = open_form(page)
    form.get_by_label("Name").fill("slow")
    held = Held(page, "**/api/keys")
    form.get_by_role("button", name="Make the key").click()
    expect(form.locator("form")).to_have_attribute("aria-busy", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    held.release()
    assert works(server, shown_secret(page))


@pytest.mark.parametrize(("overlap", "old_goes_on"), [("At once", False), ("1 hour", True)])
def test_a_key_is_rotated(
    open_dashboard: Open, server: Server, overlap: str, old_goes_on: bool
) -> None:
    old = make_key(server, "ci", "read")
    page = settings(open_dashboard, server)
    page.get_by_role("button", name="Rotate the key ci").click()
    form = page.get_by_role("dialog", name="Rotate the key ci")
    expect(form.get_by_role("combobox")).to_have_value("86400")
    form.get_by_label("The old secret ends after").select_option(overlap)
    form.get_by_role("button", name="Rotate").click()
    new = shown_secret(page)
    assert new != old
    expect(page.get_by_role("dialog").locator("pre").last).to_contain_text("/api/projects")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Rotate the key ci")).to_be_focused()
    forgotten(page, new)
    expect(row(page, "ci").get_by_text("Old secret until")).to_have_count(int(old_goes_on))
    assert works(server, new)
    assert works(server, old) is old_goes_on
    told = "At once" if overlap == "At once" else "1 h"
    expect(page.get_by_text(f"Old secret ends after: {told}", exact=True)).to_be_visible()


def test_a_key_is_revoked_once_that_was_confirmed(open_dashboard: Open, server: Server) -> None:
    key = make_key(server, "ci", "read")
    make_key(server, "other", "read")
    assert works(server, key)
    page = settings(open_dashboard, server)
    expect(row(page, "ci")).to_contain_text("from 127.0.0.1")
    revoke = page.get_by_role("button", name="Revoke the key ci")
    revoke.click()
    dialog = page.get_by_role("alertdialog", name="Revoke the key ci")
    expect(dialog).to_have_accessible_description(re.compile("refused at once.*Last used"))
    expect(dialog).to_contain_text("from 127.0.0.1")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(revoke).to_be_focused()
    assert works(server, key)
    revoke.click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(row(page, "ci")).to_have_count(0)
    expect(row(page, "other")).to_have_count(1)
    expect(page.get_by_role("status").filter(has_text="The key ci was revoked")).to_be_visible()
    expect(page.get_by_role("heading", name="Keys")).to_be_focused()
    assert not works(server, key)


def test_a_key_that_somebody_else_has_revoked(open_dashboard: Open, server: Server) -> None:
    make_key(server, "ci", "read")
    page = settings(open_dashboard, server)
    server.http.delete("/api/keys/ci")
    page.get_by_role("button", name="Revoke the key ci").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    said = page.get_by_role("alertdialog").get_by_role("alert")
    expect(said).to_have_text("There is no key 'ci'.")


def test_a_new_secret_outlives_the_session_that_it_ends(
    open_dashboard: Open, server: Server
) -> None:
    """The page was opened with the key that it rotates."""
    key = make_key(server, "ops", "admin")
    page = settings(open_dashboard, server, key=key)
    page.get_by_role("button", name="Rotate the key ops").click()
    form = page.get_by_role("dialog")
    expect(form).to_contain_text("You are signed in with this key")
    form.get_by_role("combobox").select_option("At once")
    form.get_by_role("button", name="Rotate").click()
    expect(page.locator(".sign-in")).to_be_attached()
    new = shown_secret(page)
    page.get_by_role("button", name="I have kept it").click()
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    forgotten(page, new)
    field.fill(new)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()


def test_a_table_is_a_table_on_a_phone_too(open_dashboard: Open, server: Server) -> None:
    make_key(server, "a" * 64, "report", "p" * 255, "second")
    make_key(server, "short", "read", expires_in_seconds=1)
    page = settings(open_dashboard, server, viewport={"width": 360, "height": 740})
    table = page.get_by_role("table", name="Each agent")
    expect(table.get_by_role("columnheader")).to_have_text(
        ["Name", "Role", "Projects", "Made", "Expires", "Last used", "Actions"]
    )
    expect(table.get_by_role("rowheader")).to_have_text(["a" * 64, "short"])
    expect(row(page, "short").get_by_role("cell")).to_have_count(6)
    assert page.evaluate("document.querySelector('main').scrollWidth") <= 360
    page.get_by_role("button", name="Keys", exact=True).click()
    expect(page.get_by_role("heading", name="Keys")).to_be_in_viewport()
    assert page.evaluate("document.scrollingElement.scrollHeight") == 740  # only the view scrolls
    for button in ("New key", "Rotate the key short", "Revoke the key short"):
        page.get_by_role("button", name=button).click()
        dialog = page.locator("dialog")
        assert dialog.evaluate("e => e.scrollWidth <= e.clientWidth")
        box = dialog.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= 360 - box["width"]
        page.keyboard.press("Escape")
    form = open_form(page)
    form.get_by_label("Name").fill("x")
    form.get_by_label("Projects").fill("p" * 255)
    form.get_by_role("button", name="Make the key").click()
    shown_secret(page)
    assert page.locator("dialog").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_a_key_that_has_expired_says_so(open_dashboard: Open, server: Server) -> None:
    key = make_key(server, "short", "read", expires_in_seconds=1)
    wait_for(lambda: not works(server, key), what="the key's end")
    page = settings(open_dashboard, server)
    expect(row(page, "short")).to_contain_text("Expired")


def test_in_russian(open_dashboard: Open, server: Server) -> None:
    make_key(server, "ci", "report", "p", expires_in_seconds=86_400)
    page = settings(open_dashboard, server, locale="ru-RU")
    page.get_by_role("button", name="Новый ключ").click()
    form = page.get_by_role("dialog", name="Новый ключ")
    expect(form.get_by_label("Срок").get_by_role("option")).to_have_text(
        ["Бессрочно", "1 день", "7 дней", "30 дней", "90 дней", "1 год"]
    )
    form.get_by_label("Имя").fill("агент")
    form.get_by_role("button", name="Создать ключ").click()
    expect(form.get_by_label("Имя")).to_have_attribute("aria-invalid", "true")
