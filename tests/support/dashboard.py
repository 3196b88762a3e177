"""The dashboard in a real browser, as its users see it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.support.server import KEY, Server, wait_for

# The machine may be busy with other tests.
TIMEOUT_MS = 20_000

# What the browser itself logs about a server that is down or refuses a request.
_NETWORK_PROBLEMS = ("Failed to load resource", "WebSocket connection to", "Service Worker regis")

expect.set_options(timeout=TIMEOUT_MS)

# What the browser would show, and whether anybody looks: neither can be asked for without a screen.
WATCHED = """
  window.shown = [];
  window.away = false;
  window.Notification = class {
    static permission = "default";
    static async requestPermission() { return (this.permission = "granted"); }
    constructor(title, { body, tag }) {
      Object.assign(this, { said: [title, body], tag });
      window.shown.push(this);
    }
    close() { this.isClosed = true; }
  };
  Object.defineProperty(document, "hidden", { get: () => window.away });
"""

# Text that stands out less than WCAG 2.2 asks for (1.4.3): 4.5, large text 3.
_LOW_CONTRAST = """
() => {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
    .getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const over = ([r, g, b, a], [R, G, B]) =>
    [r, g, b].map((c, i) => (c * a + [R, G, B][i] * (255 - a)) / 255).concat(255);
  const background = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      layers.push(rgba(getComputedStyle(e).backgroundColor));
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 255]);
  };
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const low = [];
  let looked = 0;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.closest("option")) continue;
    const style = getComputedStyle(element);
    if (parseFloat(style.fontSize) === 0) continue;
    const below = background(element);
    const [a, b] = [luminance(over(rgba(style.color), below)), luminance(below)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    looked++;
    if (ratio < (large ? 3 : 4.5)) low.push(`${element.outerHTML.slice(0, 80)} ${ratio}`);
  }
  return { looked, low };
}
"""


@dataclass
class Dashboard:
    """A page in a context of its own. `problems`: errors and warnings in its console."""

    page: Page
    server: Server
    problems: list[str] = field(default_factory=list)

    @classmethod
    def open(
        cls, browser: Browser, server: Server, path: str = "/", *, key: str = KEY, **context: Any
    ) -> Dashboard:
        """A page at `path`, signed in by the key in the address; key "": not signed in."""
        # What a worker asks for is not the page's, and comes when nobody waits for it.
        options = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **context}
        options.setdefault("service_workers", "block")
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(TIMEOUT_MS)
        dashboard = cls(page, server)
        page.on("console", dashboard._on_console)
        page.on("pageerror", lambda error: dashboard.problems.append(str(error)))
        page.goto(f"{server.url}{path}" + (f"#key={key}" if key else ""))
        if key == KEY:
            dashboard.is_live()
        return dashboard

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_NETWORK_PROBLEMS):
            self.problems.append(message.text)

    def close(self) -> None:
        self.page.context.close()

    def is_live(self) -> None:
        """Wait until the page follows the log."""
        expect(self.page.locator(".state")).to_have_attribute("data-state", "live")

    def go(self, path: str) -> None:
        """Load the page at `path` anew."""
        self.page.goto(f"{self.server.url}{path}")
        self.is_live()

    def visit(self, path: str) -> None:
        """Go to `path` within the page, as by a link, and wait until its view has been read."""
        self.page.evaluate("path => history.pushState(null, '', path)", path)
        self.page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
        self.is_settled()

    def is_settled(self) -> None:
        """Wait until the view has read what it shows."""
        expect(self.page.locator("main > [aria-busy=false]")).to_be_attached()

    def lines(self, title: str) -> Locator:
        """The lines of lists whose task has this title."""
        return self.page.locator("task-line").filter(has=self.page.get_by_text(title, exact=True))

    def heading(self, title: str) -> None:
        """Wait for the view with this heading."""
        expect(self.page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible()

    def at(self, path: str) -> None:
        """Wait until the address is this."""
        expect(self.page).to_have_url(re.compile(re.escape(f"{self.server.url}{path}") + "$"))


def until(page: Page, condition: str, arg: object = None) -> None:
    """Wait until a function of JavaScript answers true. Playwright's own wait_for_function asks
    again by `eval`, which the page's policy forbids: it waits only where it need not."""
    wait_for(lambda: page.evaluate(condition, arg), 20, condition)


def low_contrast(page: Page, at_least: int = 1) -> list[str]:
    """Elements with text that is hard to read; there have to be more than `at_least` with text."""
    found = page.evaluate(_LOW_CONTRAST)
    assert found["looked"] > at_least
    return list(found["low"])


class Held:
    """Requests of a page that wait until they are let go."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.routes: list[Route] = []
        self._holding = True
        page.route(pattern, self._take)

    def _take(self, route: Route) -> None:
        if self._holding:
            self.routes.append(route)
        else:
            route.continue_()

    def stop(self) -> None:
        """Hold no more; those that wait go on waiting."""
        self._holding = False

    def release(self) -> None:
        """Let all of them go, and hold no more."""
        self.stop()
        for route in self.routes:
            route.continue_()
