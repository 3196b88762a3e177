"""Takes the pictures: scripts/screenshots.py runs this with everything installed."""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from _agents_at_work import agents_at_work  # noqa: E402

from tests.support.server import KEY, Server, quote  # noqa: E402
from tracker.api.schemas import to_report  # noqa: E402
from tracker.cli.demo_story import ScheduledReport, schedule  # noqa: E402
from tracker.domain.tasks import Kind  # noqa: E402
from tracker.store.sqlite.store import Store  # noqa: E402
from tracker.ws.hub import Hub  # noqa: E402

SIZES = {
    width: (width, height)
    for width, height in ((360, 740), (768, 1024), (1024, 768), (1440, 900), (2560, 1440))
}
DESKTOP = SIZES[1440]
THEMES = ("light", "dark")
LOCALES = ("en-GB", "ru-RU")
DAYS = 21
WORKDAY = 7 * 3600
SETTLE_MS = 500
# Recorded by the page: when the first task has been drawn.
NOTE_FIRST_PAINT = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("task-line")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => {
    document.documentElement.dataset.painted = performance.now();
  }));
}).observe(document, { childList: true, subtree: true });
"""


class History:
    """A clock that is set to the time of each report."""

    now = 0

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return time.monotonic()


def ended(reports: list[ScheduledReport]) -> list[ScheduledReport]:
    """Keep what belongs to tasks that came to an end."""
    last = {report.fields["task_id"]: report.kind for report in reports}
    return [report for report in reports if last[report.fields["task_id"]] in ("finish", "error")]


async def write_history(database: Path) -> None:
    """Weeks of the team's work, up to now: the last tasks still run, one of them silently."""
    clock = History()
    store = Store(database, "normal", clock, Hub(), on_death=lambda: None)
    store.start()

    async def play(begin: float, reports: list[ScheduledReport]) -> None:
        for at, kind, fields in reports:
            clock.now = round((begin + at) * 1000)
            await store.record(to_report(Kind(kind), fields), None, 0)

    now = time.time()
    for day in range(DAYS, 0, -1):
        work = schedule(WORKDAY * (0.3 + day * 7 % 5 / 6), day, f"d{day}", pace=(900, 4200))
        await play(now - day * 86_400 - WORKDAY, ended(work))
    await play(now - 7200, schedule(7200, 5, "today", pace=(240, 1500)))
    await store.close()


def views(server: Server) -> dict[str, str]:
    """Every view's address, by name."""
    answer = server.http.get("/api/projects/billing-api/tasks?status=failed&limit=1")
    failed = answer.json()["tasks"][0]
    project = f"/projects/{quote('billing-api')}"
    return {
        "now": "/",
        "tasks": "/tasks",
        "beside": f"/tasks?task={quote('billing-api')}/{quote(failed['task_id'])}",
        "projects": "/projects",
        "project": project,
        "board": f"{project}/board",
        "timeline": "/timeline",
        "task": f"{project}/tasks/{quote(failed['task_id'])}",
        "insights": "/stats",
        "events": "/events",
        "settings": "/settings",
    }


def open_page(
    browser: Browser, server: Server, size: tuple[int, int], theme: str, locale: str = LOCALES[0]
) -> Page:
    """A page that is signed in."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=theme, locale=locale
    )
    page = context.new_page()
    page.goto(f"{server.url}/#key={KEY}")
    page.wait_for_selector("task-line")
    return page


def show(page: Page, url: str) -> None:
    """Navigate, and wait until all is loaded."""
    page.goto(url)
    page.wait_for_selector(".state[data-state=live]", state="attached")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLE_MS)


def first_paint(page: Page, url: str) -> float:
    """Milliseconds from the navigation to the first task drawn: the median of 5."""
    page.add_init_script(NOTE_FIRST_PAINT)
    times = []
    for _ in range(5):
        page.goto(url)
        page.wait_for_selector("html[data-painted]")
        times.append(float(page.get_attribute("html", "data-painted") or "nan"))
    return statistics.median(times)


def main() -> None:
    """Make the history, start a server on it, take the pictures."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--readme"]
    folder = Path(arguments[0]) if arguments else ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(write_history(Path(home) / "tracker.db"))
        take_all(Server.start(Path(home)), folder)
    print(f"Pictures in {folder}")


def take_all(server: Server, folder: Path) -> None:
    """Every view at every width, in both themes and languages; stops the server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["TRACKER_CHROMIUM"], args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            if "--readme" in sys.argv:
                picture_for_readme(browser, server)
                picture_of_agents(browser)
                return
            for (width, size), theme, locale in product(SIZES.items(), THEMES, LOCALES):
                page = open_page(browser, server, size, theme, locale)
                for name, path in views(server).items():
                    show(page, server.url + path)
                    page.screenshot(path=folder / f"{name}-{width}-{theme}-{locale[:2]}.png")
                page.context.close()
            page = open_page(browser, server, DESKTOP, "light")
            print(f"First useful paint: {first_paint(page, server.url):.0f} ms (median of 5)")
        finally:
            browser.close()
            server.stop()


def picture_for_readme(browser: Browser, server: Server) -> None:
    """What the README shows: the present in the light, a failure in the dark."""
    images = ROOT / "docs" / "images"
    images.mkdir(parents=True, exist_ok=True)
    for name, theme in (("now", "light"), ("task", "dark")):
        page = open_page(browser, server, DESKTOP, theme)
        show(page, server.url + views(server)[name])
        page.screenshot(path=images / f"dashboard-{name}.png")
        page.context.close()


def picture_of_agents(browser: Browser) -> None:
    """A session with sub-agents that waits for its user, for the README's first screen."""
    with tempfile.TemporaryDirectory() as home:
        server = Server.start(Path(home))
        try:
            agents_at_work(server)
            page = open_page(browser, server, (1180, 660), "light")
            show(page, f"{server.url}/")
            page.screenshot(path=ROOT / "docs" / "images" / "agents.png")
            page.context.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
