"""What tests of stores share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.adapters.ledgers import Place, close_all
from tests.services.fixtures import require
from tests.services.postgres import Postgres


@pytest.fixture
def path(tmp_path: Path) -> Generator[Path]:
    """The path of a store that is not there yet."""
    yield tmp_path / "flows.db"
    close_all()


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Generator[str]:
    """The URL of a database in which no store is yet."""
    require(Postgres)
    server: Postgres = request.getfixturevalue("postgres")
    yield server.new_database()
    close_all()


@pytest.fixture(params=["path", "url"], ids=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    """Where no store is yet, of each kind in turn."""
    found: Place = request.getfixturevalue(request.param)
    return found
