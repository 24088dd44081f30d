"""A person at a browser who visits the pages that are served.

Rule: whatever a page asks for is noted, and so is whatever goes wrong in it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tests.ui.stage import TOKEN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WITHIN_MS: Final = 20_000


class Visitor:
    """Opens pages of one server, each in a browser that knows of nothing else."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._browser = browser

    @contextmanager
    def at(self, path: str = "", *, token: str | None = TOKEN, **context: Any) -> Generator[Page]:
        """A page, by the address that was printed; it is left when it is to be seen."""
        context.setdefault("viewport", {"width": 1440, "height": 860})
        inside = self._browser.new_context(**context)
        inside.set_default_timeout(WITHIN_MS)
        shown = inside.new_page()
        shown.on("request", lambda request: self.requests.append(request.url))
        shown.on("pageerror", lambda error: self.errors.append(str(error)))
        shown.on("console", lambda message: self.errors.append(message.text))
        fragment = "" if token is None else f"#token={quote(token)}"
        try:
            shown.goto(f"{self.url}{path}{fragment}")
            if token is not None:
                shown.wait_for_url(lambda url: "/sign-in" not in url)
                kind = "live" if path else "ready"
                shown.wait_for_selector(f"html[data-{kind}]", state="attached")
            yield shown
        finally:
            inside.close()


def status(shown: Page, wanted: str) -> None:
    """Wait until a page shows that its flow has a status, and all of its log."""
    shown.wait_for_function("status => conductor.status() === status", arg=wanted)


def decide(shown: Page, label: str, *, by: str | None = None, note: str | None = None) -> None:
    """Answer what is asked first, as a person does."""
    if by is not None:
        shown.get_by_label("Signed as").fill(by)
    card = shown.locator(".card").first
    if note is not None:
        card.locator("textarea").fill(note)
    card.get_by_role("button", name=label, exact=True).click()


def receipt(shown: Page) -> str:
    """What came of what was asked last."""
    shown.wait_for_selector(".receipts li")
    return shown.locator(".receipts li").first.inner_text().replace("\n", " ")
