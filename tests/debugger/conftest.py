"""A browser for each module of tests of the page."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.debugger.browser import Viewer, chromium, require

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """A browser for the tests of a module; while it is open, no other loop runs in this thread."""
    require()
    with chromium() as browser:
        yield browser


@pytest.fixture
def viewer(browser: Browser, tmp_path: Path) -> Iterator[Viewer]:
    """What opens pages; whatever a test does, nothing leaves them and nothing fails in them."""
    viewer = Viewer(browser, tmp_path)
    yield viewer
    assert [url for url in viewer.requests if not url.startswith(tmp_path.as_uri())] == []
    assert viewer.errors == []
