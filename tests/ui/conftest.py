"""A store with a worker, its pages served, and a browser."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.debugger.browser import chromium, require
from tests.ui.calling import Caller
from tests.ui.stage import TOKEN, Stage
from tests.ui.stage import stage as staged

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def stage(tmp_path: Path) -> Generator[Stage]:
    """A store with a worker."""
    with staged(tmp_path / "flows.db") as made:
        yield made


@pytest.fixture
def caller(stage: Stage) -> Generator[Caller]:
    """A program that talks to the server of the store, and has shown the token."""
    with stage.served() as url:
        made = Caller(url)
        made.sign_in(TOKEN)
        yield made


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """A browser for the tests of a module; while it is open, no other loop runs in this thread."""
    require()
    with chromium() as browser:
        yield browser
