"""The browser that tests drive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.support.chromium import FLAGS


@contextmanager
def launch(chromium: str, *flags: str) -> Iterator[Browser]:
    """A headless Chromium; `chromium` is the fixture of that name."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *flags])
        yield browser
        browser.close()
