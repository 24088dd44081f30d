"""A browser without a window for tests of the debugger's page.

Rule: where none can run, its tests are skipped and say so; they fail instead where nothing may stay
untested, as with the servers of `tests.services`. The browser is offline, and whatever a page asks
for is noted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from conductor_adapters.debugger.html import page
from conductor_adapters.debugger.view import view_of
from tests.services.fixtures import ALL

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from conductor_adapters.debugger.recording import Recording

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str | None:
    """Why no browser can run here, or nothing."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return None if found() else "there is no Chromium on PATH"


def found() -> str | None:
    """Where Chromium is."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def require() -> None:
    """Skip a test, or let it fail, unless a browser can run here."""
    reason = missing()
    if reason is None:
        return
    if os.environ.get(ALL) == "1":
        pytest.fail(f"{reason}, and {ALL} is set", pytrace=False)
    pytest.skip(f"{reason}: the page GOES UNTESTED")


@contextmanager
def chromium() -> Generator[Browser]:
    """A browser, for as long as a `with` takes."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - may not be there

    with sync_playwright() as driver:
        # Tests run as root in containers, where Chromium has no sandbox; pages here are our own.
        browser = driver.chromium.launch(executable_path=found(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Viewer:
    """Opens pages of recordings, each in a context of its own, and notes what goes wrong there."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self.requests: list[str] = []
        self.errors: list[str] = []

    def write(self, *recordings: Recording) -> Path:
        """Write a page."""
        file = self._folder / "run.html"
        file.write_text(page([view_of(each) for each in recordings]), encoding="utf-8")
        return file

    @contextmanager
    def opened(self, *recordings: Recording, fragment: str = "", **context: Any) -> Generator[Page]:
        """A page, once it is ready."""
        context.setdefault("viewport", {"width": 1440, "height": 860})
        inside = self._browser.new_context(offline=True, **context)
        shown = inside.new_page()
        shown.on("request", lambda request: self.requests.append(request.url))
        shown.on("pageerror", lambda error: self.errors.append(str(error)))
        shown.on("console", lambda message: self.errors.append(message.text))
        try:
            shown.goto(f"{self.write(*recordings).as_uri()}{fragment}")
            shown.wait_for_selector("html[data-ready]", state="attached")
            yield shown
        finally:
            inside.close()


def press(shown: Page, *keys: str) -> int:
    """Press keys; returns where the cursor is then."""
    for key in keys:
        shown.keyboard.press(key)
    cursor: int = shown.evaluate("conductor.cursor")
    return cursor
