"""What the page shows to whom: by the role and the projects of the key it was opened with."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard, Held, until
from tests.support.keys import make_key
from tests.support.server import KEY, Server, wait_for

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

FOR_ADMINISTRATORS = "keys-section, audit-section, button:text('Sign out everywhere')"
VIEWS = ("/", "/projects", "/projects/mine", "/stats", "/events", "/settings")


@pytest.fixture
def made(server: Server) -> Server:
    """A server with two projects."""
    server.report("start", "mine", task="My task", agent="ann")
    server.report("start", "theirs", task="Their task", agent="bob")
    return server


def opened(open_dashboard: Open, server: Server, key: str, path: str = "/settings") -> Dashboard:
    dashboard = open_dashboard(path, server=server, key=key)
    dashboard.is_live()
    dashboard.is_settled()
    return dashboard


def signed_in_as(page: Page, *words: str) -> None:
    section = page.locator("section").filter(has=page.get_by_role("heading", name="Signed in as"))
    for word in words:
        expect(section).to_contain_text(word)


def test_an_administrator_sees_what_is_his(open_dashboard: Open, made: Server) -> None:
    for key, name in ((KEY, "master"), (make_key(made, "ops", "admin"), "ops")):
        page = opened(open_dashboard, made, key).page
        signed_in_as(page, name, "admin: may do everything", "All")
        expect(page.get_by_role("link", name=f"Signed in as {name} · admin")).to_be_visible()
        expect(page.locator(FOR_ADMINISTRATORS)).to_have_count(3)
        expect(page.locator(".scope")).to_be_hidden()
        page.get_by_role("button", name="Audit log").click()
        expect(page.get_by_role("heading", name="Audit log")).to_be_focused()
        expect(page.get_by_role("heading", name="Audit log")).to_be_in_viewport()


@pytest.mark.parametrize("role", ["read", "answer"])
def test_who_may_only_look_is_told_so(open_dashboard: Open, made: Server, role: str) -> None:
    key = make_key(made, "dana", role, expires_in_seconds=86_400)
    dashboard = opened(open_dashboard, made, key)
    page = dashboard.page
    signed_in_as(page, "dana", f"{role}: ", "All", "Until", "are for the role admin")
    expect(page.locator(FOR_ADMINISTRATORS)).to_have_count(0)
    expect(page.get_by_role("button", name="Keys")).to_have_count(0)
    expect(page.locator(".snippet")).to_have_count(0)  # its key cannot report
    expect(page.get_by_text("Reporting takes a key of the role report")).to_be_visible()
    expect(page.get_by_text(str(made.database.parent))).to_have_count(0)
    expect(page.locator("main")).not_to_contain_text("API_KEY")
    for path in VIEWS:
        dashboard.visit(path)
        expect(page.locator("main .problem")).to_have_count(0)
    dashboard.visit("/projects")
    expect(page.locator("project-card")).to_have_count(2)


def test_a_key_for_projects_shows_them_alone_and_says_so(
    open_dashboard: Open, made: Server
) -> None:
    made.report("start", "also mine")
    names = ["mine", "also mine", "a", "<b>b</b>", "c"]
    dashboard = opened(open_dashboard, made, make_key(made, "dana", "read", *names), "/")
    page = dashboard.page
    notice = page.locator(".scope")
    for path in VIEWS:
        dashboard.visit(path)
        expect(notice).to_have_text(re.compile("only they are shown: <b>b</b>, a, also mine and 2"))
        expect(page.get_by_text("Their task")).to_have_count(0)
        expect(page.get_by_text("theirs")).to_have_count(0)
        expect(page.locator("main .problem")).to_have_count(0)
    made.report("finish", "theirs", task="Their task")
    made.report("finish", "mine", task="My task")
    dashboard.visit("/")
    expect(dashboard.lines("My task")).to_contain_text("Completed")
    expect(dashboard.lines("Their task")).to_have_count(0)
    notice.get_by_role("link", name="and 2 more").click()
    signed_in_as(page, *names)


def test_who_cannot_report_is_not_shown_how_to(open_dashboard: Open, server: Server) -> None:
    page = opened(open_dashboard, server, make_key(server, "dana", "read"), "/").page
    expect(page.get_by_role("heading", name="Nothing has been reported yet")).to_be_visible()
    expect(page.locator(".snippet")).to_have_count(0)


def test_a_key_for_reporting_is_told_what_it_is_for(open_dashboard: Open, server: Server) -> None:
    key = make_key(server, "ci", "report")
    page = open_dashboard("/stats", server=server, key=key).page
    expect(page.get_by_role("alert")).to_contain_text("only for reporting")
    expect(page).to_have_url(f"{server.url}/stats")
    field = page.get_by_label("API key")
    field.fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the key of this server.")
    field.fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("only for reporting")
    expect(field).to_have_accessible_description(re.compile("only for reporting"))


def test_a_wrong_key_in_the_address_is_said_to_be(open_dashboard: Open, server: Server) -> None:
    page = open_dashboard(server=server, key="wrong-key").page
    expect(page.get_by_role("alert")).to_have_text("This is not the key of this server.")


@pytest.mark.parametrize("path", ["/", "/settings", "/events"])
def test_access_that_ends_is_said_to_have(open_dashboard: Open, made: Server, path: str) -> None:
    dashboard = opened(open_dashboard, made, make_key(made, "dana", "read"), path)
    page = dashboard.page
    made.http.delete("/api/keys/dana")
    expect(page.get_by_role("alert")).to_contain_text("The access of the key dana has ended")
    expect(page.get_by_text("My task")).to_have_count(0)
    expect(page.get_by_label("API key")).to_be_focused()
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    dashboard.is_live()
    expect(page.get_by_role("link", name="Signed in as master")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_label("API key")).to_be_focused()
    expect(page.get_by_role("alert")).to_have_text("")


def test_access_that_expires_is_said_to_have(open_dashboard: Open, made: Server) -> None:
    page = opened(open_dashboard, made, make_key(made, "short", "read"), "/").page
    made.http.post("/api/keys/short/rotate", json={"overlap_seconds": 1})
    expect(page.get_by_role("alert")).to_contain_text("The access of the key short has ended")


@pytest.mark.parametrize("button", ["Sign out", "Sign out everywhere"])
def test_who_leaves_is_not_told_that_his_access_has_ended(
    open_dashboard: Open, made: Server, button: str
) -> None:
    """Not even if the page hears of the end before it is answered."""
    page = opened(open_dashboard, made, KEY).page
    held = Held(page, "**/api/session*")
    page.get_by_role("button", name=button, exact=True).click()
    wait_for(lambda: page.wait_for_timeout(10) or held.routes, what="the request")
    answer = held.routes[0].fetch()
    expect(page.get_by_label("API key")).to_be_focused()
    expect(page.get_by_role("alert")).to_have_text("")
    held.routes[0].fulfill(response=answer)
    expect(page.get_by_role("alert")).to_have_text("")


def test_the_next_one_sees_nothing_of_the_one_before(open_dashboard: Open, made: Server) -> None:
    """Not even what had been asked for before, and comes late."""
    dashboard = opened(open_dashboard, made, KEY, "/")
    page = dashboard.page
    expect(dashboard.lines("Their task")).to_have_count(1)
    held = Held(page, "**/api/now?*")
    dashboard.page.evaluate("history.pushState(null, '', '/?again')")
    page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.locator("now-view[aria-busy=true]")).to_be_attached()
    page.get_by_role("button", name="Sign out", exact=True).click()
    held.stop()
    page.get_by_label("API key").fill(make_key(made, "dana", "read", "mine"))
    page.get_by_role("button", name="Sign in").click()
    expect(dashboard.lines("My task")).to_have_count(1)
    answer = made.http.get("/api/now").json()
    with page.expect_response("**/api/now?*"):
        held.routes[0].fulfill(json=answer)
    made.report("status", "mine", task="My task", message="then")
    expect(dashboard.lines("My task")).to_contain_text("then")
    expect(dashboard.lines("Their task")).to_have_count(0)


def sign_in(page: Page, key: str) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def sign_in_elsewhere(page: Page, server: Server, key: str) -> None:
    """In another tab; this one hears of it when it connects anew."""
    other = page.context.new_page()
    other.goto(f"{server.url}/#key={key}")
    expect(other.locator(".state")).to_have_attribute("data-state", "live")
    other.close()
    page.context.set_offline(True)
    page.context.set_offline(False)


def shows_nothing_of_theirs(page: Page, late: str, name: str, begin: Callable[[], None]) -> None:
    """From when dana or eve `begin` on, though what they are to see is read late."""
    projects, failures = page.locator("project-entry"), page.locator(".tally-failed strong")
    expect(projects.filter(has_text="theirs")).to_be_visible()
    expect(failures).to_have_text("1")
    held = Held(page, late)
    with page.expect_request(late):
        begin()
    expect(page.locator(".who")).to_contain_text(name)
    expect(projects).to_have_count(0)
    expect(failures).not_to_have_text("1")
    held.release()
    expect(projects).to_have_count(1)
    expect(failures).to_have_text("0")


@pytest.mark.parametrize("late", ["**/api/now?*", "**/api/projects?*"])
def test_the_frame_shows_the_next_one_nothing_of_the_one_before(
    open_dashboard: Open, made: Server, late: str
) -> None:
    made.report("error", "theirs", "bad", task="Their failure")
    page = opened(open_dashboard, made, KEY, "/tasks").page
    key = make_key(made, "dana", "read", "mine")
    shows_nothing_of_theirs(page, late, "dana", lambda: sign_in(page, key))


def test_nor_where_another_tab_has_signed_in(open_dashboard: Open, made: Server) -> None:
    made.report("error", "theirs", "bad", task="Their failure")
    page = opened(open_dashboard, made, KEY, "/tasks").page
    key = make_key(made, "eve", "read", "mine")
    shows_nothing_of_theirs(page, "**/api/now?*", "eve", lambda: sign_in_elsewhere(page, made, key))


def test_who_signs_out_is_not_told_that_the_server_is_away(
    open_dashboard: Open, made: Server
) -> None:
    page = opened(open_dashboard, made, KEY, "/").page
    page.evaluate(
        """() => {
            window.states = [];
            const state = document.querySelector(".state");
            new MutationObserver(() => window.states.push(state.dataset.state))
                .observe(state, { attributeFilter: ["data-state"] });
        }"""
    )
    held = Held(page, "**/api/session")
    page.get_by_role("button", name="Sign out", exact=True).click()
    wait_for(lambda: page.wait_for_timeout(10) or held.routes, what="the request")
    answer = held.routes[0].fetch()  # the server ends the page's connection with it
    until(page, "() => window.states.length > 0")
    held.routes[0].fulfill(response=answer)
    expect(page.get_by_label("API key")).to_be_visible()
    assert "offline" not in page.evaluate("window.states")


def test_another_session_in_this_browser_makes_the_page_anew(
    open_dashboard: Open, made: Server
) -> None:
    dashboard = opened(open_dashboard, made, KEY)
    page = dashboard.page
    expect(page.locator("keys-section")).to_be_visible()
    sign_in_elsewhere(page, made, make_key(made, "dana", "read", "mine"))
    expect(page.get_by_role("link", name="Signed in as dana · read")).to_be_visible()
    expect(page.locator(FOR_ADMINISTRATORS)).to_have_count(0)
    expect(page.locator(".scope")).to_contain_text("mine")


def test_nothing_is_shown_before_it_is_known_who_asks(open_dashboard: Open, made: Server) -> None:
    page = opened(open_dashboard, made, make_key(made, "dana", "read")).page
    page.add_init_script(
        """
        window.seen = 0;
        new MutationObserver(() => {
          const hidden = "keys-section, audit-section, .jumps:not([hidden])";
          window.seen += document.querySelectorAll(hidden).length;
        }).observe(document, { childList: true, subtree: true, attributes: true });
        """
    )
    held = Held(page, "**/api/info")
    page.reload()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    expect(page.locator(".who")).to_be_hidden()
    expect(page.get_by_role("button", name="Sign out everywhere")).to_have_count(0)
    held.release()
    expect(page.locator(".who")).to_be_visible()
    signed_in_as(page, "dana")
    assert page.evaluate("window.seen") == 0


def test_in_russian(open_dashboard: Open, made: Server) -> None:
    key = make_key(made, "dana", "read", "mine")
    dashboard = open_dashboard("/settings", server=made, key=key, locale="ru-RU")
    page = dashboard.page
    expect(page.locator(".scope")).to_contain_text("видны только они: mine")
    expect(page.get_by_role("heading", name="Кто вошёл")).to_be_visible()
    made.http.delete("/api/keys/dana")
    expect(page.get_by_role("alert")).to_contain_text("Доступ ключа dana закончился")
